"""Tests of reading many files in one call of the native module: as they were listed, or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest

from augment.plan.native import import_native

native, reason = import_native()
pytestmark = pytest.mark.skipif(native is None, reason=f"the native module is not in use: {reason}")


def write(path: Path, contents: bytes) -> tuple[bytes, int, int]:
    """Write a file, and return its listing."""
    path.write_bytes(contents)
    status = path.stat()
    return os.fsencode(path), status.st_size, status.st_mtime_ns


def test_files_are_read_in_order(tmp_path: Path) -> None:
    """Empty, small and large ones, through links and by names that are not UTF-8."""
    contents = [b"", b"a", bytes(range(256)) * 10_000]
    listing = [write(tmp_path / f"{number}\udcff", each) for number, each in enumerate(contents)]
    (tmp_path / "link").symlink_to(tmp_path / "2\udcff")
    listing.append((os.fsencode(tmp_path / "link"), *listing[2][1:]))
    assert native.read_files(listing) == [*contents, contents[2]]
    assert native.read_files([]) == []


def test_what_is_not_as_it_was_listed_is_not_read(tmp_path: Path) -> None:
    """Its neighbors are: grown, cut, touched, removed, or replaced by a folder or a pipe."""
    names = ("whole", "grown", "cut", "touched", "removed", "folder", "pipe", "end")
    listing = [write(tmp_path / name, b"contents") for name in names]
    (tmp_path / "grown").write_bytes(b"contents and more")
    (tmp_path / "cut").write_bytes(b"cont")
    os.utime(tmp_path / "touched", ns=(1, 1))
    for name in ("removed", "folder", "pipe"):
        (tmp_path / name).unlink()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert native.read_files(listing) == [b"contents", *[None] * 6, b"contents"]


@pytest.mark.parametrize(
    ("listing", "error"),
    [
        (None, TypeError),
        ([None], TypeError),
        ([()], TypeError),
        ([("text", 1, 1)], TypeError),
        ([(b"path", "1", 1)], TypeError),
        ([(b"path", 1.5, 1)], TypeError),
        ([(b"path", -1, 1)], ValueError),
        ([(b"a\0b", 1, 1)], ValueError),
        ([(b"path", 2**70, 1)], OverflowError),
        ([(b"path", 1, 2**70)], OverflowError),
        ([(b"path", 2**62, 1)], MemoryError),
        ([(b"path", 1, 1), (b"path", -1, 1)], ValueError),
    ],
)
def test_what_is_no_listing_is_refused(listing: Any, error: type[Exception]) -> None:
    """By an exception of Python, and nothing is read."""
    with pytest.raises(error):
        native.read_files(listing)
