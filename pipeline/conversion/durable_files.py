"""Writing files so that a killed process leaves each of them absent or complete.

A file is written under a temporary name, flushed to the disk, and renamed; `rename` is atomic. Every step is one call
of `os`, so that a test can kill the process at each.
"""

import ctypes
import errno
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import google_crc32c

from pipeline.errors import ConvertError

_LIBC = ctypes.CDLL(None, use_errno=True)
_log = logging.getLogger(__name__)

_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100  # fcntl.h
_BLOCK = 1 << 20


def write_durably(path: Path, data: bytes, scratch: Path) -> None:
    """Create or replace a file in one step.

    Args:
        path: the file.
        data: its contents.
        scratch: a folder on the same file system, for the temporary file.
    """
    temporary = make_temporary_name(path, scratch)
    with DurableFile(temporary) as output:
        output.write(data)
    os.rename(temporary, path)


def make_temporary_name(path: Path, scratch: Path) -> Path:
    """Return a name that no other process uses."""
    return scratch / f"{path.name[:200]}.{secrets.token_hex(8)}"


class DurableFile:
    """A new file that is on the disk when its block ends, and removed if the block fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> "DurableFile":
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                os.fsync(self._descriptor)
        except BaseException:
            os.unlink(self._path)
            raise
        finally:
            os.close(self._descriptor)
        if kind is not None:
            os.unlink(self._path)

    def write(self, data: bytes) -> None:
        """Write all of the data; one system call may write less."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def compute_checksum(path: Path) -> int:
    """Compute the CRC-32C of a file."""
    crc = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            crc = google_crc32c.extend(crc, block)
    return crc


def read_back(path: Path, crc: int) -> None:
    """Compare a file's checksum with that of the written bytes.

    Raises:
        ConvertError: the bytes differ.
    """
    if compute_checksum(path) != crc:
        raise ConvertError(f"{path} differs from what was written; check the disk and the memory")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    _call_on_folder(folder, os.fsync)


def sync_file_system(folder: Path) -> None:
    """Flush all files of a folder's file system: for many files this is faster than one by one."""
    _call_on_folder(folder, _syncfs)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step.

    Returns:
        Whether the file system supports it; NFS does not.
    """
    paths = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
    return _renameat2(*paths, _RENAME_EXCHANGE) == 0


def rename_new(old: Path, new: Path) -> bool:
    """Rename a folder in one step, unless the new name exists.

    Returns:
        Whether the name did not exist. A file system without this step (NFS) checks first, and then renames.
    """
    paths = _AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new)
    if _renameat2(*paths, _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number == errno.EEXIST:
        return False
    if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        raise OSError(number, os.strerror(number), str(new))
    _log.info("%s: this file system cannot rename without replacing; checked that the name is free", new)
    if os.path.lexists(new):
        return False
    os.rename(old, new)
    return True


def _renameat2(old_folder: int, old: bytes, new_folder: int, new: bytes, flags: int) -> int:
    return int(_LIBC.renameat2(old_folder, old, new_folder, new, ctypes.c_uint(flags)))


def _call_on_folder(folder: Path, act: Callable[[int], None]) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    if _LIBC.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
