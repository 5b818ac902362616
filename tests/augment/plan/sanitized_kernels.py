"""`python -m tests.augment.plan.sanitized_kernels DIRECTORY`: compile the kernels with GCC's sanitizers.

What they report ends the process. Prints the module's path.
"""

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CHECKS = ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def main() -> None:
    """Compile with the sources and options of pyproject.toml."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    (module,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    path = directory / f"_kernels{sysconfig.get_config_var('EXT_SUFFIX')}"
    options = [
        *module["extra-compile-args"],
        *CHECKS,
        "-shared",
        "-fPIC",
        "-g",
        f"-I{sysconfig.get_paths()['include']}",
    ]
    sources = [str(ROOT / source) for source in module["sources"]]
    libraries = [f"-l{library}" for library in module["libraries"]]
    command = ["gcc", *options, *sources, "-o", str(path), *libraries]
    subprocess.run(command, check=True)
    print(path)  # noqa: T201  # for the Makefile


if __name__ == "__main__":
    main()
