"""Tests of looking at a dataset."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import pipeline
from pipeline.error_log import BadSample


def test_classes_formats_sizes_and_bad_files_are_reported(
    folders: Callable[..., Path], encode: Callable[..., bytes], picture: Callable[..., np.ndarray]
) -> None:
    """What is there is counted, what cannot be read is named, what is not an image is ignored and counted."""
    root = folders(ants=3, bees=1)
    (root / "empty").mkdir()
    (root / "bees" / "large.jpg").write_bytes(encode(picture(9, 50, 40), ".jpg"))
    (root / "bees" / "page.jpg").write_bytes(b"<html>")
    (root / "bees" / "notes.txt").write_text("hello")
    found = pipeline.inspect(root)
    assert found.num_examples == 6
    assert found.classes == {"ants": 3, "bees": 3, "empty": 0}
    assert found.formats == {"png": 4, "jpeg": 1}
    assert found.sizes == ((8, 10), (8, 10), (50, 40))
    reason = "no JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>'"
    assert found.unreadable == (BadSample("bees/page.jpg", "decode", reason),)
    assert found.ignored_files == {"not an image: .txt": 1}


def test_only_decoding_finds_damaged_pixels(folders: Callable[..., Path]) -> None:
    """A file that is cut off behind its header is bad where `decode` is asked for, and only there."""
    root = folders(ants=2, height=30, width=30)
    cut = root / "ants" / "1.png"
    cut.write_bytes(cut.read_bytes()[:-100])
    assert pipeline.inspect(root).unreadable == ()
    assert [row.sample for row in pipeline.inspect(root, decode=True).unreadable] == ["ants/1.png"]


def test_arrays_and_records_are_inspected_too(folders: Callable[..., Path], records: Callable[..., Path]) -> None:
    """Every kind of source can be looked at."""
    assert pipeline.inspect((np.zeros((3, 5, 4, 1), np.uint8), [0, 0, 1])).formats == {"pixels": 3}
    assert pipeline.inspect(records(folders(ants=2, bees=1))).classes == {"ants": 2, "bees": 1}
