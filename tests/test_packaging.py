"""The installed packages and files are complete."""

import platform
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest


def test_every_package_is_listed(project_root: Path) -> None:
    """An installation that is not editable has all packages, each of the four with its `py.typed`."""
    settings = tomllib.loads((project_root / "pyproject.toml").read_text())["tool"]["setuptools"]
    top = ("augment", "caudal", "pipeline", "training")
    found = {
        ".".join(path.parent.relative_to(project_root).parts)
        for name in top
        for path in (project_root / name).rglob("__init__.py")
    }
    assert found == set(settings["packages"])
    assert all(
        (project_root / name / "py.typed").exists() and "py.typed" in settings["package-data"][name] for name in top
    )


def test_the_synonym_table_is_shipped_with_its_license(project_root: Path) -> None:
    """Both are package data, and WordNet's license is among the licenses."""
    settings = tomllib.loads((project_root / "pyproject.toml").read_text())
    shipped = settings["tool"]["setuptools"]["package-data"]["augment.text"]
    assert sorted(shipped) == ["WORDNET-LICENSE", "wordnet.npz"]
    assert all((project_root / "augment" / "text" / name).is_file() for name in shipped)
    assert "augment/text/WORDNET-LICENSE" in settings["project"]["license-files"]
    assert (
        "WordNet 3.0 Copyright 2006 by Princeton University"
        in (project_root / "augment" / "text" / "WORDNET-LICENSE").read_text()
    )


def test_the_kernels_are_compiled_where_a_compiler_can(project_root: Path) -> None:
    """A failed build is ignored, and tests of the kernels would be skipped."""
    gcc = shutil.which("gcc")
    version = subprocess.run([gcc, "-dumpversion"], capture_output=True, text=True, check=True).stdout if gcc else "0"
    has_headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    if platform.machine() != "x86_64" or int(version.split(".")[0]) < 12 or not has_headers:
        pytest.skip("needs GCC 12 for x86-64 and Python's headers")
    assert list((project_root / "augment" / "plan").glob("_kernels.*.so"))
