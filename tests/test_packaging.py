"""What is installed must be what is there."""

import tomllib
from pathlib import Path


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
