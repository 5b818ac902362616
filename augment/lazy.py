"""Packages that import a name at its first use, so that a program imports only what it needs."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def make_getattr(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` (PEP 562) of a package that re-exports names of other modules.

    Args:
        package: the package's name.
        modules: for each name the module that defines it, or the module `....NAME` if the name is a module.
            No other name may equal the name of a module of the package: importing that module would replace it.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(modules[name])
        value = home if modules[name].rpartition(".")[2] == name else getattr(home, name)
        vars(import_module(package))[name] = value
        return value

    return get
