"""Tests of converting datasets into TFRecords."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline.errors import ConvertError, DecodeError, TooManyErrorsError


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_plain_tensorflow_reads_every_example_with_its_features(folders: Callable[..., Path], tmp_path: Path) -> None:
    """TensorFlow alone finds the files' bytes, names, sizes and labels, in the order of the source."""
    import tensorflow as tf

    source = folders(ants=3, bees=4)
    manifest = pipeline.convert(source, tmp_path / "out", shards=2)
    shards = [str(tmp_path / "out" / shard["name"]) for shard in manifest["shards"]]
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/format": tf.io.FixedLenFeature([], tf.string),
        "image/height": tf.io.FixedLenFeature([], tf.int64),
        "image/width": tf.io.FixedLenFeature([], tf.int64),
        "image/filename": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        "image/class/text": tf.io.FixedLenFeature([], tf.string),
    }
    examples = [
        {name: value.numpy() for name, value in tf.io.parse_single_example(record, features).items()}
        for record in tf.data.TFRecordDataset(shards)
    ]
    paths = sorted(path for path in source.rglob("*.png"))
    assert [example["image/encoded"] for example in examples] == [path.read_bytes() for path in paths]
    assert [example["image/filename"].decode() for example in examples] == [
        str(path.relative_to(source)) for path in paths
    ]
    assert [int(example["image/class/label"]) for example in examples] == [0, 0, 0, 1, 1, 1, 1]
    assert {(example["image/format"], example["image/height"], example["image/width"]) for example in examples} == {
        (b"png", 8, 10)
    }


def test_folder_and_its_records_stream_the_same_batches(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A loader yields the same images, labels and keys from a folder and from its converted dataset."""
    import albumentations as A  # noqa: N812

    source = folders(ants=5, bees=6)
    pipeline.convert(source, tmp_path / "out", shards=3)
    augment = A.Compose([A.RandomCrop(6, 6), A.HorizontalFlip(), A.ColorJitter()])
    streams = [
        list(
            pipeline.Loader(path, image_size=(6, 6), batch_size=4, augment=augment, seed=3)
            .dataset(1, with_keys=True)
            .as_numpy_iterator()
        )
        for path in (source, tmp_path / "out")
    ]
    for left, right in zip(*streams, strict=True):
        for here, there in zip(left, right, strict=True):
            np.testing.assert_array_equal(here, there)


def test_converting_twice_gives_the_same_bytes(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Shards, index files and manifest are the same, byte for byte."""
    source = folders(ants=3, bees=4)
    for name in ("first", "second"):
        pipeline.convert(source, tmp_path / name / "out", shards=2)
    assert contents(tmp_path / "first" / "out") == contents(tmp_path / "second" / "out")


def test_names_that_are_not_utf8_survive(tmp_path: Path, encode: Callable[..., bytes], picture: Callable) -> None:
    """A file name of arbitrary bytes becomes the same key."""
    import os

    folder = tmp_path / "source" / os.fsdecode(b"caf\xe9")
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xff\n.png")).write_bytes(encode(picture(0)))
    pipeline.convert(tmp_path / "source", tmp_path / "out")
    loader = pipeline.Loader(tmp_path / "out", batch_size=None)
    (keys,) = [key for *_, key in loader.dataset(with_keys=True).as_numpy_iterator()]
    assert keys == b"caf\xe9/\xff\n.png"
    assert loader.class_names == (os.fsdecode(b"caf\xe9"),)


def test_arrays_are_stored_without_loss(tmp_path: Path, picture: Callable[..., np.ndarray]) -> None:
    """Pixels of arrays are the same after the conversion, also gray ones."""
    images = np.stack([picture(number, channels=1) for number in range(5)])
    pipeline.convert((images, [0, 1, 2, 0, 1]), tmp_path / "out", class_names=["a", "b", "c"])
    loader = pipeline.Loader(tmp_path / "out", image_size=None, batch_size=5, color_mode="grayscale", shuffle=False)
    loaded, labels = next(loader.dataset().as_numpy_iterator())
    np.testing.assert_array_equal(loaded, images)
    assert labels.tolist() == [0, 1, 2, 0, 1]


def test_existing_destination_is_refused_and_kept(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Without `overwrite` a destination that is not empty stays unchanged."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("three years")
    with pytest.raises(ConvertError, match="is not empty; use overwrite=True to replace a converted dataset"):
        pipeline.convert(folders(ants=1), tmp_path / "out")
    assert contents(tmp_path / "out") == {"thesis.txt": b"three years"}


def test_overwrite_replaces_only_once_the_new_one_is_complete(folders: Callable[..., Path], tmp_path: Path) -> None:
    """With `overwrite`, a failed conversion keeps the old dataset; a successful one leaves no trace of it."""
    pipeline.convert(folders(ants=2), tmp_path / "out")
    before = contents(tmp_path / "out")
    broken = folders(bees=2)
    (broken / "bees" / "1.png").write_bytes(b"no image")
    with pytest.raises(DecodeError, match=r"bees/1.png: not a JPEG, PNG, GIF, BMP or WebP image"):
        pipeline.convert(broken, tmp_path / "out", overwrite=True)
    assert contents(tmp_path / "out") == before
    pipeline.convert(folders(wasps=3), tmp_path / "out", overwrite=True)
    assert pipeline.Loader(tmp_path / "out").class_names == ("wasps",)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_skipped_samples_are_listed_and_counted(folders: Callable[..., Path], tmp_path: Path) -> None:
    """With "skip" the manifest counts the bad samples, and `skipped.jsonl` lists each with its reason."""
    source = folders(ants=3)
    (source / "ants" / "1.png").write_bytes(b"")
    manifest = pipeline.convert(source, tmp_path / "out", on_error="skip")
    assert (manifest["num_examples"], manifest["num_skipped"]) == (2, 1)
    (row,) = map(json.loads, (tmp_path / "out" / "skipped.jsonl").read_text().splitlines())
    assert row == {"sample": "ants/1.png", "stage": "decode", "reason": "the file is empty"}
    assert pipeline.verify(tmp_path / "out", decode=True) == ()


def test_too_many_bad_samples_end_the_job_and_leave_nothing(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Above `max_errors` there is no destination."""
    source = folders(ants=3)
    for name in ("0", "1"):
        (source / "ants" / f"{name}.png").write_bytes(b"")
    with pytest.raises(TooManyErrorsError, match="2 of 3 samples are bad, more than max_errors=1"):
        pipeline.convert(source, tmp_path / "out", on_error="skip", max_errors=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shards", [0, 8])
def test_impossible_number_of_shards_is_refused(folders: Callable[..., Path], tmp_path: Path, shards: int) -> None:
    """There are at most as many shards as samples."""
    with pytest.raises(ConvertError, match=f"shards={shards} is out of range for 7 samples; use 1 to 7"):
        pipeline.convert(folders(ants=3, bees=4), tmp_path / "out", shards=shards)


def test_progress_reaches_all_samples(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The last progress report counts all samples."""
    reports: list[tuple[int, int]] = []
    pipeline.convert(folders(ants=3), tmp_path / "out", progress=lambda done, total: reports.append((done, total)))
    assert reports == [(1, 3), (2, 3), (3, 3)]


def test_overwrite_replaces_nothing_but_a_converted_dataset(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A folder of the user, or a dataset that contains another file, is refused and kept."""
    source, target = folders(ants=2), tmp_path / "out"
    target.mkdir()
    (target / "thesis.txt").write_text("three years")
    with pytest.raises(ConvertError, match="is not a converted dataset; remove it"):
        pipeline.convert(source, target, overwrite=True)
    (target / "thesis.txt").rename(tmp_path / "thesis.txt")
    pipeline.convert(source, target)
    (tmp_path / "thesis.txt").rename(target / "thesis.txt")
    with pytest.raises(ConvertError, match=r"contains 'thesis.txt', which is not part of its dataset"):
        pipeline.convert(source, target, overwrite=True)
    assert (target / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize("destination", [".", "ants", "..", "new/deep"])
def test_source_and_destination_must_not_overlap(folders: Callable[..., Path], destination: str) -> None:
    """A destination that is the source, contains it or is inside it is refused before anything is written."""
    source = folders(ants=2)
    before = sorted(source.rglob("*"))
    with pytest.raises(ConvertError, match="must not contain each other"):
        pipeline.convert(source, source / destination, overwrite=True)
    assert sorted(source.rglob("*")) == before


def test_a_second_conversion_to_the_same_destination_is_refused(folders: Callable[..., Path], tmp_path: Path) -> None:
    """While a conversion runs, another one to the same destination is refused."""
    source = folders(ants=3)

    def again(done: int, _: int) -> None:
        if done == 1:
            with pytest.raises(ConvertError, match=r"another conversion to .* is running"):
                pipeline.convert(source, tmp_path / "out")

    pipeline.convert(source, tmp_path / "out", progress=again)
    assert pipeline.verify(tmp_path / "out") == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folders0", "out"]


def test_files_too_large_to_be_images_are_never_read(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A sparse file of 10 GiB is a bad sample, and there are at most as many shards as samples."""
    source = folders(ants=3)
    with open(source / "ants" / "9.jpg", "wb") as file:
        file.truncate(10 << 30)
    manifest = pipeline.convert(source, tmp_path / "out", on_error="skip")
    assert (manifest["num_examples"], manifest["num_skipped"]) == (3, 1)
    assert len(manifest["shards"]) == 4
