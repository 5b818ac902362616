"""A source of listed files."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from augment.regular_files import open_regular_file
from pipeline.errors import ReadError
from pipeline.sources.base import Labels, Sample, digest


class FileSource:
    """A source of files from a given list.

    Args:
        root: directory that the keys are relative to.
        keys: paths of the files.
        labels: one label per file; None for the files' indices.
        class_names: class names in the order of their labels.
        max_bytes: maximum size of a file in bytes; larger files are bad samples and are not read.
    """

    def __init__(
        self,
        root: str,
        keys: Sequence[str],
        labels: Sequence[int] | None = None,
        class_names: Sequence[str] = (),
        max_bytes: int | None = None,
    ) -> None:
        self.class_names = tuple(class_names)
        self.ignored_files: Counter[str] = Counter()
        self._root = root
        self._keys = list(keys)
        self._labels = np.arange(len(keys)) if labels is None else np.array(labels, np.int64)
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._keys)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the paths, sizes and modification times."""
        status = [os.stat(os.path.join(self._root, key)) for key in self._keys]
        return digest(
            ("files", *((key, stat.st_size, stat.st_mtime_ns) for key, stat in zip(self._keys, status, strict=True)))
        )

    def labels(self) -> Labels:
        """Return the label of every sample, int64 [N]."""
        return self._labels

    def sizes(self) -> Labels:
        """Return the size of every file in bytes, int64 [N]."""
        return np.array([os.path.getsize(os.path.join(self._root, key)) for key in self._keys], np.int64)

    def peek(self, index: int) -> Sample:
        """Return the sample's key and label without reading the file."""
        return Sample(self._keys[index], int(self._labels[index]))

    def read(self, index: int) -> Sample:
        """Read one file.

        Raises:
            ReadError: it cannot be read, or is too large.
        """
        key = self._keys[index]
        try:
            with open(open_regular_file(os.path.join(self._root, key)), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if self._max_bytes is not None and size > self._max_bytes:
                    raise ReadError(
                        key, f"the file has {size:,} bytes; files above {self._max_bytes:,} bytes are not read"
                    )
                encoded = file.read()
        except OSError as error:
            raise ReadError(key, f"cannot be read: {error.strerror}") from None
        return Sample(key, int(self._labels[index]), encoded)
