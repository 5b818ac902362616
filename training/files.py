"""Files that are whole or absent, and locks between processes."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Give a path to write to; at the end of the block it takes the place of `path`, in one step.

    The name keeps its endings, since libraries tell formats by them. After an error nothing has changed.
    """
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes out for the length of the block. The lock of a process that dies is open again.

    Args:
        path: the file to lock; it stays.
        wait: whether to wait for others.

    Raises:
        BlockingIOError: another has the lock, and `wait` is false.
    """
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
