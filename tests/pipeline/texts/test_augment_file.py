"""Augmenting a file: what is written, that it can be interrupted anywhere, and what is refused."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from augment.text import EDA
from pipeline.errors import ConvertError, OptionError, SourceError
from pipeline.sources.text_format import TextFormat
from pipeline.texts import augment_file as module
from pipeline.texts.augment_file import TextJob, augment_file
from pipeline.texts.workers import TextWorkers

SENTENCES = [f'number {number} is a good "film", and a bad day' for number in range(60)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file have many chunks."""
    monkeypatch.setattr(module, "_CHUNK", 8)


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all jobs of a test that augment alike share one process, which each would start anew."""
    worker = TextWorkers(EDA(num_aug=3), 3, 1)

    def share_worker(eda: EDA, num_aug: int, count: int) -> TextWorkers:
        assert (eda, num_aug, count) == (EDA(num_aug=3), 3, 1)
        return worker

    monkeypatch.setattr(module, "TextWorkers", share_worker)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Write 60 `label text` lines."""
    path = tmp_path / "in.txt"
    path.write_text("".join(f"{number % 2} {text}\n" for number, text in enumerate(SENTENCES)))
    return path


def job(num_aug: int = 3, **options: Any) -> TextJob:
    """Make a job."""
    return TextJob(eda=EDA(num_aug=num_aug), **options)


def test_each_row_is_followed_by_its_variants(lines: Path, tmp_path: Path) -> None:
    """With its label; they are those of `eda(text, key=(seed, 0, row))`."""
    out = tmp_path / "out.txt"
    report = augment_file(lines, out, job(seed=4))
    expected = [
        f"{number % 2} {text}"
        for number, sentence in enumerate(SENTENCES)
        for text in (sentence, *EDA(num_aug=3)(sentence, (4, 0, number)))
    ]
    assert out.read_text().splitlines() == expected
    assert report == {
        "rows": 60,
        "written": 240,
        "recoded": 0,
        "skipped": [],
        "resumed": 0,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_the_number_of_processes_changes_nothing(lines: Path, tmp_path: Path) -> None:
    """One and three write the same bytes."""
    digests = [augment_file(lines, tmp_path / f"{count}.txt", job(processes=count))["sha256"] for count in (1, 3)]
    assert digests[0] == digests[1]


def test_tables_keep_their_header_and_other_columns(tmp_path: Path) -> None:
    """TSV, CSV and JSONL, each read back by a reader of its own."""
    rows = [[str(number), text, "xyz"[number % 3]] for number, text in enumerate(SENTENCES[:20])]
    with open(tmp_path / "in.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", "text", "label"], *rows])
    augment_file(tmp_path / "in.csv", tmp_path / "out.csv", job(2))
    with open(tmp_path / "out.csv", newline="") as file:
        header, *written = csv.reader(file)
    assert header == ["id", "text", "label"]
    assert [row[0] for row in written] == [row[0] for row in rows for _ in range(3)]
    assert written[::3] == rows
    (tmp_path / "in.tsv").write_text("sentence\tlabel\n" + "".join(f"{text}\t{label}\n" for _, text, label in rows))
    augment_file(tmp_path / "in.tsv", tmp_path / "out.tsv", job(2, keep_original=False))
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert lines[0] == "sentence\tlabel"
    assert [line.split("\t")[0] for line in lines[1:]] == [row[1] for row in written if row[1] not in SENTENCES]
    objects = [{"id": number, "text": text, "tags": ["a"]} for number, text in enumerate(SENTENCES[:5])]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(each) + "\n" for each in objects))
    augment_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", job(1))
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert made[::2] == objects
    assert all(each["tags"] == ["a"] for each in made)


@pytest.mark.usefixtures("one_worker")
def test_an_interrupted_job_goes_on_where_it_was(lines: Path, tmp_path: Path) -> None:
    """After each chunk, and after one that was written halfway: the result is that of one run."""
    whole = augment_file(lines, tmp_path / "whole.txt", job())["sha256"]

    for stop_after in range(1, 8):
        out = tmp_path / f"out{stop_after}.txt"

        def stop(done: int, _: int, limit: int = 8 * stop_after) -> None:
            if done >= limit:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            augment_file(lines, out, job(), progress=stop)
        assert not out.exists()
        with open(tmp_path / f".{out.name}.partial", "ab") as partial:
            partial.write(b"half a li")
        with open(tmp_path / f".{out.name}.journal", "ab") as journal:
            journal.write(b'{"job": "')
        report = augment_file(lines, out, job())
        assert report["resumed"] == 8 * stop_after
        assert report["written"] == 240
        assert report["sha256"] == whole
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.usefixtures("one_worker")
def test_a_job_that_is_interrupted_again_goes_on_from_there(lines: Path, tmp_path: Path) -> None:
    """What a kill has cut off in the journal does not hide what is written behind it."""
    whole = augment_file(lines, tmp_path / "whole.txt", job())["sha256"]
    out = tmp_path / "out.txt"
    for resumed in (0, 16, 32):

        def stop(done: int, _: int, limit: int = resumed + 16) -> None:
            if done >= limit:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            augment_file(lines, out, job(), progress=stop)
        with open(tmp_path / f".{out.name}.journal", "ab") as journal:
            journal.write(b'{"job": "')
    report = augment_file(lines, out, job())
    assert (report["resumed"], report["sha256"]) == (48, whole)


def test_original_rows_stay_as_they_are(tmp_path: Path) -> None:
    """What separates the label, and the characters that only some programs take for a line's end."""
    rows = ["1\ta\u0085good\u2028film\n", "0  two\x0b spaces\x1c!\n"]
    (tmp_path / "in.txt").write_bytes("".join(rows).encode())
    augment_file(tmp_path / "in.txt", tmp_path / "out.txt", job(1))
    written = (tmp_path / "out.txt").read_bytes().decode().split("\n")
    assert [f"{line}\n" for line in written if f"{line}\n" in rows] == rows
    assert all(line.startswith(("1\t", "0 ")) for line in written[:-1])


@pytest.mark.usefixtures("one_worker")
def test_another_job_begins_anew(lines: Path, tmp_path: Path) -> None:
    """Other options, or a changed source, do not go on with what was written."""

    def stop(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        augment_file(lines, tmp_path / "out.txt", job(), progress=stop)
    report = augment_file(lines, tmp_path / "out.txt", job(seed=1))
    assert report["resumed"] == 0
    assert report["sha256"] == augment_file(lines, tmp_path / "again.txt", job(seed=1))["sha256"]


def test_odd_rows_are_counted_not_lost(tmp_path: Path) -> None:
    """Latin-1 is read by the rule, what has no text is named, and wordless texts are written once."""
    path = tmp_path / "in.tsv"
    path.write_bytes(b"label\ttext\n0\tcaf\xe9 is good\n1\n0\t\n1\t!!!\n0\t\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\n")
    report = augment_file(path, tmp_path / "out.tsv", job(2))
    assert (report["rows"], report["recoded"]) == (5, 1)
    assert [row["row"] for row in report["skipped"]] == ["in.tsv:3", "in.tsv:4"]
    rows = (tmp_path / "out.tsv").read_text().splitlines()
    assert rows[1] == "0\tcafé is good"
    assert rows[4:] == ["1\t!!!", "0\t\u05e9\u05dc\u05d5\u05dd"]
    strict = augment_file(path, tmp_path / "strict.tsv", job(2, format=TextFormat(fallback=None)))
    assert len(strict["skipped"]) == 3


def test_rows_that_a_loader_calls_bad_are_skipped(tmp_path: Path) -> None:
    """An empty label is named, and not written."""
    (tmp_path / "in.csv").write_text("text,label\na good film,0\na bad film,\nso bad,1\n")
    report = augment_file(tmp_path / "in.csv", tmp_path / "out.csv", job(1))
    assert report["skipped"] == [{"row": "in.csv:3", "reason": "has an empty label (column 1, counted from 0)"}]
    with open(tmp_path / "out.csv", newline="") as file:
        assert [row[1] for row in csv.reader(file)] == ["label", "0", "0", "1", "1"]


def test_a_table_is_read_by_its_delimiter(tmp_path: Path) -> None:
    """And written with it; a row that does not fit is named."""
    (tmp_path / "in.csv").write_text("label;text\n0;a good film\n1;bad; really bad\n1;so bad\n")
    report = augment_file(tmp_path / "in.csv", tmp_path / "out.csv", job(1, format=TextFormat(delimiter=";")))
    assert [row["row"] for row in report["skipped"]] == ["in.csv:3"]
    with open(tmp_path / "out.csv", newline="") as file:
        header, *written = csv.reader(file, delimiter=";")
    assert header == ["label", "text"]
    assert written[::2] == [["0", "a good film"], ["1", "so bad"]]
    assert len(written) == 4


def test_the_label_is_never_augmented(tmp_path: Path) -> None:
    """A table whose text is not certain is refused, whatever its other columns."""
    (tmp_path / "in.csv").write_text("file,label\na.txt,very good\nb.txt,very bad\n")
    with pytest.raises(SourceError, match="set text_column"):
        augment_file(tmp_path / "in.csv", tmp_path / "out.csv", job(1))
    assert not (tmp_path / "out.csv").exists()


def test_what_would_do_harm_is_refused(lines: Path, tmp_path: Path) -> None:
    """The source itself, a file that is there, another format, a source that is not there."""
    (tmp_path / "there.txt").write_text("mine")
    with pytest.raises(ConvertError, match="is the source; choose another"):
        augment_file(lines, lines, job(), overwrite=True)
    with pytest.raises(ConvertError, match="exists; use overwrite to replace it"):
        augment_file(lines, tmp_path / "there.txt", job())
    assert (tmp_path / "there.txt").read_text() == "mine"
    assert augment_file(lines, tmp_path / "there.txt", job(), overwrite=True)["written"] == 240
    with pytest.raises(OptionError, match=r"has the extension of 'csv'"):
        augment_file(lines, tmp_path / "out.csv", job())
    with pytest.raises(SourceError, match="cannot be read"):
        augment_file(tmp_path / "none.txt", tmp_path / "out.txt", job())
