"""Tables without a header in files of no known extension: they are refused, and labeled lines are not."""

import logging
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import ReadError, SourceError
from pipeline.sources.rows import RowFile
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat


def write(path: Path, rows: list[str]) -> Path:
    """Write rows to a file."""
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


NUMBERS = range(30)
TABLES = {
    "text, tab, label": ([f"some text {n} is here\t{'pos' if n % 2 else 'neg'}" for n in NUMBERS], "tsv", "\t"),
    "number, tab, text, tab, label": ([f"{n}\tsome text\t{n % 2}" for n in NUMBERS], "tsv", "\t"),
    "label, comma, text": ([f"{'pos' if n % 2 else 'neg'},some text {n}" for n in NUMBERS], "csv", ","),
    "label, comma, space, text": ([f"{'pos' if n % 2 else 'neg'}, some text {n}" for n in NUMBERS], "csv", ","),
    "text, comma, label": ([f"w{n} is here,{'pos' if n % 2 else 'neg'}" for n in NUMBERS], "csv", ","),
    "label, semicolon, text": ([f"{n % 2};some text, {n}" for n in NUMBERS], "csv", ";"),
    "label, bar, text": ([f"{n % 2}|some text {n}" for n in NUMBERS], "csv", "|"),
    "quoted": ([f'{n % 2},"some text, {n}"' for n in NUMBERS], "csv", ","),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("count", [2, 30])
def test_a_table_is_refused_with_its_format(tmp_path: Path, name: str, count: int) -> None:
    """The message names the options, and with them the file is read."""
    rows, kind, delimiter = TABLES[name]
    if count == 2 and name == "text, comma, label":
        pytest.skip("two rows do not show that their last cells are labels")
    path = write(tmp_path / "tl.txt", rows[:count])
    with pytest.raises(SourceError) as caught:
        pipeline.TextLoader(path)
    message = str(caught.value)
    given = f"format={kind!r}" + (f", delimiter={delimiter!r}" if delimiter in ";|" else "")
    assert message.startswith(f"{path} looks like {kind.upper()} with delimiter {delimiter!r}: its first row is ")
    assert f"; set {given}, or format='label text' if " in message
    assert RowFile(path, TextFormat(kind, delimiter=delimiter, text_column=0, label_column=1)).kind == kind
    assert RowFile(path, TextFormat("label text")).kind == "label text"


@pytest.mark.parametrize(
    "rows",
    [
        [f"{n % 2}\ta film, and number {n}" for n in NUMBERS],
        [f"{n % 2} a film, and number {n}" for n in NUMBERS],
        [f"{n % 2} good , bad ; {n} | x" for n in NUMBERS],
        [f"{'pos' if n % 2 else 'neg'} well, good" for n in NUMBERS],
        ["0 yes, good", "1 no, bad", "0 so so, good", "1 oh, bad"],
        ["a,b both of them", "a only one, or two, or more", "b only another"],
    ],
)
def test_labeled_lines_are_no_table(tmp_path: Path, rows: list[str]) -> None:
    """Delimiters in the texts do no harm, even the same number in each."""
    assert RowFile(write(tmp_path / "tl.txt", rows)).kind == "label text"


@pytest.mark.parametrize("name", ["stsa.binary.train", "stsa.binary.test", "TREC.train.all", "custrev.all"])
def test_real_corpora_are_no_tables(caudal_data: Path, name: str) -> None:
    """SST-2, TREC and CR, with their first rows anywhere in the file."""
    path = caudal_data / "text" / name
    rows = open_text_source(path).rows
    assert rows.kind == "label text"
    from pipeline.sources.text_row_formats import check_no_table

    for start in range(0, len(rows) - 2, 2):
        check_no_table([rows[index] for index in range(start, start + 2)], name)


def test_a_single_class_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As for class-folders."""
    path = write(tmp_path / "one.txt", ["x good", "x bad"])
    with caplog.at_level(logging.WARNING):
        assert open_text_source(path).class_names == ("x",)
        assert open_text_source(path, class_names=["x"]).class_names == ("x",)
    assert [record.getMessage() for record in caplog.records] == [f"{path}, read as 'label text': only one class, 'x'"]


def test_a_bad_row_says_what_to_do_and_its_reason_does_not(tmp_path: Path) -> None:
    """The message of the error ends with the remedy; the error log has the reason alone."""
    path = write(tmp_path / "a.csv", ["label,text", "0,x", "1,", ",y", "1,z"])
    source = open_text_source(path)
    with pytest.raises(ReadError, match=r'^a\.csv:3: has no text; set on_error="skip" to drop such rows$'):
        source.read(1)
    options = {"shuffle": False, "batch_size": 4}
    loader = pipeline.TextLoader(path, on_error="skip", **options)
    assert [len(texts) for texts, _ in loader.dataset()] == [2]
    assert [bad.reason for bad in loader.errors] == [
        "has no text",
        "has an empty label (column 0, counted from 0)",
    ]


def test_files_without_a_text_are_bad_samples(tmp_path: Path) -> None:
    """Class-folders and TFRecords, as rows are."""
    from pipeline.records.tfrecord import example, frame

    for name, text in (("a", "good"), ("b", "")):
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "x.txt").write_text(text)
    (tmp_path / "texts" / "b" / "y.txt").write_bytes(b"\xef\xbb\xbf \n")
    (tmp_path / "x.tfrecord").write_bytes(
        b"".join(frame(example({"text": text, "label": 0})) for text in (b"good", b"", b" \n"))
    )
    for source, names in (("texts", ["b/x.txt", "b/y.txt"]), ("x.tfrecord", ["x.tfrecord#1", "x.tfrecord#2"])):
        loader = pipeline.TextLoader(tmp_path / source, on_error="skip")
        assert sum(len(texts) for texts, _ in loader.dataset()) == 1
        assert sorted((bad.sample, bad.reason) for bad in loader.errors) == [(name, "has no text") for name in names]
