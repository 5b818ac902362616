"""The bytes of a file that stays open."""

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.regular_files import open_regular_file, read_range, read_version

_BLOCK = 2**20


class FileBytes:
    """The bytes of a regular file, read on demand; safe in any number of threads.

    They are read, and not mapped: reading a mapped file that has become shorter would end the process. A copy in
    another process, or on another machine, opens the file again.

    Args:
        path: the file.

    Raises:
        NotRegularError: it is not a regular file.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = read_version(path)
        self._file: _OpenFile | None = _OpenFile(path)

    def __len__(self) -> int:
        return self.version.size

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`.

        Raises:
            ChangedError: the file has changed since it was opened for the first time.
            OSError: it cannot be read.
        """
        file = self._file
        if file is None:
            file = self._file = _OpenFile(self.path)
        return read_range(self.path, file.descriptor, start, end, self.version)

    def iter_spans(self, spans: NDArray[np.int64]) -> Iterator[bytes]:
        """Yield the bytes of ascending spans, int64 [N, 2], where each begins and ends; reads large blocks.

        Raises:
            ChangedError: the file has changed since it was opened for the first time.
            OSError: it cannot be read.
        """
        block, first = b"", 0
        for start, end in spans.tolist():
            if start < first or end > first + len(block):
                block, first = self.read(start, max(end, min(start + _BLOCK, len(self)))), start
            yield block[start - first : end - first]


class _OpenFile:
    """A file descriptor that is closed with this object."""

    def __init__(self, path: Path) -> None:
        self.descriptor = open_regular_file(path)
        weakref.finalize(self, os.close, self.descriptor).atexit = False
