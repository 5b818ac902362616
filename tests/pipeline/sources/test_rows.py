"""Files of labelled texts: formats, columns, encodings, and what is no sample."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.sources.base import NO_LABEL
from pipeline.sources.rows import RowFile, RowSource
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat


def write_file(path: Path, content: bytes | str) -> Path:
    """Write a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, text_format: TextFormat | None = None) -> list[tuple[str, bytes]]:
    """Read all samples of a file: (class, text)."""
    source = open_text_source(path, text_format=text_format)
    samples = [source.read(index) for index in range(len(source))]
    return [
        (source.class_names[sample.label] if sample.label >= 0 else "", sample.encoded or b"") for sample in samples
    ]


EXPECTED = [("neg", b"bad, really"), ("pos", b'so "good"')]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.train", 'neg bad, really\npos so "good"\n'),
        ("data.txt", 'neg\tbad, really\r\n\r\n  \r\npos\tso "good"'),
        ("data.tsv", 'label\ttext\nneg\tbad, really\npos\tso "good"\n'),
        ("data.tsv", 'neg\tbad, really\npos\tso "good"\n'),
        ("data.tsv", 'id\tsentence\tlabel\n1\tbad, really\tneg\n2\tso "good"\tpos\n'),
        ("data.csv", 'text,label\r\n"bad, really",neg\r\n"so ""good""",pos\r\n'),
        ("data.csv", 'neg,"bad, really"\npos,"so ""good"""\n'),
        ("data.csv", '\ufeffLabel,Text\nneg,"bad, really"\npos,"so ""good"""\n'),
        ("data.jsonl", '{"text": "bad, really", "label": "neg"}\n{"label": "pos", "text": "so \\"good\\""}\n'),
    ],
)
def test_formats_are_told_by_extension_and_header(tmp_path: Path, name: str, content: str) -> None:
    """The same samples however they are written."""
    assert read(write_file(tmp_path / name, content)) == EXPECTED


def test_columns_can_be_named_and_numbered(tmp_path: Path) -> None:
    """By name in a header, by number with or without one."""
    table = write_file(tmp_path / "a.tsv", "stars\tbody\ttitle\n5\tgreat\tyes\n1\tawful\tno\n")
    expected = [("5", b"great"), ("1", b"awful")]
    assert read(table, TextFormat(text_column="body", label_column="stars")) == expected
    assert read(table, TextFormat(text_column="title", label_column="stars")) == [("5", b"yes"), ("1", b"no")]
    bare = write_file(tmp_path / "b.tsv", "great\tx\t5\nawful\tx\t1\n")
    assert read(bare, TextFormat(text_column=0, label_column=2)) == expected
    objects = write_file(tmp_path / "c.jsonl", '{"body": "great", "stars": 5}\n{"body": "awful", "stars": 1}\n')
    assert read(objects, TextFormat(text_column="body", label_column="stars")) == expected


def test_records_of_csv_may_hold_line_ends(tmp_path: Path) -> None:
    """A quoted cell goes over several lines, and may be longer than the csv module's limit."""
    long = "word " * 100_000
    path = write_file(tmp_path / "a.csv", f'label,text\n0,"two\nlines"\n1,"{long}"\n0,last\n')
    assert read(path) == [("0", b"two\nlines"), ("1", long.encode()), ("0", b"last")]


def test_classes_are_sorted_numbers_as_numbers(tmp_path: Path) -> None:
    """10 comes after 9; class_names chooses classes and their order."""
    path = write_file(tmp_path / "a.txt", "10 ten\n9 nine\n2 two\n9 other\n")
    source = open_text_source(path)
    assert source.class_names == ("2", "9", "10")
    assert source.labels().tolist() == [2, 1, 0, 1]
    chosen = open_text_source(path, class_names=["9", "2"])
    assert [chosen.read(index).encoded for index in range(len(chosen))] == [b"nine", b"two", b"other"]
    assert chosen.labels().tolist() == [0, 1, 0]
    assert [chosen.peek(index).key for index in range(3)] == ["a.txt:2", "a.txt:3", "a.txt:4"]
    assert chosen.sizes().tolist() == [6, 5, 7]


def test_a_label_alone_is_an_empty_text_and_no_label_a_bad_sample(tmp_path: Path) -> None:
    """Neither is lost."""
    source = open_text_source(write_file(tmp_path / "a.txt", "1\n0 x\n1 \n"))
    assert [source.read(index).encoded for index in range(3)] == [b"", b"x", b""]
    table = open_text_source(write_file(tmp_path / "a.tsv", "label\ttext\n0\tx\n1\n"))
    assert table.labels().tolist() == [0, 1]
    with pytest.raises(ReadError, match=r"a\.tsv:3: has 1 columns"):
        table.read(1)
    objects = open_text_source(
        write_file(tmp_path / "a.jsonl", '{"text": "x", "label": 0}\n{broken\n[1]\n{"text": 3}\n')
    )
    assert objects.labels().tolist() == [0, NO_LABEL, NO_LABEL, NO_LABEL]
    for index in (1, 2, 3):
        with pytest.raises(ReadError, match=rf"a\.jsonl:{index + 1}: "):
            objects.read(index)


def test_what_is_no_utf_8_comes_through_byte_for_byte(tmp_path: Path) -> None:
    """Decoding is a later stage's rule."""
    raw = b"caf\xe9 \xff\xfe ok"
    for name, content in (
        ("a.txt", b"1 " + raw),
        ("a.tsv", b"label\ttext\n1\t" + raw),
        ("a.csv", b'label,text\n1,"' + raw + b'"\n'),
        ("a.jsonl", b'{"label": 1, "text": "' + raw + b'"}'),
    ):
        assert read(write_file(tmp_path / name, content)) == [("1", raw)]


def test_half_a_character_in_json_does_no_harm(tmp_path: Path) -> None:
    """JSON can spell a lone surrogate."""
    assert read(write_file(tmp_path / "a.jsonl", '{"label": 1, "text": "x \\ud83d y"}\n')) == [("1", b"x ? y")]


@pytest.mark.parametrize(
    ("content", "options", "error", "message"),
    [
        ("", {}, SourceError, "is empty"),
        ("\n \n", {}, SourceError, "nothing but blank lines"),
        ("0 x\n", {"text_format": TextFormat(text_column="text")}, SourceError, "has no columns"),
        ("a\tb\n", {"text_format": TextFormat("tsv", text_column="text")}, SourceError, "has no column 'text'"),
        ("a\tb\n", {"text_format": TextFormat("tsv", text_column=2)}, SourceError, "has no column 2"),
        ("a\tb\n", {"text_format": TextFormat("tsv", label_column=-1)}, SourceError, "has no column -1"),
        ("text\tlabel\n", {"text_format": TextFormat("tsv")}, SourceError, "nothing but a header"),
        ('{"a": 1}\n', {"text_format": TextFormat("jsonl", text_column=0)}, SourceError, "JSON has names"),
        ("0 x\n", {"class_names": ["7"]}, OptionError, r"class_names asks for \['7'\]"),
        ("0 x\n", {"class_names": []}, OptionError, "class_names must be a list"),
        ("0 x\n", {"label_offset": 1}, OptionError, "label_offset applies to TFRecords"),
        ("".join(f"w{number} text\n" for number in range(1500)), {}, SourceError, "1500 different labels"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, content: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """The message says what, and what to do."""
    with pytest.raises(error, match=message):
        open_text_source(write_file(tmp_path / "data.txt", content), **options)


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    """So is what is no path."""
    with pytest.raises(SourceError, match="does not exist"):
        open_text_source(tmp_path / "none.txt")
    with pytest.raises(SourceError, match="source must be a path"):
        open_text_source(3)
    with pytest.raises(SourceError, match="source must be a path"):
        open_text_source((["good", "bad"], [1, 0]))


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_a_csv_row_with_another_text_reads_back(rows: list[tuple[str, str]]) -> None:
    """Writing a text into a row and reading it is the identity, and the other cells stay."""
    from pipeline.sources.row_formats import JsonRow, Table

    table = Table(",", 1, 0)
    for label, text in rows:
        row = table.with_text("l,old,more", text)
        assert table.cells(row) == ["l", text, "more"]
        assert JsonRow().text(JsonRow().with_text(json.dumps({"text": "", "label": label}), text)) == text
        assert JsonRow().label(JsonRow().with_text(json.dumps({"text": "", "label": label}), text)) == label


def test_a_real_corpus_is_read_whole(caudal_data: Path) -> None:
    """TREC: one line is Latin-1; SST-2 has two classes; keys name lines."""
    trec = RowSource(RowFile(caudal_data / "text" / "TREC.train.all"))
    assert len(trec) == 5452
    assert trec.class_names == ("0", "1", "2", "3", "4", "5")
    lines = (caudal_data / "text" / "TREC.train.all").read_bytes().splitlines()
    assert [trec.read(index).encoded for index in range(len(trec))] == [line.partition(b" ")[2] for line in lines]
    assert trec.read(9).key == "TREC.train.all:10"
    assert np.array_equal(trec.labels(), [int(line[:1]) for line in lines])
