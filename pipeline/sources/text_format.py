"""The format of a file of rows, its columns, and encodings."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from pipeline.errors import OptionError
from pipeline.options import check_choice, is_integer, raise_first
from pipeline.sources.columns import Column
from pipeline.sources.text_row_formats import FORMATS, TABLES

_ASCII_MARKS = b'\r\n\t ,"{}09azAZ'


@dataclass(frozen=True)
class TextFormat:
    """The format of texts.

    Attributes:
        format: of a file of rows: "label text", "text" (no label), "tsv" (cells are not quoted), "csv" or "jsonl".
            None takes it from the file's extension; without a known one, a file whose first line is a JSON object is
            "jsonl", any other "label text".
        text_column: the column of the text, a name or a number from 0. None recognizes it: "text", "sentence" or a
            similar name in the header; without a header, the second of two columns, if the first one is the label.
        label_column: the column of the label; "" for no label. None recognizes it: "label" or a similar name in the
            header; without a header, the first of two columns, if its values repeat. Numbers mean that the first row is
            data, unless it has such names in these columns.
        delimiter: the character between the columns of a table; None for "," in CSV and a tab in TSV. A file whose
            extension is not known is read as CSV.
        encoding: of the texts.
        fallback: the encoding of texts that are not in `encoding`; None makes them bad samples.

    Raises:
        OptionError: the format or an encoding is unknown, the delimiter is not one character, or does not apply, or a
            column is neither a name nor a number.
    """

    format: Literal["label text", "text", "tsv", "csv", "jsonl"] | None = None
    _: KW_ONLY
    text_column: Column | None = None
    label_column: Column | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    fallback: str | None = "latin-1"

    def __post_init__(self) -> None:
        raise_first(self._check_options())

    def _check_options(self) -> Iterator[str]:
        yield from check_choice("format", self.format, (*FORMATS, None))
        yield from _check_column("text_column", self.text_column)
        yield from _check_column("label_column", self.label_column)
        yield from _check_delimiter(self.delimiter, self.format)
        yield from _check_encoding("encoding", self.encoding)
        if self.fallback is not None:
            yield from _check_encoding("fallback", self.fallback)

    @classmethod
    def from_option(cls, value: Any) -> "TextFormat":
        """Read the option `format`: None, the name of a format, or a `TextFormat`.

        Raises:
            OptionError: it is none of these.
        """
        return value if isinstance(value, cls) else cls(value)

    def check_rows(self) -> None:
        """Check the encodings of a file of rows: rows and columns are found before the file is decoded.

        Raises:
            OptionError: an encoding does not encode ASCII as ASCII does.
        """
        for name, encoding in (("encoding", self.encoding), ("fallback", self.fallback)):
            if encoding is not None and _ASCII_MARKS.decode(encoding, "replace") != _ASCII_MARKS.decode("ascii"):
                raise OptionError(
                    f"{name}={encoding!r} does not encode line ends as ASCII does; convert the file to UTF-8"
                )


def _check_column(name: str, column: Any) -> Iterator[str]:
    if column is not None and not isinstance(column, str) and not is_integer(column):
        yield f"{name} must be a column's name, its number from 0, or None; got {column!r}"


def _check_delimiter(delimiter: Any, kind: str | None) -> Iterator[str]:
    if delimiter is None:
        return
    is_one = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()
    if not is_one or delimiter in '"\r\n\0':
        yield f"delimiter must be one ASCII character other than a quote or a line end, or None; got {delimiter!r}"
    if kind not in (None, *TABLES):
        yield f"delimiter applies to 'csv' and 'tsv', but format={kind!r}; drop delimiter"


def _check_encoding(name: str, encoding: Any) -> Iterator[str]:
    try:
        _ASCII_MARKS.decode(encoding, "replace")
    except (LookupError, TypeError, UnicodeError):
        yield f"{name} must be a text encoding that Python knows; got {encoding!r}"
