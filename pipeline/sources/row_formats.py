"""How a labelled text is written on a line: `label text`, tab- or comma-separated columns, or a JSON object."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.errors import SourceError

FORMATS = ("label text", "text", "tsv", "csv", "jsonl")
"""The formats: the label is what stands before the first white space of a line; no label; columns separated by tabs,
nothing quoted; columns separated by commas, quoted where needed; one JSON object a line."""

TEXT_COLUMNS = ("text", "sentence", "review", "content", "question")
"""Names of columns that hold the text, where none is given."""

LABEL_COLUMNS = ("label", "class", "category", "sentiment", "target")
"""Names of columns that hold the label, where none is given."""

_EXTENSIONS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}

Column = str | int
"""A column by its name, or by its number from 0 on."""


class RowFormat(Protocol):
    """Reads and writes the rows of a file. Bytes that are no UTF-8 stand as surrogate escapes."""

    def text(self, row: str) -> str:
        """Give a row's text.

        Raises:
            ValueError: it has none.
        """
        ...

    def label(self, row: str) -> str | None:
        """Give a row's label, or None where it has none."""
        ...

    def with_text(self, row: str, text: str) -> str:
        """Give a row with another text, and everything else as it was."""
        ...


def guess_format(name: str) -> str:
    """Tell the format of a file by the extension of its name."""
    return next((kind for end, kind in _EXTENSIONS.items() if name.lower().endswith(end)), "label text")


@dataclass(frozen=True)
class LabelledLine:
    """`label text`, or only a text."""

    labelled: bool = True

    def text(self, row: str) -> str:
        """Give what stands behind the label and one white space."""
        return row[len(self._label(row)) + 1 :] if self.labelled else row

    def label(self, row: str) -> str | None:
        """Give what stands before the first white space."""
        return self._label(row) if self.labelled else None

    def with_text(self, row: str, text: str) -> str:
        """Give a row with another text; line ends in it become spaces."""
        text = _on_one_line(text)
        if not self.labelled:
            return text
        label = self._label(row)
        return f"{label}{row[len(label) : len(label) + 1] or ' '}{text}"

    def _label(self, row: str) -> str:
        return row.split(None, 1)[0] if row[:1].strip() else ""


@dataclass(frozen=True)
class Table:
    """Columns.

    Attributes:
        delimiter: what separates them.
        text_column: the number of the column that holds the text.
        label_column: that of the label; None for no label.
    """

    delimiter: str
    text_column: int
    label_column: int | None

    def text(self, row: str) -> str:
        """Give the text's column."""
        cells = self.cells(row)
        if len(cells) <= self.text_column:
            raise ValueError(f"has {len(cells)} columns, and the text should be in column {self.text_column}, from 0")
        return cells[self.text_column]

    def label(self, row: str) -> str | None:
        """Give the label's column."""
        cells = self.cells(row)
        return None if self.label_column is None or len(cells) <= self.label_column else cells[self.label_column]

    def with_text(self, row: str, text: str) -> str:
        """Give a row with another text."""
        cells = self.cells(row)
        cells[self.text_column] = text
        if self.delimiter == "\t":
            cells[self.text_column] = _on_one_line(text.replace("\t", " "))
            return "\t".join(cells)
        written = io.StringIO()
        csv.writer(written, delimiter=self.delimiter, lineterminator="\r\n").writerow(cells)
        return written.getvalue().removesuffix("\r\n")  # with which both line ends are quoted inside of cells

    def cells(self, row: str) -> list[str]:
        """Split a row into its cells."""
        if self.delimiter == "\t":
            return row.split("\t")
        try:
            return next(read_csv([row], self.delimiter), [])
        except csv.Error as error:
            raise ValueError(f"is no row of a CSV file: {error}") from None


@dataclass(frozen=True)
class JsonRow:
    """A JSON object.

    Attributes:
        text_name: the name of the text; None takes the first known one that is there.
        label_name: the same for the label.
    """

    text_name: str | None = None
    label_name: str | None = None

    def text(self, row: str) -> str:
        """Give the text."""
        values = self._values(row)
        text = values.get(self._name(values, self.text_name, TEXT_COLUMNS))
        if not isinstance(text, str):
            raise ValueError(f"has no text among {', '.join(values) or 'nothing'}: name it by text_column")
        return text

    def label(self, row: str) -> str | None:
        """Give the label, as it is written."""
        try:
            values = self._values(row)
        except ValueError:
            return None
        label = values.get(self._name(values, self.label_name, LABEL_COLUMNS))
        return None if label is None else label if isinstance(label, str) else json.dumps(label)

    def with_text(self, row: str, text: str) -> str:
        """Give a row with another text."""
        values = self._values(row)
        values[self._name(values, self.text_name, TEXT_COLUMNS)] = text
        return json.dumps(values, ensure_ascii=False)

    def _values(self, row: str) -> dict[str, object]:
        values = json.loads(row)
        if not isinstance(values, dict):
            raise ValueError("is no JSON object")
        return values

    def _name(self, values: dict[str, object], given: str | None, known: Sequence[str]) -> str:
        return given if given is not None else next((name for name in known if name in values), known[0])


def make_format(
    kind: str, first: str, text_column: Column | None, label_column: Column | None, where: str
) -> tuple[RowFormat, bool]:
    """Make the format of a file.

    Args:
        kind: one of `FORMATS`.
        first: its first row.
        text_column: the column of the text; by default, with a header, the first known name, and without one column 1
            of several, or the only one.
        label_column: the column of the label; by default the first known name, or column 0.
        where: the file, for messages.

    Returns:
        The format, and whether the first row is a header.

    Raises:
        SourceError: there is no such column.
    """
    if kind == "jsonl":
        if isinstance(text_column, int) or isinstance(label_column, int):
            raise SourceError(f"{where}: JSON has names, and no numbers, for text_column and label_column")
        return JsonRow(text_column, label_column), False
    if kind in ("label text", "text"):
        if text_column is not None or label_column is not None:
            raise SourceError(f"{where} is read as {kind!r}, which has no columns; format says otherwise")
        return LabelledLine(labelled=kind == "label text"), False
    delimiter = "\t" if kind == "tsv" else ","
    cells = [cell.strip() for cell in Table(delimiter, 0, None).cells(first)]
    named = [column for column in (text_column, label_column) if isinstance(column, str)]
    if missing := [column for column in named if column not in cells]:
        raise SourceError(f"{where} has no column {missing[0]!r}; its first row is {cells}")
    for column in (text_column, label_column):
        if isinstance(column, int) and not 0 <= column < len(cells):
            raise SourceError(f"{where} has no column {column}, counted from 0; its first row is {cells}")
    text = _find_column(cells, text_column, TEXT_COLUMNS)
    label = _find_column(cells, label_column, LABEL_COLUMNS)
    header = bool(named) or (text is not None and text_column is None)
    if not header:
        text = text if text is not None else min(1, len(cells) - 1)
        label = label if label_column is not None else (0 if text != 0 else 1 if len(cells) > 1 else None)
    if text is None:
        raise SourceError(f"{where} has the columns {cells}: name that of the text by text_column")
    return Table(delimiter, text, label), header


def read_csv(lines: Sequence[str] | Iterator[str], delimiter: str = ",") -> Any:
    """Read comma-separated rows, of which cells may be of any length."""
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))  # 131,072 otherwise, too few for a long document
    return csv.reader(lines, delimiter=delimiter)


def _on_one_line(text: str) -> str:
    """Replace what ends a line when a file is read; other characters of that kind (U+0085, U+2028) are the text's."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def _find_column(cells: Sequence[str], column: Column | None, known: Sequence[str]) -> int | None:
    if isinstance(column, int):
        return column
    if column is not None:
        return cells.index(column)
    lower = [cell.lower() for cell in cells]
    return next((lower.index(name) for name in known if name in lower), None)
