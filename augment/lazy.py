"""Packages whose names are imported when they are first asked for, so that each use pays for what it needs only."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def importing(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` (PEP 562) of a package that offers what its modules define.

    Args:
        package: its name.
        homes: the module in which each name is defined; empty for a module of the package itself. No name may be that
            of a module which defines it: importing the module would put it in the name's place.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name) if homes[name] else import_module(f"{package}.{name}")
        vars(import_module(package))[name] = value
        return value

    return get
