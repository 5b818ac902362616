"""Rows of tables, against Python's `csv`: what is in the file comes out, or is named."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ReadError, SourceError
from pipeline.sources.base import NO_LABEL
from pipeline.sources.not_text import describe_binary
from pipeline.sources.rows import RowFile, RowSource
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat
from pipeline.sources.text_row_formats import FORMATS, JsonRow, LabeledLine, Table

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
cells = st.text(st.one_of(st.sampled_from(',;"\n\r\t \ufeff'), characters), max_size=8)
labels = st.sampled_from(["a", " b", "b", "c d", "e,f", 'g"h', "i\nj", ""])


@given(
    rows=st.lists(st.tuples(cells, labels, cells), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;|\t"),
    style=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), *((end, csv.QUOTE_ALL) for end in ("\n", "\r\n", "\r"))]),
    bom=st.booleans(),
)
def test_what_csv_writes_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    style: tuple[str, Any],
    bom: bool,
) -> None:
    """Cells with quotes, delimiters and line ends; rows without a text or a label are named, and no others."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
    writer.writerows([("id", "label", "text"), *rows])
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + written.getvalue().encode())
    expected = [(label.strip(), text) for _, label, text in rows]
    if not any(label for label, _ in expected):
        with pytest.raises(SourceError, match=r"no row of .* has a label"):
            RowSource(RowFile(path, TextFormat(delimiter=delimiter)))
        return
    source = RowSource(RowFile(path, TextFormat(delimiter=delimiter)))
    assert len(source) == len(rows)
    assert set(source.class_names) == {label for label, _ in expected if label}
    for index, (label, text) in enumerate(expected):
        assert source.peek(index).key == f"a.csv:{index + 2}"
        if not text.strip():
            with pytest.raises(ReadError, match=r'has no text; set on_error="skip" to drop such rows$'):
                source.read(index)
            continue
        sample = source.read(index)
        assert (sample.encoded or b"").decode() == text
        assert bool(sample.label_fault) == (not label)
        if label:
            assert source.class_names[sample.label] == label


@given(text=st.text(st.sampled_from('ab,"\n\r \ufeff'), max_size=40))
def test_any_text_has_the_rows_that_csv_reads(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Row for row and cell for cell; where quotes are wrong, the row is named instead."""
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_bytes(b"label,text\n" + text.encode())
    theirs = [
        row
        for row in list(csv.reader(io.StringIO("label,text\n" + text, newline="")))[1:]
        if row and "".join(row).strip()
    ]
    try:
        rows = RowFile(path)
    except SourceError as error:
        assert "contains only a header" in str(error)  # noqa: PT017
        assert not theirs
        return
    assert isinstance(rows.format, Table)
    ours = []
    for index in range(len(rows)):
        try:
            ours.append(rows.format.cells(rows[index]))
        except ValueError as error:
            assert "is not a valid CSV row" in str(error)  # noqa: PT017
            ours.append(next(csv.reader(io.StringIO(rows[index], newline=""))))
    # A quote that is never closed takes the line end of its last line in; a row has none.
    ends = [[*row[:-1], row[-1].rstrip("\r\n")] for row in ours if "".join(row).strip()]
    assert ends == [[*row[:-1], row[-1].rstrip("\r\n")] for row in theirs]


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=6), line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_tab_separated_rows_are_not_quoted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], line_end: str
) -> None:
    """As `csv` reads them with QUOTE_NONE."""
    clean = [tuple("".join(c for c in cell if c not in "\t\r\n") for cell in row) for row in rows]
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    content = "label\ttext" + line_end + "".join(f"{label}\t{text}{line_end}" for label, text in clean)
    path.write_bytes(content.encode())
    theirs = list(csv.reader(io.StringIO(content, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    read = RowFile(path)
    assert isinstance(read.format, Table)
    assert [read.format.cells(read[index]) for index in range(len(read))] == theirs


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6), st.sampled_from(",;|"))
def test_a_row_with_another_text_reads_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    """Writing a text into a row and reading it is the identity, and the other cells stay."""
    table = Table(delimiter, 1, 0, 3)
    for label, text in rows:
        row = table.with_text(delimiter.join(["l", "old", "more"]), text)
        assert table.cells(row) == ["l", text, "more"]
        row = JsonRow().with_text(JsonRow("label").with_text('{"text": "", "label": ""}', label), text)
        if text.strip():
            assert table.text(table.with_text(row="l,old,more".replace(",", delimiter), text=text)) == text
            assert JsonRow().text(row) == text
        if label.strip():
            assert JsonRow().label(row) == label.strip()


def test_fingerprints_do_not_change_with_what_formats_check() -> None:
    """They contain the formats' `repr`."""
    assert repr(LabeledLine(labeled=False)) == "LabelledLine(labelled=False)"
    assert repr(Table(",", 1, 0, 2, True, ("a", "b"))) == "Table(delimiter=',', text_column=1, label_column=0)"
    assert repr(JsonRow()) == "JsonRow(text_name=None, label_name=None)"


BINARY = {
    "gz": (b"\x1f\x8b\x08\0", "is a gzip archive, not UTF-8 text; decompress it"),
    "bz2": (b"BZh91AY&SY", "is a bzip2 archive"),
    "xz": (b"\xfd7zXZ\0", "is an xz archive"),
    "zip": (b"PK\x03\x04\x14", "is a ZIP archive, or an Excel or Word file"),
    "jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a JPEG image"),
    "png": (b"\x89PNG\r\n\x1a\n", "is a PNG image"),
    "gif": (b"GIF89a\x01\0\x01\0", "is a GIF image"),
    "parquet": (b"PAR1\x15\0", "is a Parquet file"),
    "pickle": (b"\x80\x04\x95\x05", "is a pickle"),
    "npy": (b"\x93NUMPY\x01\0", "is a NumPy file"),
    "utf16": ("\ufeff0 x\n".encode("utf-16-le"), "is in UTF-16, not UTF-8 text; convert it to UTF-8"),
    "utf16le": ("0 x\n".encode("utf-16-le"), "contains NUL bytes: it is binary, or in UTF-16 or UTF-32; convert it"),
    "webp": (b"RIFF\x10\0\0\0WEBPVP8 ", "is a WebP image"),
    "mp4": (b"\0\0\0\x18ftypmp42", "is a video, or an image"),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", BINARY)
def test_a_file_that_is_not_text_is_refused_by_what_it_is(tmp_path: Path, name: str, kind: Any) -> None:
    """In every format, and by the format that its extension has."""
    head, message = BINARY[name]
    (tmp_path / "a.csv").write_bytes(head + b" more\n" * 3)
    for text_format in (TextFormat(kind), None):
        with pytest.raises(SourceError) as caught:
            open_text_source(tmp_path / "a.csv", text_format=text_format)
        assert str(caught.value).startswith(f"{tmp_path / 'a.csv'} {message}")


@pytest.mark.parametrize("text", [b"PAR1 is a label", b"BZh is one", b"GIF89a too", b"II* x", b"Rar!", b"7z", b"Obj"])
def test_text_that_starts_like_a_file_is_text(text: bytes) -> None:
    """Letters alone are no sign."""
    assert describe_binary(text + b" and more\n") == ""


@pytest.mark.parametrize(
    "document", ["[{\n", '[{"text": "x"}]\n', "[\n  {\n", "{\n", "[]", ' \n["x",\n', "<!DOCTYPE html>\n", "<html>"]
)
@pytest.mark.parametrize("name", ["a.json", "a.txt", "a.jsonl"])
def test_one_document_is_not_rows(tmp_path: Path, document: str, name: str) -> None:
    """A JSON array or object over several lines, or an HTML page."""
    (tmp_path / name).write_text(document)
    with pytest.raises(SourceError, match=r"is one JSON document; write one JSON object per line|is an HTML page"):
        open_text_source(tmp_path / name)


pieces = [
    b"0",
    b" x",
    b"label",
    b"text",
    b"\t",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\r\n",
    b'{"text":',
    b'"a"}',
    b"[",
    b"\xff",
    b"\0",
]
pieces += [b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x85", b"\x0b", b"0 x\n", b"label\ttext\n", b"0\tx\n"]


@given(
    content=st.lists(st.sampled_from(pieces), max_size=30).map(b"".join),
    kind=st.sampled_from([None, *FORMATS]),
    name=st.sampled_from(["a.txt", "a.tsv", "a.csv", "a.jsonl", "a.json"]),
)
def test_every_line_is_a_sample_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: Any, name: str
) -> None:
    """Any bytes: the file is refused, or each line that is not blank is read, or a bad sample; and nothing else."""
    path = tmp_path_factory.mktemp("rows") / name
    path.write_bytes(content)
    try:
        source = open_text_source(path, text_format=TextFormat(kind))
    except SourceError:
        return
    assert isinstance(source, RowSource)
    for index in range(len(source)):
        try:
            sample = source.read(index)
        except ReadError as error:
            assert error.sample == source.peek(index).key  # noqa: PT017
            continue
        assert (sample.encoded or b"").strip()
        assert sample.label == NO_LABEL or source.class_names[sample.label].strip()
    if source.rows.kind == "csv":
        return  # `test_any_text_has_the_rows_that_csv_reads`
    lines = re.split(rb"\r?\n" if b"\n" in content else rb"\r", content.removeprefix(b"\xef\xbb\xbf"))
    blank = b" \r\n\x0b\x0c" if source.rows.kind == "tsv" else b" \t\r\n\x0b\x0c"
    assert len(source) + (source.rows.header is not None) == sum(bool(line.strip(blank)) for line in lines)


def test_a_nul_far_inside_is_a_bad_sample(tmp_path: Path) -> None:
    """The rows before it are read."""
    import pipeline

    (tmp_path / "a.txt").write_bytes(b"0 x\n" * 2000 + b"1 y\0z\n0 w\n")
    loader = pipeline.TextLoader(tmp_path / "a.txt", on_error="skip")
    assert sum(len(texts) for texts, _ in loader.dataset().as_numpy_iterator()) == 2001
    assert [(row.sample, row.stage) for row in loader.errors] == [("a.txt:2001", "decode")]
    assert "has a NUL character" in loader.errors[0].reason


def test_records_under_another_name_are_records(tmp_path: Path) -> None:
    """Their first length and its checksum are certain."""
    from pipeline.records.tfrecord import example, frame

    (tmp_path / "a.data").write_bytes(frame(example({"text": b"x", "label": 0})))
    assert open_text_source(tmp_path / "a.data").read(0).encoded == b"x"
