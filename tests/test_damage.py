"""Damaged files that Caudal reads back: one error of one line that names the file, whatever the damage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from augment.errors import CaudalError, TransformError
from augment.stored_files import name_damage, read_array, read_arrays, read_json
from tests.stored_files import STORED_FILES, iter_checks

COUNTS = {"search.db": 15}
"""Mutations of kinds that take long to read; `make soak` makes a thousand of each."""

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", STORED_FILES)
def test_a_damaged_file_is_read_or_named(name: str, tmp_path: Path) -> None:
    """Bytes are cut, changed, inserted, removed and swapped, and values of JSON are others."""
    count = COUNTS.get(name, 100)
    outcomes = list(iter_checks(STORED_FILES[name], tmp_path, count, seed=0))
    assert [fault for _, fault in outcomes if fault] == []
    assert len(outcomes) == count


@pytest.mark.parametrize("name", ["dataset.json, verified", "splits.json", "checkpoint.npz", "search.db", "space.toml"])
@pytest.mark.parametrize("kind", ["directory", "named pipe"])
def test_what_is_no_regular_file_is_refused_at_once(name: str, kind: str, tmp_path: Path) -> None:
    """A named pipe would be waited for."""
    import os

    path = STORED_FILES[name].make(tmp_path)
    path.unlink()
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(CaudalError, match=path.name):
        STORED_FILES[name].read(path)


def raise_it(error: Exception) -> Callable[[], Any]:
    """Return a function that raises an error."""

    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (raise_it(MemoryError()), "x.npy is not an array: it asks for more memory than there is; restore it"),
        (raise_it(RecursionError("maximum")), "x.npy is not an array: its values are nested too deeply; restore it"),
        (raise_it(KeyError("a")), "x.npy is not an array: 'a' is missing; restore it"),
        (raise_it(ValueError("one\n  two")), "x.npy is not an array: one two; restore it"),
        (raise_it(SystemError()), "x.npy is not an array: SystemError; restore it"),
        (raise_it(TypeError("'int' object is not iterable")), "has another type or length"),
        (raise_it(PermissionError(13, "Permission denied")), "x.npy cannot be read: Permission denied; restore it"),
        (raise_it(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")), "not UTF-8 text: .* at byte 0"),
    ],
)
def test_errors_of_parsers_are_described_in_words_of_the_file(fault: Callable[[], Any], message: str) -> None:
    """A person who reads it knows which file, and what is wrong with it."""
    with pytest.raises(TransformError, match=message), name_damage("x.npy", "an array", TransformError, "restore it"):
        fault()


def test_errors_of_our_own_and_interrupts_pass() -> None:
    """What names its cause already is not named again."""
    with pytest.raises(CaudalError, match=r"^as it was$"), name_damage("x", "a file", TransformError):
        raise CaudalError("as it was")
    with pytest.raises(KeyboardInterrupt), name_damage("x", "a file", TransformError):
        raise KeyboardInterrupt


def test_arrays_are_neither_unpickled_nor_decompressed(tmp_path: Path) -> None:
    """Nothing in a file runs, and no file takes more memory than its size."""
    import numpy as np

    np.savez_compressed(tmp_path / "c.npz", a=np.zeros(10**6))
    np.savez(tmp_path / "o.npz", a=np.array([None, {}], object), allow_pickle=True)
    np.save(tmp_path / "o.npy", np.array([None, {}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="its arrays are compressed"):
        read_arrays(tmp_path / "c.npz")
    for read, name in ((read_arrays, "o.npz"), (read_array, "o.npy")):
        with pytest.raises(ValueError, match="Python objects instead of numbers"):
            read(tmp_path / name)
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"it needs an object, got \[1, 2\]"):
        read_json(tmp_path / "list.json")
