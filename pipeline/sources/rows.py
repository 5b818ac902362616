"""A file of labelled texts, one a row, as a source with random access."""

import csv
import mmap
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.sources.base import NO_LABEL, Labels, Sample, digest
from pipeline.sources.row_formats import Column, guess_format, make_format, read_csv

_MANY_CLASSES = 1000
"""More classes than this, and more than half as many as texts, are no classes."""

_CHUNK = 2**26
_BOM = b"\xef\xbb\xbf"


class RowFile:
    """The rows of a text file, found once and read on demand; safe in any number of threads.

    Attributes:
        path: the file.
        kind: one of `FORMATS`.
        format: reads and writes rows.
        header: the first row where it names the columns, else None.
        ignored_files: how many lines were passed over, by reason.

    Args:
        path: the file.
        kind: its format; None tells it by the extension.
        text_column: see `make_format`.
        label_column: see `make_format`.

    Raises:
        SourceError: it cannot be read, holds no row, or has no such column.
    """

    def __init__(
        self,
        path: Path,
        kind: str | None = None,
        text_column: Column | None = None,
        label_column: Column | None = None,
    ) -> None:
        self.path = path
        self.kind = kind or guess_format(path.name)
        self.ignored_files: Counter[str] = Counter()
        try:
            with open(path, "rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise SourceError(f"{path} is empty") from None
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        lines = _find_lines(self._data)
        if self.kind == "csv":
            lines = self._join_records(lines)
        kept = [number for number, (start, end) in enumerate(lines.tolist()) if self._data[start:end].strip()]
        if blank := len(lines) - len(kept):
            self.ignored_files["blank line"] = blank
        if not kept:
            raise SourceError(f"{path} holds nothing but blank lines")
        self._spans, self._numbers = lines[kept], np.array(kept)
        self.format, has_header = make_format(self.kind, self[0], text_column, label_column, str(path))
        self.header = self[0] if has_header else None
        if has_header:
            self._spans, self._numbers = self._spans[1:], self._numbers[1:]
        if not len(self):
            raise SourceError(f"{path} holds nothing but a header")

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, index: int) -> str:
        """Give one row without its line end; bytes that are no UTF-8 stand as surrogate escapes."""
        start, end = self._spans[index].tolist()
        return self._data[start:end].decode("utf-8", "surrogateescape")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the mapped file out: another process, or another machine, maps it again."""
        return {name: value for name, value in self.__dict__.items() if name != "_data"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with open(self.path, "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The bytes of every row, int64 [N]."""
        return self._spans[:, 1] - self._spans[:, 0]

    def key(self, index: int) -> str:
        """Name a row: the file's name, and the number of its line from 1 on (in a CSV file, of its record)."""
        return f"{self.path.name}:{int(self._numbers[index]) + 1}"

    @cached_property
    def fingerprint(self) -> str:
        """Made of the file's name, size and time of modification, and how it is read."""
        status = self.path.stat()
        return digest(("rows", self.path.name, status.st_size, status.st_mtime_ns, self.kind, self.format, self.header))

    def _join_records(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """Join the lines of records that have line ends in them."""
        # A carriage return that is not quoted would end the reading; here only the lines are counted.
        texts = (self._data[start:end].decode("latin-1").replace("\r", " ") for start, end in lines.tolist())
        reader = read_csv(f"{text}\n" for text in texts)
        try:
            ends = [0, *(reader.line_num for _ in reader)]
        except csv.Error as error:
            raise SourceError(f"{self.path}, line {reader.line_num}: {error}") from None
        firsts, lasts = np.array(ends[:-1], int), np.array(ends[1:], int) - 1
        return np.stack([lines[firsts, 0], lines[lasts, 1]], axis=1)


class RowSource:
    """The rows of a file as samples: labels are the classes by name, 0-based.

    Args:
        rows: the file.
        class_names: the classes in the order of their labels, and no others; by default all labels, sorted (numbers as
            numbers).

    Raises:
        OptionError: a class that was asked for labels no row.
        SourceError: there are so many different labels that they can be none.
    """

    def __init__(self, rows: RowFile, class_names: Sequence[str] | None = None) -> None:
        self.rows = rows
        self.ignored_files = rows.ignored_files
        names = [_read_label(rows, index) for index in range(len(rows))]
        found = {name for name in names if name is not None}
        if unknown := sorted(set(class_names or ()) - found):
            raise OptionError(f"class_names asks for {unknown}, but {rows.path} has the labels {sorted(found)[:20]}")
        if class_names is None and len(found) > max(_MANY_CLASSES, len(rows) // 2):
            raise SourceError(
                f"{rows.path} has {len(found)} different labels in {len(rows)} rows: is it really {rows.kind!r}? "
                "give its format, TextFormat(text_column=, label_column=), or class_names"
            )
        self.class_names = tuple(class_names) if class_names is not None else tuple(sorted(found, key=_sort_key))
        numbers = {name: number for number, name in enumerate(self.class_names)}
        kept = [index for index, name in enumerate(names) if name is None or name in numbers]
        self._kept = np.array(kept, np.int64)
        self._labels = np.array([numbers.get(names[index] or "", NO_LABEL) for index in kept], np.int64)

    def __len__(self) -> int:
        return len(self._kept)

    @cached_property
    def fingerprint(self) -> str:
        """Made of the file's name, size and time of modification, how it is read, and the classes."""
        return digest((self.rows.fingerprint, self.class_names))

    def labels(self) -> Labels:
        """Give the class of every sample, int64 [N], `NO_LABEL` where a row has none of the classes."""
        return self._labels

    def sizes(self) -> Labels:
        """Give the bytes of every row, int64 [N]."""
        return self.rows.sizes[self._kept]

    def peek(self, index: int) -> Sample:
        """Give the sample's key and label."""
        return Sample(self.rows.key(int(self._kept[index])), int(self._labels[index]))

    def read(self, index: int) -> Sample:
        """Read one row: the bytes of its text.

        Raises:
            ReadError: the row has no text.
        """
        row = int(self._kept[index])
        try:
            text = self.rows.format.text(self.rows[row])
        except ValueError as error:
            raise ReadError(self.rows.key(row), str(error)) from None
        return Sample(self.rows.key(row), int(self._labels[index]), to_bytes(text))


def _find_lines(data: mmap.mmap) -> NDArray[np.int64]:
    """Find the lines: int64 [N, 2], where each begins and ends, without line ends and byte order mark."""
    breaks = np.concatenate(
        [
            start + np.flatnonzero(np.frombuffer(data[start : start + _CHUNK], np.uint8) == ord("\n"))
            for start in range(0, len(data), _CHUNK)
        ]
    )
    starts = np.concatenate([[len(_BOM) if data[: len(_BOM)] == _BOM else 0], breaks + 1])
    ends = np.concatenate([breaks, [len(data)]])
    if starts[-1] >= len(data):
        starts, ends = starts[:-1], ends[:-1]
    carriage = np.fromiter((data[end - 1] == ord("\r") for end in ends.tolist()), bool, len(ends)) & (ends > starts)
    return np.stack([starts, ends - carriage], axis=1)


def to_bytes(text: str) -> bytes:
    """Give the bytes that a row's text was read from, UTF-8 or not."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # JSON can spell half of a pair of surrogates, which is no character
        return text.encode("utf-8", "replace")


def _read_label(rows: RowFile, index: int) -> str | None:
    try:
        return rows.format.label(rows[index])
    except ValueError:
        return None  # reading the sample itself will say so


def _sort_key(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
