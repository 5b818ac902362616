"""A file of labeled texts, one per row, as a source with random access."""

import csv
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.sources.base import (
    NO_LABEL,
    Labels,
    Sample,
    digest,
    make_read_error,
    raise_source_errors,
    warn_once,
)
from pipeline.sources.file_bytes import FileBytes
from pipeline.sources.not_text import describe_binary, describe_document
from pipeline.sources.text_format import TextFormat
from pipeline.sources.text_row_formats import (
    TABLES,
    JsonRow,
    check_first_row,
    check_no_table,
    guess_format,
    is_json_object,
    make_format,
    read_csv,
)

_log = logging.getLogger(__name__)

_MANY_CLASSES = 1000
"""More classes than this, and more than half as many as texts, are not classes."""

_FIRST_ROWS = 10_000
"""Number of rows that decide which columns a table has."""

_SHOWN_ROWS = 20
"""Number of rows that show whether a file of an unknown format is a table."""

_HEAD = 4096
"""Number of bytes that are searched for signs of binary data."""

MAX_TEXT_BYTES = 2**28
"""A longer text is not read."""

_CHUNK = 2**26
_BOM = b"\xef\xbb\xbf"


class RowFile:
    """The rows of a text file, found once and read on demand; safe in any number of threads.

    Attributes:
        path: the file.
        kind: one of `FORMATS`.
        format: reads and writes rows.
        header: the first row where it names the columns, else None.
        label_fault: why it is not certain which column holds the label, and what to do; "" if it is.
        ignored_files: number of ignored lines, by reason.

    Args:
        path: the file.
        text_format: its format, delimiter and columns.

    Raises:
        SourceError: it cannot be read, is not a regular file, is not text, has no row or no such column, or it is not
            certain which column holds the text.
        OptionError: the format has no delimiter.
    """

    def __init__(self, path: Path, text_format: TextFormat | None = None) -> None:
        self.path = path
        self.ignored_files: Counter[str] = Counter()
        with raise_source_errors(path):
            self._data = FileBytes(path)
            self._read(text_format or TextFormat())

    def _read(self, text_format: TextFormat) -> None:
        """Find the rows, their format, and the header."""
        path = self.path
        if not len(self._data):
            raise SourceError(f"{path} is empty")
        self._head = self._data.read(0, min(_HEAD, len(self._data)))
        if fault := describe_binary(self._head):
            raise SourceError(f"{path} {fault}")
        self.kind = self._choose_kind(text_format)
        delimiter = text_format.delimiter or TABLES.get(self.kind, "")
        lines = _find_lines(self._data, splits_at_cr=self.kind == "csv")
        self._check_lengths(lines)
        if self.kind == "csv":
            lines = self._join_records(lines, delimiter)
        blank = _WHITE_SPACE.replace(delimiter.encode() or b"\n", b"")  # a row of delimiters is not blank
        kept = [number for number, line in enumerate(self._data.iter_spans(lines)) if line.strip(blank)]
        if count := len(lines) - len(kept):
            self.ignored_files["blank line"] = count
        if not kept:
            raise SourceError(f"{path} contains only blank lines")
        self._spans, self._numbers = lines[kept], np.array(kept)
        first_rows = list(islice(self, _FIRST_ROWS if self.kind in TABLES else 1))
        self.format, has_header, self.label_fault = make_format(
            self.kind, first_rows, text_format.text_column, text_format.label_column, delimiter, str(path)
        )
        given = text_format.format, text_format.text_column, text_format.label_column
        if self.kind == "label text" and given == (None, None, None):
            check_no_table(list(islice(self, _SHOWN_ROWS)), str(path))
        self.header = first_rows[0] if has_header else None
        if has_header:
            self._spans, self._numbers = self._spans[1:], self._numbers[1:]
        if not len(self):
            raise SourceError(f"{path} contains only a header")

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, index: int) -> str:
        """Return one row without its line end; bytes that are not UTF-8 are surrogate escapes.

        Raises:
            OSError: the file cannot be read, or has changed since it was opened.
        """
        start, end = self._spans[index].tolist()
        return _decode(self._data.read(start, end))

    def __iter__(self) -> Iterator[str]:
        """Yield all rows, faster than one by one.

        Raises:
            OSError: the file cannot be read, or has changed since it was opened.
        """
        return map(_decode, self._data.iter_spans(self._spans))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of bytes of every row, int64 [N]."""
        return self._spans[:, 1] - self._spans[:, 0]

    def key(self, index: int) -> str:
        """Return a row's key: the file's name, and the number of its line from 1 (in a CSV file, of its record)."""
        return f"{self.path.name}:{int(self._numbers[index]) + 1}"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the file's name, size, modification time and format."""
        return digest(("rows", self.path.name, *self._data.version, self.kind, self.format, self.header))

    def _choose_kind(self, text_format: TextFormat) -> str:
        """Return the given format, or that of the extension, or the one that the first line shows."""
        kind = text_format.format or guess_format(self.path.name)
        if text_format.delimiter is not None:
            if kind not in (None, *TABLES):
                raise OptionError(
                    f"delimiter applies to CSV and TSV, but {self.path} is read as {kind!r}; drop delimiter"
                )
            return kind or "csv"
        if kind not in (None, "jsonl"):
            return kind
        head = self._head.removeprefix(_BOM)
        first = head.lstrip().splitlines()[0].decode("utf-8", "replace") if head.strip() else ""
        if fault := describe_document(head, first):
            raise SourceError(f"{self.path} {fault}")
        if kind is not None or self._starts_with_object():
            return "jsonl"
        if text_format.text_column is None and text_format.label_column is None:
            check_first_row(first, str(self.path))
        return "label text"

    def _starts_with_object(self) -> bool:
        first = _find_lines(self._data, splits_at_cr=False)[:1]
        self._check_lengths(first)
        line = b"".join(self._data.iter_spans(first))
        return line.lstrip().startswith(b"{") and is_json_object(line.decode("utf-8", "replace"))

    def _check_lengths(self, lines: NDArray[np.int64]) -> None:
        """Refuse a file with a line that is too long for a text, before it is read."""
        lengths = lines[:, 1] - lines[:, 0]
        if (lengths > MAX_TEXT_BYTES).any():
            number = int(lengths.argmax())
            raise SourceError(
                f"{self.path}, line {number + 1}, has {lengths[number]:,} bytes; texts have at most "
                f"{MAX_TEXT_BYTES:,} bytes; split it"
            )

    def _join_records(self, lines: NDArray[np.int64], delimiter: str) -> NDArray[np.int64]:
        """Join the lines of records that have line ends in them."""
        # Lines are split at every CR and LF, and only counted here; every byte is one character in Latin-1.
        texts = (line.decode("latin-1") for line in self._data.iter_spans(lines))
        reader = read_csv((f"{text}\n" for text in texts), delimiter)
        try:
            ends = [0, *(reader.line_num for _ in reader)]
        except csv.Error as error:
            raise SourceError(f"{self.path}, line {reader.line_num}: {error}") from None
        firsts, lasts = np.array(ends[:-1], int), np.array(ends[1:], int) - 1
        return np.stack([lines[firsts, 0], lines[lasts, 1]], axis=1)


class RowSource:
    """The rows of a file as samples: labels are the indices of class names.

    Args:
        rows: the file.
        class_names: the classes in the order of their labels, and no others; by default all labels, sorted (numbers as
            numbers).

    Raises:
        OptionError: a class of `class_names` labels no row.
        SourceError: it is not certain which column holds the label, no row has a label, or there are so many different
            labels that they cannot be classes.
    """

    def __init__(self, rows: RowFile, class_names: Sequence[str] | None = None) -> None:
        self.rows = rows
        self.ignored_files = Counter(rows.ignored_files)
        if rows.label_fault:
            raise SourceError(rows.label_fault)
        with raise_source_errors(rows.path):
            names = [_read_label(rows, row) for row in rows]
        found = {name for name in names if name is not None}
        if not found:
            with raise_source_errors(rows.path):
                _check_unlabeled(rows)
        if unknown := sorted(set(class_names or ()) - found):
            raise OptionError(f"class_names: {unknown} not found in {rows.path}; its labels are {sorted(found)[:20]}")
        if class_names is None:
            _check_classes(rows, found)
        self.class_names = tuple(class_names) if class_names is not None else tuple(sorted(found, key=_sort_key))
        numbers = {name: number for number, name in enumerate(self.class_names)}
        kept = [index for index, name in enumerate(names) if name is None or name in numbers]
        if count := len(names) - len(kept):
            self.ignored_files["not in class_names"] = count
        self._kept = np.array(kept, np.int64)
        self._labels = np.array([numbers.get(names[index] or "", NO_LABEL) for index in kept], np.int64)

    def __len__(self) -> int:
        return len(self._kept)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the file's name, size, modification time and format, and of the classes."""
        return digest((self.rows.fingerprint, self.class_names))

    def labels(self) -> Labels:
        """Return the class of every sample, int64 [N], `NO_LABEL` where a row has none of the classes."""
        return self._labels

    def sizes(self) -> Labels:
        """Return the number of bytes of every row, int64 [N]."""
        return self.rows.sizes[self._kept]

    def peek(self, index: int) -> Sample:
        """Return the sample's key and label."""
        return Sample(self.rows.key(int(self._kept[index])), int(self._labels[index]))

    def read(self, index: int) -> Sample:
        """Read one row: the bytes of its text.

        Raises:
            ReadError: the row has no text, or does not fit the format, or the file has changed since it was opened.
        """
        row, label = int(self._kept[index]), int(self._labels[index])
        try:
            line = self.rows[row]
            text = self.rows.format.text(line)
        except OSError as error:
            raise make_read_error(self.rows.key(row), error) from None
        except ValueError as error:
            remedy = 'set on_error="skip" to drop such rows'
            raise ReadError(self.rows.key(row), str(error), remedy) from None
        fault = _describe_label_fault(self.rows, line) if label == NO_LABEL else ""
        return Sample(self.rows.key(row), label, to_bytes(text), label_fault=fault)


def _find_lines(data: FileBytes, *, splits_at_cr: bool) -> NDArray[np.int64]:
    """Find the lines: int64 [N, 2], where each begins and ends, without line ends and byte order mark.

    Lines end with LF or CR LF; with a lone CR in a file without LF, and if `splits_at_cr`.
    """
    size, firsts = len(data), range(0, len(data), _CHUNK)
    splits_at_cr = splits_at_cr or not any(b"\n" in data.read(first, min(first + _CHUNK, size)) for first in firsts)
    found = [_find_breaks(data, first, splits_at_cr) for first in firsts]
    breaks, follows_cr = map(np.concatenate, zip(*found, strict=True))
    starts = np.concatenate([[len(_BOM) if data.read(0, min(len(_BOM), size)) == _BOM else 0], breaks + 1])
    ends = np.concatenate([breaks, [size]])
    carriage = np.concatenate([follows_cr, [data.read(size - 1, size) == b"\r"]]) & (ends > starts)
    lines = np.stack([starts, ends - carriage], axis=1)
    return lines[:-1] if starts[-1] >= size else lines


def _find_breaks(data: FileBytes, first: int, splits_at_cr: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the last byte of every line end that ends in one chunk of the data, and whether it follows a CR."""
    before = min(first, 1)
    read = np.frombuffer(data.read(first - before, min(first + _CHUNK + 1, len(data))), np.uint8)
    chunk, following = read[before : before + _CHUNK], np.append(read[before + 1 :], np.uint8(0))
    is_break = chunk == ord("\n")
    if splits_at_cr:
        is_break |= (chunk == ord("\r")) & (following[: len(chunk)] != ord("\n"))
    found = np.flatnonzero(is_break)
    return first + found, read[found + before - 1] == ord("\r")


def _decode(row: bytes) -> str:
    return row.decode("utf-8", "surrogateescape")


_WHITE_SPACE = b" \t\r\n\x0b\x0c"


def to_bytes(text: str) -> bytes:
    """Return the bytes that a row's text was read from, UTF-8 or not."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # JSON can contain half of a surrogate pair, which is not a character
        return text.encode("utf-8", "replace")


def _read_label(rows: RowFile, row: str) -> str | None:
    try:
        return rows.format.label(row)
    except ValueError:
        return None  # reading the sample raises the error


def _describe_label_fault(rows: RowFile, row: str) -> str:
    try:
        rows.format.label(row)
    except ValueError as error:
        return str(error)
    return ""


def _check_unlabeled(rows: RowFile) -> None:
    """Refuse a file without labels, unless its format or an option says that it has none.

    Raises:
        SourceError: every row has a label that cannot be used, or JSON fields of which one might be the label.
    """
    first = rows[0]
    if fault := _describe_label_fault(rows, first):
        raise SourceError(f"no row of {rows.path} has a label; row {rows.key(0)} {fault}")
    if isinstance(rows.format, JsonRow) and rows.format.label_name is None:
        try:
            is_uncertain = rows.format.has_unknown_fields(first)
        except ValueError:
            return  # reading the sample raises the error
        if is_uncertain:
            raise SourceError(
                f"{rows.path} has no known label field; its first row is {first[:80]!r}; set label_column, or '' for "
                "no label"
            )


def _check_classes(rows: RowFile, found: set[str]) -> None:
    """Refuse labels that cannot be classes, and log a warning of those that hardly can.

    Raises:
        SourceError: there are too many.
    """
    if len(found) == 1:
        warn_once(_log, f"{rows.path}, read as {rows.kind!r}: only one class, {next(iter(found))!r}")
    if len(found) > max(_MANY_CLASSES, len(rows) // 2):
        raise SourceError(
            f"{rows.path}, read as {rows.kind!r}, has {len(found)} different labels in {len(rows)} rows; set format, "
            "text_column and label_column, or class_names"
        )
    if len(found) > max(2, len(rows) // 2):
        warn_once(
            _log,
            f"{rows.path}, read as {rows.kind!r}, has {len(found)} different labels in {len(rows)} rows; if these are "
            "not classes, set format, text_column and label_column",
        )


def _sort_key(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name) if name.lower() != "nan" else (1, 0.0, name)
    except ValueError:
        return 1, 0.0, name
