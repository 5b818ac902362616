"""Reading files that are input: only regular ones, and with one error, which names the file, for whatever is wrong."""

import contextlib
import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from augment.errors import CaudalError
from augment.regular_files import open_regular_file, read_regular_file

_LONGEST = 300
"""Number of characters of a library's message that are shown."""


@contextlib.contextmanager
def name_damage(path: str | os.PathLike[str], what: str, error: type[CaudalError], remedy: str = "") -> Iterator[None]:
    """Convert whatever is raised while a file is read to one error, which names the file and what is wrong with it.

    The block reads and checks the file, and does nothing else: parsers raise errors of any class for damaged files.

    Args:
        path: the file.
        what: what it should be, for example "a valid checkpoint".
        error: the class of the error.
        remedy: what to do.

    Raises:
        error: the file cannot be read, or is not what it should be.
    """
    try:
        yield
    except CaudalError:
        raise
    except Exception as fault:
        name, end = os.fspath(path), f"; {remedy}" if remedy else ""
        if isinstance(fault, OSError) and fault.strerror:
            raise error(f"{name} cannot be read: {fault.strerror}{end}") from None
        raise error(f"{name} is not {what}: {_describe_fault(fault)}{end}") from None


def _describe_fault(fault: Exception) -> str:
    """Describe what a parser raised, in one line."""
    match fault:
        case RecursionError():
            return "its values are nested too deeply"
        case MemoryError():
            return "it asks for more memory than there is"
        case EOFError():
            return "it ends too early"
        case UnicodeDecodeError():
            return f"it is not UTF-8 text: {fault.reason} at byte {fault.start}"
        case json.JSONDecodeError():
            return f"it is not JSON: {fault}"
        case KeyError() if fault.args:
            return f"{str(fault.args[0])[:_LONGEST]!r} is missing"
        case TypeError() | AttributeError() | IndexError():  # in the words of Python, about the parser
            return "a value in it has another type or length than it must have"
        case _:
            text = " ".join(str(fault).split())
            return (text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...") or type(fault).__name__


def read_json(path: str | os.PathLike[str], max_bytes: int | None = None) -> dict[str, Any]:
    """Read a file that contains a JSON object, and at most `max_bytes`.

    Raises:
        Exception: of any class, if the file does not; see `name_damage`.
    """
    value = json.loads(read_regular_file(path, max_bytes))
    if not isinstance(value, dict):
        raise ValueError(f"it needs an object, got {json.dumps(value):.60}")
    return value


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file that `numpy.savez` wrote; nothing in it is unpickled or decompressed.

    Raises:
        Exception: of any class, if the file is damaged; see `name_damage`.
    """
    with open(open_regular_file(path), "rb") as file, zipfile.ZipFile(file) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("its arrays are compressed")  # `savez` does not, and they could take any amount of memory
        return {name: _read_array(archive, entry) for name, entry in entries.items()}


def read_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the array of a file that `numpy.save` wrote.

    Raises:
        Exception: of any class, if the file is damaged; see `name_damage`.
    """
    with open(open_regular_file(path), "rb") as file:
        return _decode_array(file)


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as file:
        array = _decode_array(file)
        if file.read(1):  # reading to the end compares the checksum
            raise ValueError(f"{entry.filename!r} has more bytes than its array")
    return array


def _decode_array(file: Any) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers as Python 2 wrote them
        try:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            if "allow_pickle" in str(error):  # advice that must not be followed
                raise ValueError("it contains Python objects instead of numbers") from None
            raise
    return array


_Value = TypeVar("_Value")


def get_value(values: Mapping[str, Any], name: str, kind: type[_Value], default: _Value | None = None) -> _Value:
    """Return a value of JSON, after a check of its type.

    Raises:
        KeyError: it is missing, and there is no default.
        ValueError: it has another type.
    """
    value: _Value = values[name] if default is None else values.get(name, default)
    fits = isinstance(value, (int, float) if kind is float else kind)  # JSON writes 1.0 as 1, too
    if not fits or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{name!r} must be {_KINDS[kind]}, got {value!r:.60}")
    return value


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}
