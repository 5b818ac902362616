"""The contents of an object as data: equal for objects that are made alike, in any process and at any time.

Two questions need it. Has a copy, which another process has built, exactly the contents of the original? And has a
pipeline changed since a checkpoint was written? Neither `==`, nor `repr`, nor pickle answers: the first two compare
addresses, or print the middle of an array as dots, and pickle depends on the order of a set and on who shares what.

Functions and classes of the user are read by their code and by what it refers to; those of installed libraries by name.
"""

import copyreg
import dataclasses
import dis
import functools
import hashlib
import importlib.machinery
import json
import sys
import sysconfig
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any

import numpy as np

_OURS = ("augment", "pipeline", "training", "caudal", "numpy", "cv2", "albumentations")

_STABLE_REDUCTIONS = ("augment", "pipeline", "albumentations", "numpy")
"""Besides the standard library, the packages whose own `__reduce__` depends on nothing but the object."""

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Bytecode is that of a minor version."""

_RUN_STATE = frozenset(
    (
        *("random_generator", "py_random", "params", "_key2func", "call_backup", "_images_was_list", "_masks_was_list"),
        *("save_applied_params", "invalid_args", "_strict", "is_check_args"),
    )
)
"""Attributes of transforms that change no pixel: generators, which keys replace, and what the last call left."""

_PROCESSOR_RUN_STATE = frozenset(("is_sequence_input", "label_manager"))

_PASSED_ON = frozenset(("seed", "mask_interpolation"))
"""What Albumentations' compositions only pass on to their transforms. Its transforms never read the seed."""

_MAX_DEPTH = 60
"""Of functions that refer to functions: further ones would exceed Python's stack."""

_NO_EFFECT = frozenset(("__init__", "__new__", "__repr__", "__str__", "__eq__", "__hash__", "__init_subclass__"))
"""Methods that change no pixel: what a constructor does stands in the attributes."""


@dataclass(frozen=True)
class Contents:
    """What `read` has found.

    Attributes:
        data: lists, dicts, strings and numbers, as for JSON.
        unknown: the names of the objects that cannot be told apart from others of their type.
        has_code: whether it contains code of the user.
    """

    data: Any
    unknown: tuple[str, ...]
    has_code: bool

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the data."""
        return hashlib.sha256(_to_json(self.data).encode("utf-8", "surrogatepass")).hexdigest()


def read(value: Any) -> Contents:
    """Read the contents of an object."""
    reader = _Reader()
    data = reader.read(value)
    return Contents(data, tuple(sorted(reader.unknown)), reader.has_code)


class _Reader:
    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.has_code = False
        self._open: dict[int, int] = {}  # the objects around the current one, by depth
        self._code: dict[int, int] = {}  # functions and classes, by the order in which they were met
        self._alive: list[Any] = []  # an object that ends could leave its identity to another

    def read(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if id(value) in self._open:
            return {"around": len(self._open) - self._open[id(value)]}
        self._alive.append(value)
        self._open[id(value)] = len(self._open)
        try:
            return self._read_object(value)
        finally:
            del self._open[id(value)]

    def _read_object(self, value: Any) -> Any:
        match value:
            case list() if type(value) is list:
                return list(map(self.read, value))
            case tuple() if type(value) is tuple:
                return {"tuple": list(map(self.read, value))}
            case dict() | types.MappingProxyType() if type(value) in (dict, types.MappingProxyType):
                return {"dict": [[self.read(key), self.read(item)] for key, item in value.items()]}
            case set() | frozenset():
                return {"set": sorted(map(self.read, value), key=_to_json)}
            case bytes() | bytearray() | memoryview():
                return {"bytes": hashlib.sha256(value).hexdigest()}
            case np.ndarray():
                return self._read_array(value)
            case np.generic():
                return {"number": [str(value.dtype), value.tobytes().hex()]}
            case Enum():
                return {"enum": [_name(type(value)), value.name, self.read(value.value)]}
            case types.ModuleType():
                return {"module": value.__name__}
            case types.CodeType():
                return self._read_code(value)
            case _:
                return self._read_callable(value)

    def _read_callable(self, value: Any) -> Any:
        match value:
            case types.FunctionType() | type():
                return self._read_definition(value)
            case types.MethodType():
                return {"method": [value.__name__, self.read(value.__self__), self.read(value.__func__)]}
            case types.BuiltinFunctionType():
                owner = value.__self__
                return {"builtin": value.__qualname__} | (
                    {} if owner is None or isinstance(owner, types.ModuleType) else {"of": self.read(owner)}
                )
            case property():
                return {"property": [self.read(value.fget)]}
            case classmethod() | staticmethod():
                return {type(value).__name__: self.read(value.__func__)}
            case functools.cached_property():
                return {"property": [self.read(value.func)]}
            case _:
                return self._read_instance(value)

    def _read_array(self, array: Any) -> Any:
        head = {"array": [str(array.dtype), list(array.shape)]}
        if array.dtype.hasobject:
            return head | {"items": list(map(self.read, array.ravel().tolist()))}
        return head | {"sha256": hashlib.sha256(array.tobytes()).hexdigest()}

    def _read_definition(self, value: Any) -> Any:
        """Read a function or a class: by name if it is a library's, otherwise by its code."""
        if is_library(value.__module__):
            return {"name": _name(value)}
        if hasattr(value, "model_fields"):  # a model of pydantic only checks arguments
            return {"name": value.__name__}
        if id(value) in self._code:
            return {"again": self._code[id(value)]}
        if len(self._open) > _MAX_DEPTH:
            self.unknown.add(_name(value))
            return {"unknown": _name(value)}
        self._code[id(value)] = len(self._code)
        self.has_code = True
        return self._read_class(value) if isinstance(value, type) else self._read_function(value)

    def _read_function(self, function: types.FunctionType) -> Any:
        names = sorted(set(_iter_globals(function.__code__)) & function.__globals__.keys())
        own = sorted(set(_iter_names(function.__code__)) & vars(function).keys())
        return {
            **({"attributes": {name: self.read(vars(function)[name]) for name in own}} if own else {}),
            "function": self._read_code(function.__code__),
            "python": _PYTHON,
            "defaults": [self.read(function.__defaults__), self.read(function.__kwdefaults__)],
            "closure": [self._read_cell(cell) for cell in function.__closure__ or ()],
            "globals": {name: self._read_global(function.__globals__[name], function.__code__) for name in names},
        }

    def _read_global(self, value: Any, code: types.CodeType) -> Any:
        """Read what a function refers to; of a module of the user, the attributes whose names the function contains."""
        if not isinstance(value, types.ModuleType) or is_library(value.__name__):
            return self.read(value)
        names = sorted(set(_iter_names(code)) & vars(value).keys())
        return {"module": value.__name__, "attributes": {name: self.read(vars(value)[name]) for name in names}}

    def _read_cell(self, cell: types.CellType) -> Any:
        try:
            return self.read(cell.cell_contents)
        except ValueError:
            return "empty"

    def _read_code(self, code: types.CodeType) -> Any:
        arguments = code.co_argcount + code.co_kwonlyargcount
        return {
            "code": code.co_code.hex(),
            "exceptions": code.co_exceptiontable.hex(),
            "constants": list(map(self.read, code.co_consts)),
            "names": [list(code.co_names), list(code.co_varnames[:arguments]), list(code.co_freevars)],
            "numbers": [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags],
        }

    def _read_class(self, kind: type) -> Any:
        members = {name: self.read(member) for name, member in sorted(vars(kind).items()) if _has_effect(name, member)}
        bases = [self.read(base) for base in kind.__mro__[1:]]
        return {"class": _name(kind), "bases": bases, "members": members}

    def _read_instance(self, value: Any) -> Any:
        """Read an object by what pickle would write."""
        reduction = _reduce(value)
        if reduction is None:
            self.unknown.add(_name(type(value)))
            return {"unknown": _name(type(value))}
        if isinstance(reduction, str):
            return {"name": f"{_name(type(value))} {reduction}"}
        make, arguments, state, items, pairs = (*reduction, None, None, None)[:5]
        made: dict[str, Any] = {"instance": self.read(type(value))}
        if make not in (copyreg.__newobj__, copyreg._reconstructor):  # type: ignore[attr-defined]
            made |= {"function": self.read(make)}
        # The first argument of the usual functions is the class.
        made["arguments"] = [self.read(one) for one in arguments if one is not type(value)]
        made["state"] = self._read_state(value, state)
        if items is not None:
            made["items"] = list(map(self.read, items))
        if pairs is not None:
            made["pairs"] = [[self.read(key), self.read(item)] for key, item in pairs]
        return made

    def _read_state(self, value: Any, state: Any) -> Any:
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)  # attributes, and slots
        if not all(part is None or isinstance(part, dict) for part in parts):
            return self.read(state)
        attributes = dict(chain.from_iterable(part.items() for part in parts if part))
        ignored = _find_ignored(value) | {field.name for field in _list_fields(value) if not field.compare}
        return {
            str(name): self.read(attributes[name])
            for name in sorted(attributes, key=str)
            if name not in ignored and not _is_computed(type(value), name)
        }


def is_library(module: str | None) -> bool:
    """Return whether a module belongs to Python, to an installed library, or to Caudal."""
    top = (module or "builtins").partition(".")[0]
    return top in sys.stdlib_module_names or top in _OURS or _is_installed(top)


@functools.cache
def _is_installed(top: str) -> bool:
    spec = getattr(sys.modules.get(top), "__spec__", None)
    if top in ("__main__", "__mp_main__") or not isinstance(spec, importlib.machinery.ModuleSpec):
        return False
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""]
    return any(place.startswith(sysconfig.get_path(kind)) for place in places for kind in ("purelib", "platlib"))


def _find_ignored(value: Any) -> frozenset[str]:
    """Find the attributes of an object of Albumentations that change no pixel."""
    import albumentations as A  # noqa: N812  # its users know it by this name
    from albumentations.core.utils import DataProcessor

    if isinstance(value, DataProcessor):
        return _PROCESSOR_RUN_STATE
    if not isinstance(value, (A.BasicTransform, A.BaseCompose)):
        return frozenset()
    ignored = _RUN_STATE
    if getattr(value, "replay_mode", False):
        ignored -= {"params"}  # of an earlier call, and now applied again
    if is_library(type(value).__module__):
        ignored |= _PASSED_ON if isinstance(value, A.BaseCompose) else {"seed"}
    return ignored


def _list_fields(value: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()


def _is_computed(kind: type, name: Any) -> bool:
    """Return whether an attribute is a cached property: it is computed from others, and only when it is needed."""
    return any(isinstance(vars(base).get(name), functools.cached_property) for base in kind.__mro__)


def _reduce(value: Any) -> Any:
    """Return what pickle would write; None if that is unknown."""
    kind: Any = type(value)
    is_default = kind.__reduce__ is object.__reduce__ and kind.__reduce_ex__ is object.__reduce_ex__
    top = kind.__module__.partition(".")[0]
    is_known = is_default or top in _STABLE_REDUCTIONS or top in sys.stdlib_module_names
    if not is_known and is_library(kind.__module__):
        return None  # such as a model's, which contains the time
    try:
        reducer = copyreg.dispatch_table.get(kind)
        return reducer(value) if reducer is not None else value.__reduce_ex__(4)
    except Exception:  # an object may refuse in any way
        return None


def _has_effect(name: str, member: Any) -> bool:
    if isinstance(member, (types.MemberDescriptorType, types.GetSetDescriptorType)) or name == "_abc_impl":
        return False
    if name.startswith("__") and name.endswith("__"):
        return isinstance(member, types.FunctionType) and name not in _NO_EFFECT
    return True


def _iter_names(code: types.CodeType) -> Iterator[str]:
    """Yield the names of the globals and attributes that code, and the functions in it, refer to."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _iter_names(constant)


def _iter_globals(code: types.CodeType) -> Iterator[str]:
    """Yield the names of the globals that code, and the functions in it, refer to."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _iter_globals(constant)


def _name(kind: Any) -> str:
    """Name a class or function; a spawned process knows the script under another name."""
    return f"{kind.__module__}.{kind.__qualname__}".replace("__mp_main__.", "__main__.", 1)


def _to_json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))
