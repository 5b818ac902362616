"""Opening files: only regular ones, at once, and as they were listed."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.regular_files import (
    ChangedError,
    NotRegularError,
    TooLargeError,
    open_regular_file,
    read_listed_file,
    read_range,
    read_regular_file,
    read_version,
)


def bind_socket(path: Path) -> None:
    """Create a socket file."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


SPECIAL: dict[str, Callable[[Path], None]] = {
    "a named pipe (FIFO)": os.mkfifo,
    "a socket": bind_socket,
    "a folder": Path.mkdir,
    "a character device": lambda path: path.symlink_to("/dev/zero"),
}
"""What can have the name of a file, and how to create it."""


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    """Interrupt a test that waits."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.mark.parametrize("kind", SPECIAL)
def test_anything_else_is_named_at_once(tmp_path: Path, kind: str) -> None:
    """Pipes, sockets, folders and devices are neither waited for nor read; no descriptor stays open."""
    path = tmp_path / "a"
    SPECIAL[kind](path)
    before = len(os.listdir("/proc/self/fd"))
    for read in (open_regular_file, read_regular_file, read_version):
        with pytest.raises(NotRegularError) as caught:
            read(path)
        assert caught.value.strerror == f"it is {kind}, not a regular file"
        assert caught.value.filename == str(path)
    with pytest.raises(ChangedError) as changed:
        read_listed_file(path, 3, 0)
    assert changed.value.strerror == f"changed since it was listed: it is {kind}, not a regular file"
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    """Also behind a link."""
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("link", "none"):
        for read in (open_regular_file, read_regular_file, lambda path: read_listed_file(path, 3, 0)):
            with pytest.raises(FileNotFoundError):
                read(tmp_path / name)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """One with holes has any size and needs no disk."""
    path = tmp_path / "a"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(TooLargeError, match=r"it has 1,099,511,627,776 bytes, more than 1,000"):
        read_regular_file(path, 1000)
    with pytest.raises(ChangedError, match="changed since it was listed"):
        read_listed_file(path, 10, os.stat(path).st_mtime_ns)
    os.truncate(path, 1000)
    assert read_regular_file(path, 1000) == bytes(1000)


@given(
    content=st.binary(max_size=40),
    other=st.binary(max_size=40),
    touch=st.integers(-1, 1),
    rename=st.booleans(),
)
def test_a_listed_file_is_the_listed_one_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, other: bytes, touch: int, rename: bool
) -> None:
    """Written again in place or under its name: equal size and time mean the listed version, all else a change."""
    path = tmp_path_factory.mktemp("listed") / "a"
    path.write_bytes(content)
    listed = read_version(path)
    assert read_listed_file(path, *listed) == content
    held = open_regular_file(path)
    written = path.with_name("b") if rename else path
    written.write_bytes(other)
    os.utime(written, ns=(0, listed.modified_ns + touch))
    if rename:
        written.rename(path)
    is_same = touch == 0 and len(content) == len(other)
    try:
        assert read_listed_file(path, *listed) == other
        assert is_same
    except ChangedError:
        assert not is_same
    try:
        begin, end = len(content) // 3, len(content)
        assert read_range(path, held, begin, end, listed) == (content if rename else other)[begin:]
        assert is_same or rename  # what is open keeps its bytes when its name is taken
    except ChangedError:
        assert not is_same
        assert not rename
    finally:
        os.close(held)
