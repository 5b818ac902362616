"""Write down what is public: `python -m tests.public_api` rewrites `tests/public_api.txt`."""

import ast
import collections.abc
import importlib
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

PATH = Path(__file__).with_suffix(".txt")

FACADE = "caudal"
"""The package that users import; it has the public names of the other packages."""

MODULES = (
    "augment",
    "augment.errors",
    "augment.keys",
    "augment.policies",
    "augment.text",
    "augment.views",
    "pipeline",
    "pipeline.errors",
    "training",
    "training.architectures",
    "training.errors",
    "caudal.errors",
)
"""The packages, and the modules that are public as a whole."""

_OURS = {"augment", "pipeline", "training", "caudal"}
_LONGEST = 90  # characters of a signature that stands on one line
_SPECIAL = {"__call__", "__enter__", "__exit__", "__getitem__", "__iter__", "__len__"}


def describe() -> str:
    """Describe every public name, with the signatures of functions, constructors and methods."""
    lines = [
        "# The public interface. `make api` writes this file; list changes of it in CHANGELOG.md.",
        "",
        f"{FACADE}:",
        *(f"    {name}" for name in importlib.import_module(FACADE).__all__),
    ]
    described: dict[int, str] = {}
    for module in MODULES:
        lines += ["", f"{module}:"]
        for name, value in _public(importlib.import_module(module)):
            if id(value) in described:
                lines.append(f"    {name} = {described[id(value)]}")
                continue
            if callable(value):
                described[id(value)] = f"{module}.{name}"
            lines.append(textwrap.indent("\n".join(_describe(name, value)), "    "))
    return "\n".join(lines) + "\n"


def _public(module: types.ModuleType) -> list[tuple[str, Any]]:
    """List a module's public names: `__all__`, or the functions, classes and constants it defines or re-exports."""
    if hasattr(module, "__all__"):
        return [(name, getattr(module, name)) for name in module.__all__]
    tree = ast.parse(inspect.getsource(module))
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names if alias.asname == alias.name}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return [(name, getattr(module, name)) for name in sorted(names) if not name.startswith("_")]


def _describe(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        yield from (textwrap.indent(text, "    ") for text in _members(value))
    elif inspect.isfunction(value):
        yield f"{name}{_signature(value)}"
    elif inspect.ismodule(value):
        yield f"{name}: module"
    elif typing.get_origin(value) is not None:
        yield f"{name} = {_annotation(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _members(owner: type) -> Iterator[str]:
    if not issubclass(owner, Exception) or "__init__" in vars(owner):
        yield f"__init__{_signature(owner, with_result=False)}"
    fields = {*getattr(owner, "__dataclass_fields__", ()), *getattr(owner, "_fields", ())}
    members: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.split(".")[0] in _OURS:
            members |= vars(base)
    for name, member in sorted(members.items()):
        if (name.startswith("_") and name not in _SPECIAL) or name in fields:
            continue
        if isinstance(member, property):
            yield f"{name}: {_annotation(inspect.signature(member.fget).return_annotation)}"
        elif isinstance(member, (classmethod, staticmethod)):
            yield f"{type(member).__name__} {name}{_signature(getattr(owner, name))}"
        elif inspect.isfunction(member):
            yield f"{name}{_signature(member)}"
        elif inspect.isclass(member):
            yield f"class {name}"
        elif hasattr(member, "func"):  # a cached property
            yield f"{name}: {_annotation(inspect.signature(member.func).return_annotation)}"
        else:
            yield f"{name}: {type(member).__name__}"


def _signature(function: Any, *, with_result: bool = True) -> str:
    """Write a signature; the text is the same with every version of Python and NumPy."""
    signature = inspect.signature(function)
    parts = []
    last = None
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and last not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            parts.append("*")
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        text = prefix + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_default(parameter.default)}"
        parts.append(text)
        last = parameter.kind
    has_result = with_result and signature.return_annotation is not signature.empty
    result = f" -> {_annotation(signature.return_annotation)}" if has_result else ""
    line = f"({', '.join(parts)}){result}"
    return line if len(line) <= _LONGEST else "(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def _default(value: Any) -> str:
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        text = ", ".join(map(_default, value))
        return f"[{text}]" if isinstance(value, list) else f"({text}{',' * (len(value) == 1)})"
    return repr(value) if isinstance(value, (bool, int, float, str, bytes, type(None))) else "..."


def _annotation(value: Any) -> str:
    """Write an annotation without the modules of its types."""
    if isinstance(value, str):
        return value
    if isinstance(value, typing.ForwardRef):
        return value.__forward_arg__
    if value is None or value is type(None):
        return "None"
    if value is Ellipsis:
        return "..."
    if value == ArrayLike:
        return "ArrayLike"
    origin, arguments = typing.get_origin(value), typing.get_args(value)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_annotation, arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is np.ndarray:
        return f"NDArray[{_annotation(typing.get_args(arguments[1])[0])}]"
    if origin is collections.abc.Callable:
        taken = "..." if arguments[0] is Ellipsis else f"[{', '.join(map(_annotation, arguments[0]))}]"
        return f"Callable[{taken}, {_annotation(arguments[1])}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_annotation, arguments))}]"
    return str(getattr(value, "__name__", value))


if __name__ == "__main__":
    PATH.write_text(describe())
