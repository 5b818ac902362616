"""Reading regular files only, and noticing that a file has changed.

A named pipe waits for a writer, and a device may never end: a path is opened without waiting, and is read only if a
regular file was opened. Every file that a user names or a directory lists is opened here.
"""

import errno
import os
import stat
from os import PathLike
from typing import NamedTuple

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


class NotRegularError(OSError):
    """A path names something else than a regular file; `strerror` says what."""

    def __init__(self, mode: int, path: str | PathLike[str]) -> None:
        super().__init__(errno.EINVAL, f"it is {describe_kind(mode)}, not a regular file", os.fspath(path))


class ChangedError(OSError):
    """A file is not the one that was listed."""

    def __init__(self, path: str | PathLike[str], reason: str = "") -> None:
        message = "changed since it was listed" + (f": {reason}" if reason else "")
        super().__init__(errno.ESTALE, message, os.fspath(path))


class TooLargeError(OSError):
    """A file has more bytes than allowed.

    Attributes:
        nbytes: its size.
    """

    def __init__(self, path: str | PathLike[str], nbytes: int, most: int) -> None:
        super().__init__(errno.EFBIG, f"it has {nbytes:,} bytes, more than {most:,}", os.fspath(path))
        self.nbytes = nbytes


class FileVersion(NamedTuple):
    """What tells the versions of a file apart.

    Attributes:
        size: in bytes.
        modified_ns: time of its last modification.
    """

    size: int
    modified_ns: int


def describe_kind(mode: int) -> str:
    """Name what is not a regular file, with its article, by its `st_mode`."""
    return next((name for has_kind, name in _KINDS if has_kind(mode)), "a special file")


def open_regular_file(path: str | PathLike[str], flags: int = 0) -> int:
    """Open a regular file for reading, without waiting; links are followed.

    Args:
        path: the file.
        flags: more flags of `os.open`.

    Returns:
        A file descriptor.

    Raises:
        NotRegularError: the path names something else.
        OSError: it cannot be opened.
    """
    return _open(path, flags)[0]


def read_version(path: str | PathLike[str]) -> FileVersion:
    """Return the version of a regular file, without opening it; links are followed.

    Raises:
        NotRegularError: the path names something else.
        OSError: there is none.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(status.st_mode, path)
    return FileVersion(status.st_size, status.st_mtime_ns)


def get_version(descriptor: int) -> FileVersion:
    """Return the version of an open file."""
    status = os.fstat(descriptor)
    return FileVersion(status.st_size, status.st_mtime_ns)


def read_regular_file(path: str | PathLike[str], max_bytes: int | None = None) -> bytes:
    """Read a regular file.

    Args:
        path: the file.
        max_bytes: a larger file is not read.

    Raises:
        NotRegularError: the path names something else.
        TooLargeError: it is larger.
        OSError: it cannot be read.
    """
    descriptor, status = _open(path)
    with open(descriptor, "rb") as file:
        if max_bytes is None:
            return file.read()
        if status.st_size > max_bytes:
            raise TooLargeError(path, status.st_size, max_bytes)
        return file.read(max_bytes)


def read_listed_file(path: str | PathLike[str], size: int, modified_ns: int) -> bytes:
    """Read a file as it was listed; a small one takes four system calls.

    Args:
        path: the file.
        size: its size in bytes when it was listed: no more is read.
        modified_ns: the time of its last modification then.

    Raises:
        ChangedError: it has changed since, or something else has taken its place.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            contents = os.read(descriptor, size + 1)
            status = os.fstat(descriptor)  # of what was read: a change before or within the read shows
            is_listed = status.st_size == size and status.st_mtime_ns == modified_ns and stat.S_ISREG(status.st_mode)
            if is_listed and len(contents) < size:  # one call returns 2 GiB at most
                return read_range(path, descriptor, 0, size, FileVersion(size, modified_ns))
        finally:
            os.close(descriptor)
    except OSError as error:
        if not isinstance(error, ChangedError):
            _check_not_replaced(path)
        raise
    if not is_listed or len(contents) != size:
        _check_not_replaced(path)
        raise ChangedError(path)
    return contents


def read_range(path: str | PathLike[str], descriptor: int, begin: int, end: int, version: FileVersion) -> bytes:
    """Read a range of the bytes of an open file; safe in any number of threads.

    Raises:
        ChangedError: the file does not have that version any more.
        OSError: it cannot be read.
    """
    contents = os.pread(descriptor, end - begin, begin)
    while 0 < len(contents) < end - begin and (
        more := os.pread(descriptor, end - begin - len(contents), begin + len(contents))
    ):
        contents += more  # one call returns 2 GiB at most
    status = os.fstat(descriptor)  # of what was read: a change before or within the read shows
    if len(contents) != end - begin or (status.st_size, status.st_mtime_ns) != version:
        raise ChangedError(path)
    return contents


def _check_not_replaced(path: str | PathLike[str]) -> None:
    """Check that a listed path still names a regular file, or nothing."""
    try:
        read_version(path)
    except NotRegularError as error:
        raise ChangedError(path, str(error.strerror)) from None
    except OSError:
        pass  # the caller's error says more


def _open(path: str | PathLike[str], flags: int = 0) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, _FLAGS | flags)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device without a driver
            read_version(path)
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotRegularError(status.st_mode, path)
    return descriptor, status
