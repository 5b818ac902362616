"""Packages whose names are imported when they are first asked for, so that each use pays for what it needs only."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def make_getattr(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` (PEP 562) of a package that offers what other modules define.

    Args:
        package: its name.
        modules: for each name the module that defines it, or the module `....NAME` where the name stands for a module.
            Apart from these, no name may be that of a module of the package: importing the module would replace it.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(modules[name])
        value = home if modules[name].rpartition(".")[2] == name else getattr(home, name)
        vars(import_module(package))[name] = value
        return value

    return get
