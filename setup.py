"""Builds the native module; without libjpeg-turbo and libpng if they are missing, so that TensorFlow decodes.

Everything else stands in `pyproject.toml`.
"""

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

CODECS = {"augment/plan/c/jpeg.c", "augment/plan/c/png.c"}


class BuildNative(build_ext):
    """Builds the module again without the codecs if their headers or libraries cannot be used."""

    def build_extension(self, ext: Extension) -> None:
        """Build one module."""
        try:
            super().build_extension(ext)
        except (CompileError, LinkError):
            self.warn("cannot build with libjpeg-turbo and libpng (Debian: libjpeg-dev, libpng-dev); trying without")
            ext.sources = [source for source in ext.sources if source not in CODECS]
            ext.libraries = [library for library in ext.libraries if library not in ("jpeg", "png")]
            ext.define_macros = [*ext.define_macros, ("WITHOUT_CODECS", None)]
            super().build_extension(ext)


setup(cmdclass={"build_ext": BuildNative})
