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


def test_the_synonym_table_is_shipped_with_its_licence(project_root: Path) -> None:
    """Both are package data, and WordNet's licence is among the licences."""
    settings = tomllib.loads((project_root / "pyproject.toml").read_text())
    shipped = settings["tool"]["setuptools"]["package-data"]["augment.text"]
    assert sorted(shipped) == ["WORDNET-LICENSE", "wordnet.npz"]
    assert all((project_root / "augment" / "text" / name).is_file() for name in shipped)
    assert "augment/text/WORDNET-LICENSE" in settings["project"]["license-files"]
    assert (
        "WordNet 3.0 Copyright 2006 by Princeton University"
        in (project_root / "augment" / "text" / "WORDNET-LICENSE").read_text()
    )
