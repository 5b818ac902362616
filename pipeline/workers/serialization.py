"""A loader as bytes from which a worker builds it, and the loader's arrays beside them, which are not copied.

This is pickle, between processes of one run: the bytes go to a process that this one has started, through memory that
they share, and never through a file. Nothing else restores every transform: Albumentations' own serialization leaves
arguments out. What another process could not build alike is refused when the loader is made: each option is restored
once, and compared (see `augment.plan.witness` for transforms). The worker compares again.
"""

import contextlib
import dataclasses
import io
import pickle
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment import contents
from augment.errors import CaudalError
from augment.plan.plan import Plan
from pipeline.base_loader import BaseLoader
from pipeline.errors import OptionError

_CLASS = "class of the loader"
"""Travels among the options."""


class _RefusedError(Exception):
    """A part of an option cannot be sent; the text says which."""


class _Option(NamedTuple):
    """An option for another process.

    Attributes:
        pickled: its value.
        digest: of its contents; None for samples, and for a plan, which checks itself when it is restored.
    """

    pickled: bytes
    digest: str | None


def serialize(loader: BaseLoader) -> tuple[bytes, list[NDArray[Any]]]:
    """Serialize a loader, with `workers` 0.

    Returns:
        Bytes, and the arrays that they refer to by their indices.

    Raises:
        OptionError: an option cannot be sent to a worker process, or another value would arrive there.
    """
    arrays: list[NDArray[Any]] = []
    values = {field.name: getattr(loader, field.name) for field in dataclasses.fields(loader)}
    values |= {"workers": 0, "augment": getattr(loader, "plan", None), _CLASS: type(loader)}
    options: dict[str, _Option] = {}
    for name, value in values.items():
        remedy = "a module-level class, or workers=0" if name == "augment" else "workers=0"
        with _naming_errors(f"option {name!r}" if name != _CLASS else f"class {type(loader).__name__}", remedy):
            digest = None if name == "source" or isinstance(value, Plan) else contents.read(value).digest
            # Transforms get arrays of their own: those that processes share cannot be written to.
            pickled = _dump(value, None if name == "augment" else arrays)
            options[name] = _Option(pickled, digest)
            _restore(options[name], arrays)
    return pickle.dumps({name: tuple(option) for name, option in options.items()}), arrays


def deserialize(serialized: bytes, arrays: Sequence[NDArray[Any]]) -> BaseLoader:
    """Build the loader that `serialize` has serialized.

    Raises:
        ValueError: an option, or what the augmentation does, differs from the original.
    """
    options = pickle.loads(serialized)  # noqa: S301  # written by the process that has started this one
    values = {name: _restore(_Option(*option), arrays) for name, option in options.items()}
    if isinstance(plan := values.get("augment"), Plan):
        values["augment"] = plan.transform
    loader: BaseLoader = values.pop(_CLASS)(values.pop("source"), **values)
    return loader


def check_sendable(plan: Plan, remedy: str) -> None:
    """Check that another process of this run, which has imported the same script, would build the same plan.

    Raises:
        OptionError: it would not.
    """
    with _naming_errors("option 'augment'", remedy):
        _restore(_Option(_dump(plan, None, has_script=True), None), [])


def _dump(value: Any, arrays: list[NDArray[Any]] | None, *, has_script: bool = False) -> bytes:
    file = io.BytesIO()
    _Pickler(file, arrays, has_script).dump(value)
    return file.getvalue()


def _restore(option: _Option, arrays: Sequence[NDArray[Any]]) -> Any:
    value = _Unpickler(option.pickled, arrays).load()
    if option.digest is not None and contents.read(value).digest != option.digest:
        raise ValueError("a copy has other contents: it depends on more than its attributes")
    return value


@contextlib.contextmanager
def _naming_errors(what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # objects refuse to be pickled, or restored, in any way
        own = isinstance(error, (_RefusedError, CaudalError))
        reason = str(error) if own else f"{type(error).__name__}: {error}"
        raise OptionError(f"workers: {what} cannot be sent to a worker process ({reason}); use {remedy}") from None


class _Pickler(pickle.Pickler):
    """Takes arrays out, and refuses what has no name that another process knows."""

    def __init__(self, file: io.BytesIO, arrays: list[NDArray[Any]] | None, has_script: bool) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._arrays = arrays
        self._has_script = has_script

    def persistent_id(self, value: Any) -> int | None:
        if self._arrays is None or type(value) is not np.ndarray or value.dtype.hasobject:
            return None
        self._arrays.append(value)
        return len(self._arrays) - 1

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, (type, types.FunctionType)):
            if "<lambda>" in value.__qualname__:
                raise _RefusedError("a lambda")
            if "<locals>" in value.__qualname__:
                raise _RefusedError(f"{value.__name__} is defined in a function")
            if value.__module__ == "__main__" and not self._has_script:
                raise _RefusedError(f"{value.__qualname__} is defined in the script; move it to a module")
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes, arrays: Sequence[NDArray[Any]]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._arrays = arrays

    def persistent_load(self, index: int) -> NDArray[Any]:
        return self._arrays[index]
