"""Converting texts to TFRecords: from class-folders, rows and other TFRecords."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.errors import OptionError, ReadError, SourceError

SENTENCES = ("a fine film", 'dull and "long"', "caf\u00e9, again", "good", "bad", "not bad", "so so")


def rows(path: Path, kind: str) -> Path:
    """Write the sentences as rows, every other one positive."""
    labeled = [("pos" if number % 2 else "neg", text) for number, text in enumerate(SENTENCES)]
    lines = {
        "label text": [f"{label} {text}" for label, text in labeled],
        "tsv": ["label\tsentence", *(f"{label}\t{text}" for label, text in labeled)],
        "csv": ["text,label", *('"' + text.replace('"', '""') + f'",{label}' for label, text in labeled)],
        "jsonl": [json.dumps({"text": text, "label": label}) for label, text in labeled],
    }[kind]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def folders(root: Path) -> Path:
    """Write the sentences as class-folders."""
    for number, text in enumerate(SENTENCES):
        path = root / ("pos" if number % 2 else "neg") / "deep" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def parse_records(root: Path) -> list[tuple[bytes, int, bytes, bytes]]:
    """Read a dataset with TensorFlow alone: (text, label, name of the class, key)."""
    import tensorflow as tf

    features = {
        "text": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "label/text": tf.io.FixedLenFeature([], tf.string),
        "text/filename": tf.io.FixedLenFeature([], tf.string),
    }
    dataset = tf.data.TFRecordDataset(sorted(map(str, root.glob("*.tfrecord"))))
    return [
        (row["text"], int(row["label"]), row["label/text"], row["text/filename"])
        for row in dataset.map(lambda data: tf.io.parse_single_example(data, features)).as_numpy_iterator()
    ]


@pytest.mark.parametrize(
    ("kind", "name", "first"),
    [("label text", "a.train", 1), ("tsv", "a.tsv", 2), ("csv", "a.csv", 2), ("jsonl", "a.jsonl", 1)],
)
def test_rows_become_records_that_tensorflow_reads(tmp_path: Path, kind: str, name: str, first: int) -> None:
    """Every format of rows gives the same texts and labels, and the file and line as a key."""
    manifest = pipeline.convert(rows(tmp_path / name, kind), tmp_path / "out", shards=2)
    assert manifest["class_names"] == ["neg", "pos"]
    assert parse_records(tmp_path / "out") == [
        (text.encode(), number % 2, (b"neg", b"pos")[number % 2], f"{name}:{number + first}".encode())
        for number, text in enumerate(SENTENCES)
    ]
    assert pipeline.verify(tmp_path / "out", decode=True) == ()


def test_a_folder_its_records_and_resharded_records_give_one_stream(tmp_path: Path) -> None:
    """A loader yields the same texts from class-folders of .txt files, their TFRecords, and these resharded."""
    source = folders(tmp_path / "texts")
    (source / "readme.txt").write_text("in no class")
    pipeline.convert(source, tmp_path / "one", shards=3)
    pipeline.convert(tmp_path / "one", tmp_path / "two", shards=2)
    options: dict[str, Any] = {"seed": 5, "batch_size": None}
    streams = [
        list(pipeline.text_dataset(path, **options).as_numpy_iterator())
        for path in (source, tmp_path / "one", tmp_path / "two")
    ]
    assert streams[0] == streams[1] == streams[2]
    assert len(streams[0]) == len(SENTENCES)


def test_texts_are_shuffled_split_and_written_by_processes_and_by_one(tmp_path: Path) -> None:
    """The other options work as for images; any number of workers writes the same bytes."""
    source = rows(tmp_path / "a.tsv", "tsv")
    written = []
    for workers in (1, 2):
        out = tmp_path / str(workers) / "out"
        options: dict[str, Any] = {"split": {"train": 0.7, "val": 0.3}, "stratify": True, "shuffle": True, "shards": 1}
        pipeline.convert(source, out, workers=workers, **options)
        written.append({path.name: path.read_bytes() for path in out.rglob("*.tfrecord")})
        assert pipeline.verify(out) == ()
        assert sorted(row for part in ("train", "val") for row in parse_records(out / part)) == sorted(
            (text.encode(), number % 2, (b"neg", b"pos")[number % 2], f"a.tsv:{number + 2}".encode())
            for number, text in enumerate(SENTENCES)
        )
    assert written[0] == written[1]


def test_a_source_of_rows_can_be_sent_to_another_process(tmp_path: Path) -> None:
    """A source of rows opens its file again when it is unpickled, in a spawned process or a Ray worker."""
    import pickle

    from pipeline.sources.text import open_text_source

    source = open_text_source(rows(tmp_path / "a.csv", "csv"))
    again = pickle.loads(pickle.dumps(source))  # noqa: S301  # of our own
    assert [again.read(index) for index in range(len(again))] == [source.read(index) for index in range(len(source))]


def test_another_encoding_becomes_utf_8(tmp_path: Path) -> None:
    """Texts are read in `encoding`, or as Latin-1 if they are not UTF-8, as by the loader."""
    (tmp_path / "a.train").write_bytes("1 na\u00efve\n0 caf\u00e9\n".encode("latin-1"))
    pipeline.convert(tmp_path / "a.train", tmp_path / "out")
    assert [row[0] for row in parse_records(tmp_path / "out")] == ["na\u00efve".encode(), "caf\u00e9".encode()]
    pipeline.convert(tmp_path / "a.train", tmp_path / "other", encoding="cp1251")
    assert parse_records(tmp_path / "other")[0][0] == "na\u043fve".encode()


def test_columns_and_format_are_chosen(tmp_path: Path) -> None:
    """`text_format` and the columns describe a file with an unknown extension; unlabeled texts have no label."""
    (tmp_path / "a.dat").write_text("x\tgood\t1\ny\tbad\t0\n")
    pipeline.convert(tmp_path / "a.dat", tmp_path / "out", text_format="tsv", text_column=1, label_column=2)
    assert [row[:2] for row in parse_records(tmp_path / "out")] == [(b"good", 1), (b"bad", 0)]
    manifest = pipeline.convert(tmp_path / "a.dat", tmp_path / "bare", text_format="text")
    assert (manifest["class_names"], manifest["num_examples"]) == ([], 2)
    assert pipeline.verify(tmp_path / "bare") == ()


def test_a_bad_row_is_named_or_skipped(tmp_path: Path) -> None:
    """A row without the text column is a bad sample."""
    (tmp_path / "a.tsv").write_text("label\ttext\n0\tgood\n1\n1\tbad\n")
    with pytest.raises(ReadError, match=r"a\.tsv:3"):
        pipeline.convert(tmp_path / "a.tsv", tmp_path / "out")
    manifest = pipeline.convert(tmp_path / "a.tsv", tmp_path / "out", on_error="skip")
    assert (manifest["num_examples"], manifest["num_skipped"]) == (2, 1)
    assert json.loads((tmp_path / "out" / "skipped.jsonl").read_text())["sample"] == "a.tsv:3"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "folder"}, "supports images only; convert texts with"),
        ({"resize_short": 5}, "resize_short applies to images"),
        ({"format": "png"}, "format applies to images"),
        ({"encoding": "klingon"}, "encoding must be a text encoding that Python knows; got 'klingon'"),
        ({"encoding": "hex"}, "encoding must be a text encoding that Python knows; got 'hex'"),
        ({"text_format": "xml"}, "text_format must be one of"),
    ],
)
def test_options_of_images_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """No option is ignored silently."""
    with pytest.raises(OptionError, match=message):
        pipeline.convert(rows(tmp_path / "a.tsv", "tsv"), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_images_are_not_taken_for_texts(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A folder of images with notes in it stays a folder of images; a damaged TFRecord file is refused."""
    source = folders(ants=2)
    (source / "ants" / "notes.txt").write_text("two ants")
    assert pipeline.convert(source, tmp_path / "out")["num_examples"] == 2
    (tmp_path / "bad.tfrecord").write_bytes(b"no record at all")
    with pytest.raises(SourceError, match="not a TFRecord file, or a damaged one"):
        pipeline.convert(tmp_path / "bad.tfrecord", tmp_path / "other")
    (tmp_path / "photo").write_bytes((source / "ants" / "0.png").read_bytes())
    with pytest.raises(SourceError, match="not a TFRecord file, or a damaged one"):
        pipeline.convert(tmp_path / "photo", tmp_path / "other")


def test_verify_names_what_is_wrong_with_a_text(tmp_path: Path) -> None:
    """Faults name shard, record and offset, as for images."""
    pipeline.convert(rows(tmp_path / "a.tsv", "tsv"), tmp_path / "out", shards=1)
    (shard,) = (tmp_path / "out").glob("*.tfrecord")
    data = bytearray(shard.read_bytes())
    position = data.index(b"dull")
    data[position] ^= 1
    shard.write_bytes(data)
    faults = [fault for fault in pipeline.verify(tmp_path / "out") if fault.record is not None]
    assert [(fault.file, fault.record, fault.reason) for fault in faults] == [
        (shard.name, 1, "the record fails its checksum")
    ]
    assert 0 < (faults[0].offset or 0) < position
