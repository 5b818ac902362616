"""The columns of a table: which one holds the text, which one the label, and whether the first row names them.

A column is named, recognized for certain, or asked for. A header is recognized by the names of a text and of a label
column. Without a header, a table of two columns is recognized as (label, text): its first label occurs again, or all
labels are numbers, and there are fewer labels than texts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from pipeline.errors import SourceError

TEXT_COLUMNS = ("text", "sentence", "review", "content", "question")
"""Names of columns that hold the text."""

LABEL_COLUMNS = ("label", "class", "category", "sentiment", "target")
"""Names of columns that hold the label."""

_TEXT_NAMES = (
    TEXT_COLUMNS,
    (
        *("abstract", "body", "comment", "description", "document", "headline", "message", "post", "query", "sms"),
        *("title", "tweet", "utterance"),
    ),
)
_LABEL_NAMES = (LABEL_COLUMNS, ("emotion", "intent", "labels", "polarity", "rating", "score", "stars", "topic"))
_OTHER_NAMES = frozenset(("", "id", "idx", "index", "guid", "uid", "uuid", "key", "no", "number", "row", "unnamed: 0"))
"""Names of columns that hold neither."""

NO_COLUMN = ""
"""The name that stands for no label column."""

Column = str | int
"""A column by its name, or by its number from 0."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        text: the number of the text's column.
        label: the number of the label's column; None for no label.
        has_header: whether the first row names the columns.
        width: the number of columns.
        label_fault: why it is not certain which column holds the label, and what to do; "" if it is.
    """

    text: int
    label: int | None
    has_header: bool
    width: int
    label_fault: str = ""


def find_columns(
    rows: Sequence[Sequence[str]], text_column: Column | None, label_column: Column | None, where: str
) -> Columns:
    """Find the columns of a table.

    Args:
        rows: its first rows, as cells.
        text_column: the column of the text; None to recognize it.
        label_column: the column of the label, or `NO_COLUMN`; None to recognize it.
        where: the file, for messages.

    Raises:
        SourceError: there is no such column, or it is not certain which column holds the text.
    """
    first = tuple(cell.strip() for cell in rows[0])
    for column in (text_column, label_column):
        _check_column(column, first, where)
    if _is_header(first, text_column, label_column):
        return _read_header(first, text_column, label_column, where)
    counts = Counter(map(len, rows))
    width = max(counts, key=lambda count: (counts[count], count == len(first)))
    text, label = _as_number(text_column), _as_number(label_column)
    if text is None and label is None and label_column is None and width == 2 and _is_label_and_text(rows):
        return Columns(1, 0, has_header=False, width=2)
    if text is None and label is not None and width == 2:
        text = 1 - label
    if text is None:
        raise SourceError(
            f"{where} has no header with the names of a text and a label column; its first row is {_show(first)}; set "
            "text_column and label_column: names if that row is a header, numbers from 0 if it is data"
        )
    fault = ""
    if label_column is None and width > 1:
        label = 1 - text if width == 2 and text < 2 else None
        fault = (
            "" if label is not None else f"{where} has {width} columns; set label_column, or label_column='' for none"
        )
    return Columns(text, label, has_header=False, width=width, label_fault=fault)


def choose_name(names: tuple[str, ...], *, of_label: bool) -> str | None:
    """Return the name of the text (or of the label) among the names of columns or fields; None where none is known.

    Raises:
        ValueError: there are several.
    """
    found = _find_known(names, _LABEL_NAMES if of_label else _TEXT_NAMES)
    if len(found) > 1:
        role = "label" if of_label else "text"
        shown = ", ".join(repr(names[index]) for index in found)
        raise ValueError(f"has several {role} columns: {shown}; set {role}_column")
    return names[found[0]] if found else None


def has_other_names(names: Sequence[str], *chosen: str | None) -> bool:
    """Whether some columns are neither chosen nor known to hold no label."""
    return any(name not in chosen and name.strip().lower() not in _OTHER_NAMES for name in names)


def is_label_text_header(names: Sequence[str]) -> bool:
    """Whether a line of two words names a label and a text."""
    names = tuple(names)
    return len(names) == 2 and bool(_find_known(names[:1], _LABEL_NAMES) and _find_known(names[1:], _TEXT_NAMES))


def is_header(names: Sequence[str]) -> bool:
    """Whether some cells are the names of a text and of a label column."""
    names = tuple(name.strip() for name in names)
    return bool(_find_known(names, _TEXT_NAMES) and _find_known(names, _LABEL_NAMES))


def _check_column(column: Column | None, first: Sequence[str], where: str) -> None:
    if isinstance(column, str) and column != NO_COLUMN and first.count(column) != 1:
        fault = "several columns" if column in first else "no column"
        raise SourceError(f"{where} has {fault} {column!r}; its first row is {_show(first)}")
    if isinstance(column, int) and not 0 <= column < len(first):
        raise SourceError(f"{where} has no column {column}, counted from 0; its first row is {_show(first)}")


def _is_header(first: tuple[str, ...], text_column: Column | None, label_column: Column | None) -> bool:
    given = [(text_column, _TEXT_NAMES), (label_column, _LABEL_NAMES)]
    if any(isinstance(column, str) and column != NO_COLUMN for column, _ in given):
        return True
    numbered = [
        bool(_find_known(first[column : column + 1], names)) for column, names in given if isinstance(column, int)
    ]
    if numbered:  # numbers mean data, unless all of these cells are names that fit
        return all(numbered) and (len(numbered) == 2 or is_header(first))
    known = set(chain.from_iterable(_find_known(first, names) for names in (_TEXT_NAMES, _LABEL_NAMES)))
    others = {index for index, name in enumerate(first) if name.lower() in _OTHER_NAMES}
    return bool(_find_known(first, _TEXT_NAMES)) and (
        bool(_find_known(first, _LABEL_NAMES)) or len(known | others) == len(first)
    )


def _read_header(
    first: tuple[str, ...], text_column: Column | None, label_column: Column | None, where: str
) -> Columns:
    try:
        text_name = (
            first[text_column] if isinstance(text_column, int) else text_column or choose_name(first, of_label=False)
        )
    except ValueError as error:
        raise SourceError(f"{where} {error}") from None
    if text_name is None:
        raise SourceError(f"{where} has no known text column; its columns are {_show(first)}; set text_column")
    text = text_column if isinstance(text_column, int) else first.index(text_name)
    fault, label = "", _as_number(label_column)
    if label_column is None:
        try:
            name = choose_name(tuple(cell for index, cell in enumerate(first) if index != text), of_label=True)
            label = None if name is None else first.index(name)
            if name is None and has_other_names(first, text_name):
                fault = f"{where} has no known label column; its columns are {_show(first)}; set label_column, or ''"
                fault += " for no label"
        except ValueError as error:
            fault = f"{where} {error}"
    elif isinstance(label_column, str) and label_column != NO_COLUMN:
        label = first.index(label_column)
    return Columns(text, label, has_header=True, width=len(first), label_fault=fault)


def _is_label_and_text(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows of two cells are for certain labels and texts, without a header."""
    pairs = [(row[0].strip(), row[1].strip()) for row in rows if len(row) == 2]
    if len(rows[0]) != 2 or len(pairs) < 2:
        return False
    labels = [label for label, _ in pairs]
    is_data = labels[0] in labels[1:] or all(map(_is_number, labels))
    return is_data and bool(labels[0]) and len(set(labels)) < len({text for _, text in pairs})


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _as_number(column: Column | None) -> int | None:
    return column if isinstance(column, int) else None


@lru_cache(maxsize=256)
def _find_known(names: tuple[str, ...], known: tuple[tuple[str, ...], ...]) -> tuple[int, ...]:
    """Return the numbers of the names that are known: of the first known name, or all of the better known ones."""
    lower = [name.strip().lower() for name in names]
    for group in (known[0][:1], *known):
        if found := tuple(index for index, name in enumerate(lower) if name in group):
            return found
    return ()


def _show(cells: Sequence[str]) -> str:
    shown = [cell if len(cell) <= 40 else f"{cell[:37]}..." for cell in cells[:12]]
    return f"{shown}" + (f" and {len(cells) - 12} more" if len(cells) > 12 else "")
