"""The format of a file of rows, its columns, and encodings."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from pipeline.errors import OptionError
from pipeline.options import check_choice, is_integer, raise_first
from pipeline.sources.row_formats import FORMATS, Column

_ASCII_MARKS = b'\r\n\t ,"{}09azAZ'


@dataclass(frozen=True)
class TextFormat:
    """The format of texts.

    Attributes:
        format: of a file of rows: "label text", "text" (no label), "tsv", "csv" or "jsonl". None takes it from the
            file's extension, and "label text" where that is none of these.
        text_column: the column of the text in such a file, a name or a number from 0; by default "text", "sentence" or
            a similar name in the header, or column 1 without a header.
        label_column: the column of the label; by default "label" or a similar name, or column 0.
        encoding: of the texts.
        fallback: the encoding of texts that are not in `encoding`; None makes them bad samples.

    Raises:
        OptionError: the format or an encoding is unknown, or a column is neither a name nor a number.
    """

    format: Literal["label text", "text", "tsv", "csv", "jsonl"] | None = None
    _: KW_ONLY
    text_column: Column | None = None
    label_column: Column | None = None
    encoding: str = "utf-8"
    fallback: str | None = "latin-1"

    def __post_init__(self) -> None:
        raise_first(self._check_options())

    def _check_options(self) -> Iterator[str]:
        yield from check_choice("format", self.format, (*FORMATS, None))
        yield from _check_column("text_column", self.text_column)
        yield from _check_column("label_column", self.label_column)
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


def _check_encoding(name: str, encoding: Any) -> Iterator[str]:
    try:
        _ASCII_MARKS.decode(encoding, "replace")
    except (LookupError, TypeError, UnicodeError):
        yield f"{name} must be a text encoding that Python knows; got {encoding!r}"
