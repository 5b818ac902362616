"""A list of files as a source of samples."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pipeline.errors import ReadError
from pipeline.sources.base import Labels, Sample, digest


class FileSource:
    """Files that were listed elsewhere.

    Args:
        root: the directory to which the keys are relative.
        keys: the files' paths.
        labels: one a file; None for their numbers.
        class_names: in the order of the labels.
        max_bytes: files that are larger are bad samples: they are never read.
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
        """Made of the paths, sizes and times of modification."""
        status = [os.stat(os.path.join(self._root, key)) for key in self._keys]
        return digest(
            ("files", *((key, one.st_size, one.st_mtime_ns) for key, one in zip(self._keys, status, strict=True)))
        )

    def labels(self) -> Labels:
        """Give the label of every sample, int64 [N]."""
        return self._labels

    def sizes(self) -> Labels:
        """Give the bytes of every file, int64 [N]."""
        return np.array([os.path.getsize(os.path.join(self._root, key)) for key in self._keys], np.int64)

    def peek(self, index: int) -> Sample:
        """Give the sample's key and label; nothing is read."""
        return Sample(self._keys[index], int(self._labels[index]))

    def read(self, index: int) -> Sample:
        """Read one file.

        Raises:
            ReadError: it cannot be read, or is too large.
        """
        key = self._keys[index]
        try:
            with open(os.path.join(self._root, key), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if self._max_bytes is not None and size > self._max_bytes:
                    raise ReadError(key, f"the file has {size} bytes, more than an image of max_pixels could need")
                encoded = file.read()
        except OSError as error:
            raise ReadError(key, f"cannot be read: {error.strerror}") from None
        return Sample(key, int(self._labels[index]), encoded)
