"""Options with values that make no sense: numbers of the wrong kind, and options that contradict each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.text import EDA
from pipeline import Cache, Loader, TextLoader
from pipeline.errors import OptionError

INTEGERS = ["batch_size", "copies", "label_offset", "max_pixels", "num_parallel_calls", "prefetch", "seed", "workers"]
COUNTS = ["limit", "max_errors"]
FRACTIONS = [*COUNTS, "validation_split"]

NEVER = [True, False, np.True_, float("nan"), float("inf"), "2", b"2", [2], np.ones(2), 2.5, -0.5]
"""No option of a number takes these."""

RELATED: dict[str, dict[str, Any]] = {"max_errors": {"on_error": "skip"}, "validation_split": {"subset": "training"}}


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Return seven images and their labels."""
    return np.zeros((7, 8, 10, 3), np.uint8), np.array([0, 0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize("name", [*INTEGERS, *COUNTS, "validation_split", "shard", "image_size"])
def test_numbers_are_not_guessed(arrays: Any, name: str) -> None:
    """No option takes bools, strings, arrays or NaN; none of a count a float, none of a fraction a negative number."""
    wrong = [*NEVER, *([] if name in FRACTIONS else [0.5, np.float32(2)]), *([] if name == "label_offset" else [-1])]
    for value in wrong:
        for given in ((value, 2), (0, value)) if name in ("shard", "image_size") else (value,):
            with pytest.raises(OptionError, match=name):
                Loader(arrays, **{name: given}, **RELATED.get(name, {}))


@pytest.mark.parametrize("name", ["num_aug", "workers", "batch_size", "prefetch"])
def test_numbers_of_a_text_loader_are_not_guessed(tmp_path: Path, name: str) -> None:
    """As those of a loader of images."""
    (tmp_path / "a.csv").write_text("label,text\n0,one\n1,two\n")
    for value in (*NEVER, 0.5, -1):
        with pytest.raises(OptionError, match=name):
            TextLoader(tmp_path / "a.csv", augment=EDA(), **{name: value})


@pytest.mark.parametrize("name", ["epoch", "step"])
def test_positions_are_not_guessed(arrays: Any, name: str) -> None:
    """An epoch or a step is an integer; `with_keys` is a bool."""
    loader = Loader(arrays, image_size=None)
    for value in (*NEVER, 0.5, -1, None, 2**31):
        with pytest.raises(OptionError, match=f"^{name} must be"):
            loader.dataset(**{name: value})
    with pytest.raises(OptionError, match="with_keys must be True or False, got 'no'"):
        loader.dataset(with_keys="no")  # type: ignore[arg-type]  # as a caller without types


def test_numbers_of_numpy_make_the_same_stream(arrays: Any) -> None:
    """`np.int64(3)` is 3, in the stream and in its fingerprint."""
    plain: dict[str, Any] = {"seed": 3, "limit": 0.5, "batch_size": 2, "image_size": (8, 8), "shard": (0, 1)}
    numpy: dict[str, Any] = {
        "seed": np.int64(3),
        "limit": np.float64(0.5),
        "batch_size": np.uint8(2),
        "image_size": (np.int32(8), 8),
        "shard": (np.int64(0), 1),
    }
    assert Loader(arrays, **numpy).fingerprint == Loader(arrays, **plain).fingerprint
    assert Loader(arrays, **numpy).num_examples == Loader(arrays, **plain).num_examples
    assert len(list(Loader(arrays, image_size=None).dataset(np.int64(1), np.int8(0)))) == 1


def test_a_label_offset_needs_records(arrays: Any, folders: Any, tmp_path: Path) -> None:
    """Labels of arrays, folders and rows are used as they are: an offset that would do nothing is refused."""
    rows = tmp_path / "a.csv"
    rows.write_text("label,text\n0,one\n1,two\n")
    for build, source in ((Loader, arrays), (Loader, folders(a=1)), (TextLoader, rows)):
        with pytest.raises(OptionError, match="label_offset"):
            build(source, label_offset=1)


def test_a_cache_is_named_for_certain(folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that may mean a kind of cache makes no directory of that name; a path does."""
    folder = folders(a=2)
    monkeypatch.chdir(tmp_path)
    for word in ("memory", "RAM", "disk", "auto"):
        with pytest.raises(OptionError, match="looks like a kind of cache"):
            Loader(folder, cache=word)
        with pytest.raises(OptionError, match="looks like a kind of cache"):
            Cache(word)
    assert not (tmp_path / "memory").exists()
    for path in ("./memory", Path("disk"), "cache"):
        Loader(folder, image_size=(8, 8), cache=path).dataset()
        assert Path(path).is_dir()
