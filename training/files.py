"""Atomic replacement of files, and locks between processes."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path; at the end of the block it replaces `path` in one step.

    The temporary name keeps the extension, by which libraries choose the format. After an error `path` is unchanged.
    """
    partial = path.with_name(f".partial-{path.name}")
    partial.unlink(missing_ok=True)  # a link in its place would be followed
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock during the block. The operating system releases the lock of a process that dies.

    Args:
        path: the file to lock; it is not removed.
        wait: whether to wait for other processes.

    Raises:
        BlockingIOError: another process holds the lock, and `wait` is false.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
