"""Files of labeled texts: formats, columns, encodings, and what is no sample."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline
from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.sampling.labels import check_label
from pipeline.sources.base import NO_LABEL
from pipeline.sources.rows import RowFile, RowSource
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat
from pipeline.texts.example import make_text_features
from pipeline.texts.stages import TextDecoder


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


EXPECTED = [("neg", b"bad, really"), ("pos", b'so "good"'), ("neg", b"awful")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.train", 'neg bad, really\npos so "good"\nneg awful\n'),
        ("data.train", 'label text\nneg bad, really\npos so "good"\nneg awful\n'),
        ("data.txt", 'neg\tbad, really\r\n\r\n  \r\npos\tso "good"\nneg\tawful'),
        ("data.txt", 'neg bad, really\rpos so "good"\rneg awful\r'),
        ("data.tsv", 'label\ttext\nneg\tbad, really\npos\tso "good"\nneg\tawful\n'),
        ("data.tsv", 'neg\tbad, really\npos\tso "good"\nneg\tawful\n'),
        ("data.tsv", 'id\tsentence\tlabel\r1\tbad, really\tneg\r2\tso "good"\tpos\r3\tawful\tneg\r'),
        ("data.csv", 'text,label\r\n"bad, really",neg\r\n"so ""good""",pos\r\nawful,neg\r\n'),
        ("data.csv", 'text,label\r"bad, really",neg\r"so ""good""",pos\rawful,neg'),
        ("data.csv", 'text,label\r"bad, really",neg\n"so ""good""",pos\r\nawful,neg'),
        ("data.csv", 'neg,"bad, really"\npos,"so ""good"""\nneg,awful\n'),
        ("data.csv", '\ufeffLabel,Text\nneg,"bad, really"\n pos ,"so ""good"""\nneg ,awful\n'),
        ("data.csv", 'Category,Message\nneg,"bad, really"\npos,"so ""good"""\nneg,awful\n'),
        ("data.csv", 'tweet,target\n"bad, really",neg\n"so ""good""",pos\nawful,neg\n'),
        (
            "data.jsonl",
            '{"text": "bad, really", "label": "neg"}\n{"label": "pos", "text": "so \\"good\\""}\n'
            '{"label": " neg", "text": "awful"}\n',
        ),
        (
            "data.json",
            '\ufeff{"text": "bad, really", "label": "neg"}\n{"label": "pos", "text": "so \\"good\\""}\n'
            '{"label": "neg", "text": "awful"}\n',
        ),
    ],
)
def test_formats_are_recognized_by_extension_and_header(tmp_path: Path, name: str, content: str) -> None:
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
    pair = write_file(tmp_path / "d.csv", "great,5\nawful,1\n")
    for columns in ({"text_column": 0}, {"label_column": 1}):
        assert read(pair, TextFormat(**columns)) == expected
    semicolons = write_file(tmp_path / "e.csv", 'great;5\n"awful";1\n')
    assert read(semicolons, TextFormat(text_column=0, label_column=1, delimiter=";")) == expected
    unknown = write_file(tmp_path / "f.dat", "body|stars\ngreat|5\nawful|1\n")
    assert read(unknown, TextFormat(delimiter="|", label_column="stars")) == expected
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
    assert chosen.ignored_files == {"not in class_names": 1}
    assert not source.ignored_files
    assert [chosen.peek(index).key for index in range(3)] == ["a.txt:2", "a.txt:3", "a.txt:4"]
    assert chosen.sizes().tolist() == [6, 5, 7]


@pytest.mark.parametrize(
    ("name", "content", "reasons"),
    [
        ("a.txt", "0 x\n1\n1 \n", {2: "has no text", 3: "has no text"}),
        ("a.txt", "0 x\n1 y\rz\n", {2: "contains a carriage return (CR): is it a line end? write line ends as"}),
        ("a.tsv", "label\ttext\n0\tx\n1\n", {3: "has 1 column instead of 2; is a delimiter ('\\t') not quoted?"}),
        ("a.tsv", "label\ttext\n0\tx\n1\t \n\t\n", {3: "has no text", 4: "has no text"}),
        ("a.csv", "label,text\n0,x\n1,y, z\n0\n", {3: "has 3 columns instead of 2", 4: "has 1 column instead of 2"}),
        ("a.csv", 'label,text\n0,x\n1,"y" z"\n0,w\n', {3: "is not a valid CSV row: ',' expected after '\"'; quote a"}),
        (
            "a.csv",
            'label,text\n0,x\n1,"y\n0,w\n',
            {3: "is not a valid CSV row: unexpected end of data (this row has 2"},
        ),
        ("a.csv", "label,text\n0,x\nlabel,text\n", {3: "repeats the header"}),
        (
            "a.jsonl",
            '{"text": "x", "label": 0}\n{broken\n[1]\n{"text": 3}\n{"label": 1}\n{"text": " "}\n' + "[" * 100_000,
            {
                2: "Expecting property name",
                3: "is not a JSON object",
                4: "has no text field; its fields are ['text']; set text_column",
                5: "has no text field; its fields are ['label']; set text_column",
                6: "has no text",
                7: "",
            },
        ),
        (
            "a.jsonl",
            '{"text": "x", "label": 0}\n{"body": "x", "title": "y"}\n',
            {2: "has several text columns: 'body', 't"},
        ),
    ],
)
def test_a_row_that_does_not_fit_is_a_bad_sample(
    tmp_path: Path, name: str, content: str, reasons: dict[int, str]
) -> None:
    """It is named by its number, nothing of it becomes a text or a class, and the other rows are read."""
    source = open_text_source(write_file(tmp_path / name, content))
    keys = {f"{name}:{number}": reason for number, reason in reasons.items()}
    assert set(source.class_names) <= {"0", "1"}
    for index in range(len(source)):
        key = source.peek(index).key
        if key not in keys:
            assert source.read(index).encoded in (b"x", b"w", b"y")
            continue
        with pytest.raises(ReadError) as caught:
            source.read(index)
        assert str(caught.value).startswith(f"{key}: {keys.pop(key)}")
    assert not keys


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.tsv", "label\ttext\n0\tx\n \ty\n", "has an empty label (column 0, counted from 0)"),
        ("a.csv", 'text,label\nx,0\ny,""\n', "has an empty label (column 1, counted from 0)"),
        ("a.txt", "0 x\n y\n", "has no label: it starts with white space"),
        ("a.jsonl", '{"text": "x", "label": 0}\n{"text": "y", "label": ""}\n', "has an empty label (field 'label')"),
        ("a.jsonl", '{"text": "x", "label": 0}\n{"text": "y", "label": null}\n', "has the label null; a label is a"),
        (
            "a.jsonl",
            '{"text": "x", "label": 0}\n{"text": "y", "label": [0, 1]}\n',
            "has the label a list; a label is a",
        ),
        (
            "a.jsonl",
            '{"text": "x", "label": 0}\n{"text": "y", "intent": 1, "topic": 2}\n',
            "has several label columns: 'intent', 'topic'; set label_column",
        ),
    ],
)
def test_a_label_that_cannot_be_used_is_a_bad_sample_where_labels_are_used(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    """It is no class; without labels, its text is a sample."""
    path = write_file(tmp_path / name, content)
    source = open_text_source(path)
    assert source.class_names == ("0",)
    assert source.labels().tolist() == [0, NO_LABEL]
    assert source.read(1).label_fault.startswith(fault)
    with pytest.raises(ReadError, match=re.escape(fault)):
        check_label(source.read(1), source.class_names)
    with pytest.raises(ReadError, match=re.escape(fault)):
        make_text_features(source.read(1), (), TextDecoder())
    loader = pipeline.TextLoader(path, label_mode=None, shuffle=False)
    (texts,) = loader.dataset().as_numpy_iterator()
    assert len(texts) == 2


def test_json_rows_without_a_label_are_samples_without_one(tmp_path: Path) -> None:
    """Neither is lost."""
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
        ("\n \n", {}, SourceError, "contains only blank lines"),
        ("0 x\n", {"text_format": TextFormat(text_column="text")}, SourceError, "which has no columns; set format to"),
        ("a\tb\n", {"text_format": TextFormat("tsv", text_column="text")}, SourceError, "has no column 'text'"),
        ("a\tb\n", {"text_format": TextFormat("tsv", text_column=2)}, SourceError, "has no column 2"),
        ("a\tb\n", {"text_format": TextFormat("tsv", label_column=-1)}, SourceError, "has no column -1"),
        ("text\tlabel\n", {"text_format": TextFormat("tsv")}, SourceError, "contains only a header"),
        ('{"a": 1}\n', {"text_format": TextFormat("jsonl", text_column=0)}, SourceError, "JSON rows have named fields"),
        ("0 x\n", {"class_names": ["7"]}, OptionError, r"class_names: \['7'\] not found in"),
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


def test_a_real_corpus_is_read_whole(caudal_data: Path) -> None:
    """TREC: one line is Latin-1; SST-2 has two classes; keys name lines."""
    trec = RowSource(RowFile(caudal_data / "text" / "TREC.train.all"))
    assert len(trec) == 5452
    assert trec.class_names == ("0", "1", "2", "3", "4", "5")
    lines = (caudal_data / "text" / "TREC.train.all").read_bytes().splitlines()
    assert [trec.read(index).encoded for index in range(len(trec))] == [line.partition(b" ")[2] for line in lines]
    assert trec.read(9).key == "TREC.train.all:10"
    assert np.array_equal(trec.labels(), [int(line[:1]) for line in lines])
