"""Which columns hold the text and the label: named, recognized for certain, or asked for."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline
from pipeline.errors import OptionError, SourceError
from pipeline.sources.columns import find_columns
from pipeline.sources.rows import RowFile
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat


def write_file(path: Path, content: bytes | str) -> Path:
    """Write a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **options: Any) -> list[tuple[str, str]]:
    """Read all samples of a file: (class, text)."""
    source = open_text_source(path, text_format=TextFormat(**options))
    samples = [source.read(index) for index in range(len(source))]
    return [
        (source.class_names[sample.label] if sample.label >= 0 else "", (sample.encoded or b"").decode())
        for sample in samples
    ]


UNCERTAIN = [
    "v1,v2\nham,hello\nspam,win\nham,bye\n",  # a header with other names
    "neg,bad\npos,good\n",  # a header, or two classes
    "Category,words\nham,hello there\nspam,win\n",
    "great film,5\nawful,1\nfine,5\n",  # the label is the second column
    "1,one\n2,two\n",  # a number for each text is no label
    "a,x\na,x\na,x\n",
    "pos,1,good\nneg,2,bad\npos,3,fine\n",
    "file,label\na.txt,0\nb.txt,1\n",  # the label's column must not become the text
    "question,What is it?\nanswer,This.\n",
    "hello\nbye\n",
]


@pytest.mark.parametrize("content", UNCERTAIN)
def test_a_table_that_is_not_certain_is_refused_by_what_to_set(tmp_path: Path, content: str) -> None:
    """No row becomes a header, no header a row, and no column another."""
    path = write_file(tmp_path / "a.csv", content)
    for opened in (open_text_source, RowFile):
        with pytest.raises(SourceError, match=r"its (first row|columns) (is|are) \[.*set text_column"):
            opened(path)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (
            "v1,v2\nham,hello\nspam,win\n",
            {"text_column": "v2", "label_column": "v1"},
            [("ham", "hello"), ("spam", "win")],
        ),
        ("neg,bad\npos,good\n", {"text_column": 1, "label_column": 0}, [("neg", "bad"), ("pos", "good")]),
        ("label,text\n0,x\n", {"text_column": 1, "label_column": 0}, [("0", "x")]),
        ("text,label\nx,0\n", {"text_column": 0}, [("0", "x")]),
        (
            "question,What?\nanswer,This.\nquestion,Why?\n",
            {},
            [("question", "What?"), ("answer", "This."), ("question", "Why?")],
        ),
        ("3,three\n1,one\n1,uno\n", {}, [("3", "three"), ("1", "one"), ("1", "uno")]),
        ("text,other,label\nx,y,0\n", {}, [("0", "x")]),
        ("title,text,label\nt,x,0\n", {}, [("0", "x")]),
        ("id,text\n1,x\n2,y\n", {}, [("", "x"), ("", "y")]),
        ("text\nx\ny\n", {}, [("", "x"), ("", "y")]),
        ("text,mark\nx,0\n", {"text_column": "text", "label_column": "mark"}, [("0", "x")]),
        ("text,mark\nx,0\n", {"text_column": "text", "label_column": ""}, [("", "x")]),
        ("hello\nbye\n", {"text_column": 0}, [("", "hello"), ("", "bye")]),
        ("text,sentiment,label\nx,s,0\n", {}, [("0", "x")]),
    ],
)
def test_what_is_named_or_certain_is_read(
    tmp_path: Path, content: str, options: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """By the names of a header, by numbers, or by labels that repeat."""
    assert read(write_file(tmp_path / "a.csv", content), **options) == expected


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            "text,mark\nx,0\n",
            {"text_column": "text"},
            r"has no known label column; its columns are \['text', 'mark'\]; set label_column, or '' for no label$",
        ),
        ("text,class,category\nx,0,1\n", {}, "has several label columns: 'class', 'category'; set label_column$"),
        ("a,b,c\nx,0,1\n", {"text_column": 0}, "has 3 columns; set label_column, or label_column='' for none$"),
        (
            '{"text": "x", "mark": 1}\n',
            {"format": "jsonl"},
            r"has no known label field; .*; set label_column, or '' for",
        ),
        (
            '{"text": "x", "mark": 1}\n',
            {"format": "jsonl", "label_column": "label"},
            r"no row of .*a\.csv has a label; row a\.csv:1 has no field 'label'; its fields are \['text', 'mark'\]$",
        ),
        ("label,text\n,x\n,y\n", {}, r"no row of .*a\.csv has a label; row a\.csv:2 has an empty label"),
    ],
)
def test_labels_that_are_not_certain_are_refused_where_there_are_labels(
    tmp_path: Path, content: str, options: dict[str, Any], message: str
) -> None:
    """A loader or a conversion asks for them; augmenting a file needs no label."""
    path = write_file(tmp_path / "a.csv", content)
    with pytest.raises(SourceError, match=message):
        open_text_source(path, text_format=TextFormat(**options))
    with pytest.raises(SourceError):
        pipeline.convert(path, tmp_path / "out", text_format=options.get("format"))
    assert not (tmp_path / "out").exists()
    rows = RowFile(path, TextFormat(**options))
    assert rows.format.text(rows[0]) in ("x", "a")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("text,text,label\nx,y,0\n", {}, "has several text columns: 'text', 'text'; set text_column$"),
        ("sentence,question,label\nx,y,0\n", {}, "has several text columns: 'sentence', 'question'; set text_column$"),
        (
            "a,a,label\nx,y,0\n",
            {"text_column": "a"},
            r"has several columns 'a'; its first row is \['a', 'a', 'label'\]$",
        ),
        (
            "x,label\n",
            {"label_column": "label"},
            r"has no known text column; its columns are \['x', 'label'\]; set text",
        ),
        (
            "text;label\nx;0\ny;1\n",
            {},
            "has one column with the delimiter ',', and 2 with ';'; set delimiter=';', or text_",
        ),
        ("0\tx\n1\ty, z\n0\tw\n", {}, r"has one column with the delimiter ',', and 2 with '\\t'; set delimiter='\\t'"),
        ('"a" b,c\n', {}, r"the first row is not a valid CSV row: ',' expected after '\"'"),
    ],
)
def test_other_mistakes_are_named(tmp_path: Path, content: str, options: dict[str, Any], message: str) -> None:
    """Names that occur twice, another delimiter, quotes."""
    with pytest.raises(SourceError, match=message):
        open_text_source(write_file(tmp_path / "a.csv", content), text_format=TextFormat(**options))


@pytest.mark.parametrize("delimiter", ["", ";;", "é", '"', "\n", "\r", 3])
def test_a_delimiter_is_one_character(delimiter: Any) -> None:
    """ASCII, and not one that a table needs otherwise."""
    with pytest.raises(OptionError, match=r"^delimiter must be one ASCII character other than a quote or a line end"):
        TextFormat(delimiter=delimiter)


def test_a_delimiter_is_of_tables(tmp_path: Path) -> None:
    """Lines and JSON have none."""
    with pytest.raises(
        OptionError, match=r"^delimiter applies to 'csv' and 'tsv', but format='jsonl'; drop delimiter$"
    ):
        TextFormat("jsonl", delimiter=";")
    path = write_file(tmp_path / "a.jsonl", '{"text": "x"}\n')
    with pytest.raises(
        OptionError, match=r"^delimiter applies to CSV and TSV, but .*a\.jsonl is read as 'jsonl'; drop"
    ):
        open_text_source(path, text_format=TextFormat(delimiter=";"))


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("text\tlabel", "set format='tsv'$"),
        ("label,text", "set format='csv'$"),
        ("id;text;label", "set format='csv' and delimiter=';'$"),
    ],
)
def test_a_table_under_another_name_is_asked_for(tmp_path: Path, first: str, message: str) -> None:
    """Its first words would be the labels."""
    path = write_file(tmp_path / "a.txt", f"{first}\nx y\nz w\n")
    with pytest.raises(SourceError, match=f"starts with the header of a table, .*{message}"):
        open_text_source(path)
    assert len(open_text_source(path, text_format=TextFormat("text"))) == 3


def test_many_labels_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As many classes as rows are hardly classes."""
    path = write_file(tmp_path / "a.txt", "the film\na good day\nnothing at all\n")
    for _ in range(2):
        assert len(open_text_source(path).class_names) == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}, read as 'label text', has 3 different labels in 3 rows; if these are not classes, set format, "
        "text_column and label_column"
    ]


words = st.sampled_from(["text", "label", "a", "b", "question", "1", "2", "", "id"])


@given(rows=st.lists(st.lists(words, min_size=2, max_size=2), min_size=1, max_size=5))
def test_no_row_is_both_header_and_data(rows: list[list[str]]) -> None:
    """Whatever the cells: columns are within the table and differ, or the table is refused."""
    try:
        found = find_columns(rows, None, None, "a.csv")
    except SourceError:
        return
    assert found.width == 2
    assert found.label in (None, 1 - found.text)
    if not found.has_header:
        assert (found.text, found.label) == (1, 0)
        assert rows[0][0] in [row[0] for row in rows[1:]] or all(row[0] in "12" for row in rows)
    else:
        assert rows[0][found.text] in ("text", "question")
