"""A file that grows in chunks, and can be resumed: a partial file and a journal beside the destination.

Each line of the journal describes a chunk, with the digest of its bytes. A line begins with a digest of itself and of
all lines before it. So whatever is damaged, a job resumes before it. The journal's first line names the job, and shows
that both files are this program's: nothing else is overwritten, and links are not followed.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from augment.regular_files import describe_kind
from pipeline.conversion.durable_files import rename_new
from pipeline.errors import ConvertError
from pipeline.records.manifest import hash_file

_DIGEST = 64
"""Hexadecimal digits of a SHA-256."""

_BLOCK = 2**20
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Journal:
    """The journal of a job that writes a file, and the partial file; one process at a time has it open.

    Attributes:
        entries: what `append` got for each finished chunk, those of earlier runs of the job included.

    Args:
        target: the destination.
        job: names the job: another job starts from the beginning.

    Raises:
        ConvertError: another process writes the destination, or a file beside it is not this program's.
        OSError: a file cannot be read or written.
    """

    def __init__(self, target: Path, job: str) -> None:
        self.entries: list[dict[str, Any]] = []
        self._target = target
        self._partial_path = target.with_name(f".{target.name}.partial")
        self._path = target.with_name(f".{target.name}.journal")
        self._whole = hashlib.sha256()
        self._last = ""  # digest of the last line
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            self._file = _open_own(self._path)
            stack.callback(os.close, self._file)
            self._lock()
            has_started = self._check_own()
            try:
                self._partial = _open_own(self._partial_path)
                stack.callback(os.close, self._partial)
                if not has_started and os.fstat(self._partial).st_size:
                    raise ConvertError(_describe_foreign(self._partial_path))
            except ConvertError:
                if not has_started:
                    os.unlink(self._path)
                raise
            self._resume({"job": job})
            self._close = stack.pop_all()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        with self._close:
            if not self.entries:  # nothing to resume
                self._partial_path.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)

    def append(self, chunk: bytes, entry: dict[str, Any]) -> None:
        """Write a chunk, and then its line."""
        _write(self._partial, chunk)
        self._whole.update(chunk)
        line, self._last = _encode_line(self._last, {"digest": _hash(chunk), "bytes": len(chunk), "entry": entry})
        _write(self._file, line)
        self.entries.append(entry)

    def publish(self, *, overwrite: bool) -> str:
        """Rename the partial file to the destination, remove the journal, and return the file's SHA-256.

        Raises:
            ConvertError: the file differs from what was written, or the destination exists, and `overwrite` is false.
        """
        os.fsync(self._partial)
        if hash_file(self._partial_path) != self._whole.hexdigest():
            raise ConvertError(f"{self._partial_path} differs from what was written; check the disk and the memory")
        if overwrite:
            os.replace(self._partial_path, self._target)
        elif not rename_new(self._partial_path, self._target):
            raise ConvertError(f"{self._target} exists; use overwrite to replace it")
        os.unlink(self._path)
        return self._whole.hexdigest()

    def _lock(self) -> None:
        """Lock the journal; the lock ends with the process, however that ends."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConvertError(f"{self._target} is being written by another process; wait for it to end") from None
        if not os.fstat(self._file).st_nlink:  # that process just ended, and removed the file that is locked here
            raise ConvertError(f"{self._target} was just written by another process; run again")

    def _check_own(self) -> bool:
        """Return whether the journal has its first line; an empty one is new.

        Raises:
            ConvertError: it is another file.
        """
        with open(self._file, "rb", closefd=False) as file:
            first = file.readline(_BLOCK)
        if first and (_decode_line("", first) or {}).keys() != {"job"}:
            raise ConvertError(_describe_foreign(self._path))
        return bool(first)

    def _resume(self, header: dict[str, str]) -> None:
        """Go to the end of the last whole chunk; start from the beginning if this is another job."""
        first, self._last = _encode_line("", header)
        position = length = 0
        with (
            open(self._file, "rb", closefd=False) as lines,
            open(self._partial, "rb", closefd=False) as partial,
        ):
            lines.seek(0)
            if lines.readline(_BLOCK) == first:
                position = len(first)
                for line, values in _iter_lines(lines, self._last):
                    chunk = partial.read(values["bytes"])
                    if _hash(chunk) != values["digest"]:
                        break
                    self._whole.update(chunk)
                    self.entries.append(values["entry"])
                    self._last = line[:_DIGEST].decode()
                    position, length = position + len(line), length + len(chunk)
        _truncate(self._partial, length)  # first: without a journal, a partial file would be another program's
        _truncate(self._file, position)
        if not position:
            _write(self._file, first)
            os.fsync(self._file)


def _iter_lines(lines: Any, last: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield the whole lines behind the first, and what they say."""
    for line in lines:
        values = _decode_line(last, line)
        if values is None:
            return
        last = line[:_DIGEST].decode()
        yield line, values


def _encode_line(last: str, values: dict[str, Any]) -> tuple[bytes, str]:
    """Encode a line of a journal, given the digest of the line before it; return it with its own digest."""
    text = json.dumps(values)
    digest = _hash(f"{last} {text}".encode())
    return f"{digest} {text}\n".encode(), digest


def _decode_line(last: str, line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it is damaged, or does not follow the line before it."""
    digest, text = line[:_DIGEST], line[_DIGEST + 1 : -1]
    if not line.endswith(b"\n") or _hash(last.encode() + b" " + text).encode() != digest:
        return None
    return dict(json.loads(text))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _open_own(path: Path) -> int:
    """Open or create a file of this program beside the destination.

    Raises:
        ConvertError: it is a link, has other names, or is not a regular file.
    """
    try:
        descriptor = os.open(path, _FLAGS, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise ConvertError(_describe_foreign(path)) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise ConvertError(_describe_foreign(path))
    return descriptor


def _describe_foreign(path: Path) -> str:
    mode = os.lstat(path).st_mode
    what = "a link" if stat.S_ISLNK(mode) else "another program's" if stat.S_ISREG(mode) else describe_kind(mode)
    return f"{path} is {what}, or damaged; remove it, or choose another destination"


def _truncate(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size)
    os.lseek(descriptor, size, os.SEEK_SET)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
