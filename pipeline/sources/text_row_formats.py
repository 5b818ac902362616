"""The formats of rows: `label text`, tab- or comma-separated columns, or a JSON object."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.errors import SourceError
from pipeline.sources.columns import (
    NO_COLUMN,
    Column,
    choose_name,
    find_columns,
    has_other_names,
    is_header,
    is_label_text_header,
)

FORMATS = ("label text", "text", "tsv", "csv", "jsonl")
"""The formats: the label before the first white space of a line; no label; columns separated by tabs, not quoted;
columns separated by commas, quoted where needed; one JSON object per line."""

TABLES = {"tsv": "\t", "csv": ","}
"""The formats with columns, and their delimiters."""

_EXTENSIONS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DELIMITERS = ";\t|,"


class RowFormat(Protocol):
    """Reads and writes the rows of a file. Bytes that are not UTF-8 are surrogate escapes."""

    def text(self, row: str) -> str:
        """Return a row's text.

        Raises:
            ValueError: it has none, or does not fit the format.
        """
        ...

    def label(self, row: str) -> str | None:
        """Return a row's label, or None where there is none.

        Raises:
            ValueError: the label is empty or not a name, or the row does not fit the format.
        """
        ...

    def with_text(self, row: str, text: str) -> str:
        """Return a row with another text, and everything else unchanged."""
        ...


def guess_format(name: str) -> str | None:
    """Return the format of a file by the extension of its name; None where the extension is not one of a format."""
    return next((kind for end, kind in _EXTENSIONS.items() if name.lower().endswith(end)), None)


@dataclass(frozen=True, repr=False)
class LabeledLine:
    """`label text`, or only a text."""

    labeled: bool = True

    def __repr__(self) -> str:  # fingerprints contain it
        return f"LabelledLine(labelled={self.labeled})"

    def text(self, row: str) -> str:
        """Return the line after the label and one white space."""
        _check_line(row)
        return _check_text(row[len(self._label(row)) + 1 :] if self.labeled else row)

    def label(self, row: str) -> str | None:
        """Return the line before the first white space."""
        if not self.labeled:
            return None
        _check_line(row)
        if not (label := self._label(row)):
            raise ValueError("has no label: it starts with white space")
        return label

    def with_text(self, row: str, text: str) -> str:
        """Return a row with another text; line ends in it become spaces."""
        text = _on_one_line(text)
        if not self.labeled:
            return text
        label = self._label(row)
        return f"{label}{row[len(label) : len(label) + 1] or ' '}{text}"

    def _label(self, row: str) -> str:
        return row.split(None, 1)[0] if row[:1].strip() else ""


@dataclass(frozen=True)
class Table:
    """Columns.

    Attributes:
        delimiter: the character between them.
        text_column: the number of the text's column.
        label_column: the number of the label's column; None for no label.
        width: the number of columns of each row.
        is_quoted: whether cells may be quoted.
        header: the cells of the header, which may be repeated where files were joined; empty without one.
    """

    delimiter: str
    text_column: int
    label_column: int | None
    width: int = field(default=0, repr=False)  # fingerprints contain the `repr`
    is_quoted: bool = field(default=True, repr=False)
    header: tuple[str, ...] = field(default=(), repr=False)

    def text(self, row: str) -> str:
        """Return the text's cell."""
        return _check_text(self._checked_cells(row)[self.text_column])

    def label(self, row: str) -> str | None:
        """Return the label's cell, without white space around it."""
        if self.label_column is None:
            return None
        if not (label := self._checked_cells(row)[self.label_column].strip()):
            raise ValueError(f"has an empty label (column {self.label_column}, counted from 0)")
        return label

    def with_text(self, row: str, text: str) -> str:
        """Return a row with another text."""
        cells = self.cells(row)
        cells[self.text_column] = text
        if not self.is_quoted:
            cells[self.text_column] = _on_one_line(text.replace(self.delimiter, " "))
            return self.delimiter.join(cells)
        written = io.StringIO()
        csv.writer(written, delimiter=self.delimiter, lineterminator="\r\n").writerow(cells)
        return written.getvalue().removesuffix("\r\n")  # as a line end, it makes the writer quote both CR and LF

    def cells(self, row: str) -> list[str]:
        """Split a row into its cells.

        Raises:
            ValueError: quotes are not those of a CSV row.
        """
        if not self.is_quoted:
            _check_line(row)
            return row.split(self.delimiter)
        try:
            return next(read_csv([row], self.delimiter, strict=True), [])
        except csv.Error as error:
            lines = len(row.splitlines())
            span = f" (this row has {lines} lines)" if lines > 1 else ""
            raise ValueError(
                f"is not a valid CSV row: {error}{span}; quote a cell as a whole, and write a quote in it as two"
            ) from None

    def _checked_cells(self, row: str) -> list[str]:
        cells = self.cells(row)
        if len(cells) != self.width:
            count = f"{len(cells)} column{'s' if len(cells) != 1 else ''}"
            raise ValueError(f"has {count} instead of {self.width}; is a delimiter ({self.delimiter!r}) not quoted?")
        if self.header and self._is_header(cells):
            raise ValueError("repeats the header")
        return cells

    def _is_header(self, cells: Sequence[str]) -> bool:
        text = self.text_column
        return cells[text].strip() == self.header[text] and tuple(cell.strip() for cell in cells) == self.header


@dataclass(frozen=True)
class JsonRow:
    """A JSON object.

    Attributes:
        text_name: the name of the text; None for the one known name that is there.
        label_name: the same for the label; `NO_COLUMN` for no label.
    """

    text_name: str | None = None
    label_name: str | None = None

    def text(self, row: str) -> str:
        """Return the text."""
        values = self._values(row)
        text = values.get(self._text_name(values))
        if not isinstance(text, str):
            raise ValueError(f"has no text field; its fields are {list(values)[:20]}; set text_column")
        return _check_text(text)

    def label(self, row: str) -> str | None:
        """Return the label: a string, or a number or boolean as JSON writes it."""
        if self.label_name == NO_COLUMN:
            return None
        values = self._values(row)
        name = self.label_name if self.label_name is not None else choose_name(tuple(values), of_label=True)
        if name is None:
            return None
        if name not in values:
            raise ValueError(f"has no field {name!r}; its fields are {list(values)[:20]}")
        label = values[name]
        if label is None or isinstance(label, (list, dict)):
            kind = "null" if label is None else "a list" if isinstance(label, list) else "an object"
            raise ValueError(f"has the label {kind}; a label is a string or a number")
        if not (label := label.strip() if isinstance(label, str) else json.dumps(label)):
            raise ValueError(f"has an empty label (field {name!r})")
        return str(label)

    def with_text(self, row: str, text: str) -> str:
        """Return a row with another text."""
        values = self._values(row)
        values[self._text_name(values)] = text
        return json.dumps(values, ensure_ascii=False)

    def has_unknown_fields(self, row: str) -> bool:
        """Whether fields beside the text might be the label."""
        values = self._values(row)
        return has_other_names(list(values), self._text_name(values))

    def _values(self, row: str) -> dict[str, object]:
        try:
            values = json.loads(row)
        except RecursionError:
            raise ValueError("is nested too deeply") from None
        if not isinstance(values, dict):
            raise ValueError("is not a JSON object")
        return values

    def _text_name(self, values: dict[str, object]) -> str:
        name = self.text_name if self.text_name is not None else choose_name(tuple(values), of_label=False)
        return "text" if name is None else name


def make_format(
    kind: str, rows: Sequence[str], text_column: Column | None, label_column: Column | None, delimiter: str, where: str
) -> tuple[RowFormat, bool, str]:
    """Make the format of a file.

    Args:
        kind: one of `FORMATS`.
        rows: its first rows.
        text_column: the column of the text; None to recognize it.
        label_column: the column of the label, or `NO_COLUMN`; None to recognize it.
        delimiter: of the columns of a table.
        where: the file, for messages.

    Returns:
        The format; whether the first row is a header; why it is not certain which column holds the label, or "".

    Raises:
        SourceError: there is no such column, or it is not certain which column holds the text.
    """
    if kind == "jsonl":
        if isinstance(text_column, int) or isinstance(label_column, int):
            raise SourceError(f"{where}: JSON rows have named fields; set text_column and label_column to names")
        return JsonRow(text_column, label_column), False, ""
    if kind in ("label text", "text"):
        if text_column is not None or label_column not in (None, NO_COLUMN):
            raise SourceError(
                f"{where} is read as {kind!r}, which has no columns; set format to 'csv', 'tsv' or 'jsonl'"
            )
        labeled = kind == "label text" and label_column is None
        return LabeledLine(labeled), labeled and is_label_text_header(rows[0].split()), ""
    table = Table(delimiter, 0, None, is_quoted=kind == "csv")
    try:
        cells = [table.cells(rows[0]), *_split_good(table, rows[1:])]
    except ValueError as error:
        raise SourceError(f"{where}: the first row {error}") from None
    if len(cells[0]) == 1 and not isinstance(text_column, int):
        _check_delimiter(rows, delimiter, where)
    found = find_columns(cells, text_column, label_column, where)
    header = tuple(cell.strip() for cell in cells[0]) if found.has_header else ()
    table = Table(delimiter, found.text, found.label, found.width, kind == "csv", header)
    return table, found.has_header, found.label_fault


def is_json_object(row: str) -> bool:
    """Whether a row is a JSON object."""
    try:
        return isinstance(json.loads(row), dict)
    except (ValueError, RecursionError):
        return False


def check_first_row(row: str, where: str) -> None:
    """Refuse a file whose format was not given, and whose first row shows that it is a table.

    Raises:
        SourceError: it is.
    """
    for delimiter, kind in (("\t", "tsv"), (",", "csv"), (";", "csv"), ("|", "csv")):
        if is_header(row.split(delimiter)) and not is_label_text_header(row.split()):
            also = "" if delimiter == TABLES[kind] else f" and delimiter={delimiter!r}"
            raise SourceError(f"{where} starts with the header of a table, {row[:80]!r}; set format={kind!r}{also}")


def check_no_table(rows: Sequence[str], where: str) -> None:
    """Refuse a file whose format was not given, and whose first rows are those of a table without a header.

    They are if a delimiter splits all of them into the same two or more cells, and if it is in a label as `label text`
    has it, or is a tab behind one, or if the last cells are words that repeat, while most
    such labels do not.

    Raises:
        SourceError: they are.
    """
    for delimiter, kind in (("\t", "tsv"), (",", "csv"), (";", "csv"), ("|", "csv")):
        try:
            cells = [Table(delimiter, 0, None, is_quoted=kind == "csv").cells(row) for row in rows]
        except ValueError:
            continue
        if len(cells[0]) < 2 or len(set(map(len, cells))) > 1:
            continue
        labels = [label for row in rows for label in row.split(None, 1)[:1]]
        is_cut = any(delimiter in label for label in labels)
        # Behind the label and the one white space that ends it.
        follows = delimiter == "\t" and any(
            "\t" in row.partition(label)[2][1:] for row, label in zip(rows, labels, strict=False)
        )
        if is_cut or follows or _has_last_labels(cells, len(set(labels))):
            given = f"format={kind!r}" + ("" if delimiter == TABLES[kind] else f", delimiter={delimiter!r}")
            raise SourceError(
                f"{where} looks like {kind.upper()} with delimiter {delimiter!r}: its first row is {rows[0][:80]!r}; "
                f"set {given}, or format='label text' if the label ends at the first white space"
            )


def _has_last_labels(cells: Sequence[Sequence[str]], classes: int) -> bool:
    """Whether the last cells are words that repeat, while most of the labels as `label text` has them do not."""
    last = [row[-1].strip() for row in cells]
    count = len(set(last))
    return all(len(cell.split()) == 1 for cell in last) and 2 * count <= len(last) < 2 * classes


def read_csv(lines: Iterable[str], delimiter: str = ",", *, strict: bool = False) -> Any:
    """Read comma-separated rows, whose cells may have any length."""
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))  # 131,072 by default, too few for a long document
    return csv.reader(lines, delimiter=delimiter, strict=strict)


def _split_good(table: Table, rows: Iterable[str]) -> Iterable[list[str]]:
    for row in rows:
        try:
            yield table.cells(row)
        except ValueError:
            continue  # a bad sample: reading it raises the error


def _check_delimiter(rows: Sequence[str], delimiter: str, where: str) -> None:
    """Refuse a table of one column that has several with another delimiter."""
    for other in _DELIMITERS.replace(delimiter, ""):
        counts = [len(cells) for cells in _split_good(Table(other, 0, None), rows[:100])]
        if counts and counts[0] > 1 and counts.count(counts[0]) * 2 > len(counts):
            raise SourceError(
                f"{where} has one column with the delimiter {delimiter!r}, and {counts[0]} with {other!r}; set "
                f"delimiter={other!r}, or text_column=0 if each row is a text"
            )


def _check_line(row: str) -> None:
    if "\r" in row:
        raise ValueError("contains a carriage return (CR): is it a line end? write line ends as LF or CR LF")


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("has no text")
    return text


def _on_one_line(text: str) -> str:
    """Replace line ends as files have them; other such characters (U+0085, U+2028) belong to the text."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
