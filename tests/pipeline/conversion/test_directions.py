"""Conversions between folders, TFRecords and arrays."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline
from pipeline.errors import ConvertError, OptionError, TooManyErrorsError
from pipeline.records import tfrecord


def files(root: Path) -> dict[bytes, bytes]:
    """Read every file below a folder, by its path as bytes."""
    return {os.fsencode(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def keys(root: Path) -> list[bytes]:
    """Return the keys of a converted dataset, in order."""
    manifest = json.loads((root / "dataset.json").read_bytes())
    return [
        tfrecord.get_bytes_feature(tfrecord.parse_example(data), tfrecord.FILENAME) or b""
        for shard in manifest["shards"]
        for data in tfrecord.iterate_records(root / shard["name"])
    ]


def test_a_folder_comes_back_byte_for_byte(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]
) -> None:
    """Folder, TFRecords, other TFRecords, folder: the same files under the same names, in any encoding and case."""
    names = [
        *(b"Cat/a.png", b"Cat/A.PNG", b"cat/a.png", b"caf\xe9/\xff\n.jpg", "caf\u00e9/x.png".encode()),
        *(
            "cafe\u0301/x.png".encode(),
            b"deep/er/and/er.jpeg",
            b"deep/CON.png",
            b"a b/ -rf.webp",
            b"n/" + b"n" * 250 + b".png",
        ),
    ]
    for number, name in enumerate(names):
        path = tmp_path / "source" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture(number), "." + os.fsdecode(name).rpartition(".")[2].lower()))
    pipeline.convert(tmp_path / "source", tmp_path / "records", shards=3)
    pipeline.convert(tmp_path / "records", tmp_path / "resharded", shards=2, shuffle=True)
    pipeline.convert(tmp_path / "resharded", tmp_path / "back", to="folder", workers=1)
    assert files(tmp_path / "back") == files(tmp_path / "source")
    assert sorted(keys(tmp_path / "resharded")) == sorted(names)


def test_resharding_keeps_foreign_features(tmp_path: Path, encode: Callable[..., bytes], picture: Callable) -> None:
    """Features that Caudal does not know are kept; with label_offset=1, labels from 1 become labels from 0."""
    import tensorflow as tf

    feature = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encode(picture(0))])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
        "image/class/text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"ants"])),
        "image/object/bbox/xmin": tf.train.Feature(float_list=tf.train.FloatList(value=[0.25, 0.5])),
        "image/object/names": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"leg", b"head"])),
    }
    with tf.io.TFRecordWriter(str(tmp_path / "foreign.tfrecord")) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    pipeline.convert(tmp_path / "foreign.tfrecord", tmp_path / "out", label_offset=1)
    (shard,) = (tmp_path / "out").glob("*.tfrecord")
    example = tf.train.Example.FromString(next(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()))
    for name in ("image/object/bbox/xmin", "image/object/names", "image/encoded"):
        assert example.features.feature[name] == feature[name]
    assert list(example.features.feature["image/class/label"].int64_list.value) == [0]
    assert sorted(example.features.feature) == sorted({*feature, *tfrecord.FEATURES})


def test_records_of_one_name_get_unique_keys(tmp_path: Path, encode: Callable[..., bytes], picture: Callable) -> None:
    """Foreign records may all have the same name; the converted dataset verifies."""
    example: dict[str, bytes | int] = {
        tfrecord.ENCODED: encode(picture(0)),
        tfrecord.LABEL: 0,
        tfrecord.FILENAME: b"x.png",
    }
    (tmp_path / "foreign.tfrecord").write_bytes(3 * tfrecord.frame(tfrecord.example(example)))
    pipeline.convert(tmp_path / "foreign.tfrecord", tmp_path / "out")
    assert keys(tmp_path / "out") == [b"x.png", b"x~2.png", b"x~3.png"]
    assert pipeline.verify(tmp_path / "out", decode=True) == ()


def test_a_dataset_that_contradicts_itself_is_not_published(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A source with duplicate keys, against its manifest, is refused at the end, and nothing is left."""
    pipeline.convert(folders(ants=2), tmp_path / "records", shards=1)
    (shard,) = (tmp_path / "records").glob("*.tfrecord")
    shard.write_bytes(shard.read_bytes() * 2)
    with pytest.raises(ConvertError, match="the source has 2 duplicate keys"):
        pipeline.convert(tmp_path / "records", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_arrays_become_folders(tmp_path: Path, picture: Callable[..., np.ndarray]) -> None:
    """Arrays become PNGs, named by their index."""
    images = np.stack([picture(number) for number in range(3)])
    pipeline.convert((images, [1, 0, 1]), tmp_path / "out", to="folder", class_names=["a", "b"])
    assert sorted(files(tmp_path / "out")) == [b"a/1.png", b"b/0.png", b"b/2.png"]


def test_nothing_but_bad_samples_is_no_dataset(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A conversion that skips every sample fails."""
    source = folders(ants=2)
    for path in source.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(TooManyErrorsError, match="all 2 samples are bad; nothing to write"):
        pipeline.convert(source, tmp_path / "out", on_error="skip")
    assert not (tmp_path / "out").exists()


def test_shuffled_shards_are_mixed_and_reproducible(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Every shard contains all classes, the order depends on the seed alone, and no record is lost."""
    source = folders(ants=30, bees=30)
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        pipeline.convert(source, tmp_path / name / "out", shards=3, shuffle=True, seed=seed)
    one, same, other = (keys(tmp_path / name / "out") for name in ("one", "same", "other"))
    assert one == same != other
    assert sorted(one) == sorted(other) == sorted(files(source))
    for shard in range(3):
        assert {key.split(b"/")[0] for key in one[20 * shard : 20 * shard + 20]} == {b"ants", b"bees"}


@pytest.mark.parametrize("size", [500, 2_000, 10_000])
def test_shards_have_about_the_requested_size(folders: Callable[..., Path], tmp_path: Path, size: int) -> None:
    """No shard exceeds the size by more than a record; together they contain all records."""
    manifest = pipeline.convert(folders(ants=20, bees=12), tmp_path / "out", shard_size=size)
    largest = max(shard["bytes"] / shard["examples"] for shard in manifest["shards"])
    assert all(shard["bytes"] <= size + largest and shard["examples"] for shard in manifest["shards"])
    assert manifest["num_examples"] == 32


def test_small_records_are_divided_among_workers(tmp_path: Path) -> None:
    """Without `shard_size`, a shard has at most 16,384 records."""
    lines = tmp_path / "texts.tsv"
    lines.write_text("text\tlabel\n" + "".join(f"text {number}\t{number % 2}\n" for number in range(16_385)))
    manifest = pipeline.convert(lines, tmp_path / "out")
    assert sum(shard["examples"] for shard in manifest["shards"]) == 16_385
    assert max(shard["examples"] for shard in manifest["shards"]) <= 16_384
    assert len(pipeline.convert(lines, tmp_path / "one", shard_size=2**27)["shards"]) == 1


def test_examples_are_serialized_as_by_tensorflow(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., np.ndarray]
) -> None:
    """Cached features give the same bytes as TensorFlow, for short and for long contents."""
    import tensorflow as tf

    for label, name in enumerate(("ants", "bees")):
        (tmp_path / "source" / name).mkdir(parents=True)
        for side in (8, 8 + label, 200):
            (tmp_path / "source" / name / f"{side}.png").write_bytes(encode(picture(side, side, side)))
    pipeline.convert(tmp_path / "source", tmp_path / "out")
    (shard,) = (tmp_path / "out").glob("*.tfrecord")
    records = list(tfrecord.iterate_records(shard))
    assert len(records) == 5
    assert max(map(len, records)) > 16_384 > min(map(len, records))
    for data in records:
        assert data == tf.train.Example.FromString(data).SerializeToString(deterministic=True)


def test_splits_are_datasets_that_together_hold_all_samples(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Each split loads and verifies by itself; stratified, class fractions are equal; no sample is in two splits."""
    source = folders(ants=20, bees=10)
    result = pipeline.convert(source, tmp_path / "out", split={"train": 0.8, "val": 0.2}, stratify=True, shards=2)
    assert {part: manifest["num_examples"] for part, manifest in result["splits"].items()} == {"train": 24, "val": 6}
    assert pipeline.verify(tmp_path / "out", decode=True) == ()
    parts = [keys(tmp_path / "out" / part) for part in ("train", "val")]
    assert sorted([*parts[0], *parts[1]]) == sorted(files(source))
    assert sum(key.startswith(b"bees") for key in parts[1]) == 2
    assert pipeline.Loader(tmp_path / "out" / "val").class_names == ("ants", "bees")
    (tmp_path / "out" / "val" / "val-00001-of-00002.index.npy").unlink()
    (tmp_path / "out" / "stray").touch()
    assert [fault.file for fault in pipeline.verify(tmp_path / "out")] == ["stray", "val/val-00001-of-00002.index.npy"]


def test_class_folders_are_split_into_subfolders(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Class-folders are split like TFRecords."""
    source = folders(ants=5, bees=5)
    pipeline.convert(source, tmp_path / "out", to="folder", split={"a": 0.6, "b": 0.4})
    found = files(tmp_path / "out")
    assert {name.split(b"/", 1)[1]: data for name, data in found.items()} == files(source)
    assert len([name for name in found if name.startswith(b"a/")]) == 6


def test_the_same_command_again_has_nothing_to_do(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A finished result of the same conversion is kept unchanged; a damaged one is refused."""
    source = folders(ants=4)
    first = pipeline.convert(source, tmp_path / "out", shards=2)
    (shard, _) = sorted((tmp_path / "out").glob("*.tfrecord"))
    before = shard.stat().st_mtime_ns
    assert pipeline.convert(source, tmp_path / "out", shards=2) == first
    assert shard.stat().st_mtime_ns == before
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ConvertError, match="is a damaged result of this conversion"):
        pipeline.convert(source, tmp_path / "out", shards=2)
    with pytest.raises(ConvertError, match="is not empty; use overwrite=True"):
        pipeline.convert(source, tmp_path / "out", shards=1)


def test_folders_are_replaced_only_by_folders_with_all_their_files(
    folders: Callable[..., Path], tmp_path: Path
) -> None:
    """Class-folders have no manifest: a file that the new ones lack may be the user's."""
    source = folders(ants=3)
    pipeline.convert(source, tmp_path / "out", to="folder")
    pipeline.convert(source, tmp_path / "out", to="folder", quality=5, format="png", overwrite=True)
    assert sorted(files(tmp_path / "out")) == sorted(files(source))
    (tmp_path / "out" / "ants" / "mine.png").touch()
    with pytest.raises(ConvertError, match=r"contains 'ants/mine.png', which the new class-folders lack"):
        pipeline.convert(source, tmp_path / "out", to="folder", overwrite=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "tar"}, "to must be one of 'tfrecord', 'folder'; got 'tar'"),
        ({"shards": 2, "shard_size": 9}, "set shards or shard_size, not both"),
        ({"shard_size": 0}, "shard_size must be an integer of at least 1; got 0"),
        ({"resize_short": 8, "image_size": (8, 8)}, "set resize_short or image_size, not both"),
        ({"image_size": (8,)}, "image_size must be"),
        ({"format": "gif"}, "format must be one of 'jpeg', 'png', 'webp', None; got 'gif'"),
        ({"quality": 0}, "quality must be an integer from 1 to 100; got 0"),
        ({"copies": 2}, "augment and copies must be set together"),
        ({"split": {"a": 0.5, "b": 0.4}}, "must add up to 1"),
        ({"split": {"a": 1.0}}, "split must map two or more names to fractions"),
        ({"split": {"../a": 0.5, "b": 0.5}}, "split name '../a' is not a valid folder name"),
        ({"stratify": True}, "stratify needs split"),
        ({"to": "folder", "shards": 2}, 'shards applies to to="tfrecord"'),
        ({"seed": -1}, "seed must be an integer of at least 0; got -1"),
        ({"workers": 0}, "workers must be an integer from 1 to 1024; got 0"),
        ({"address": "auto"}, 'address needs executor="ray"'),
        ({"executor": "dask"}, "executor must be one of"),
        ({"on_error": "replace"}, "on_error must be one of 'raise', 'skip'"),
        ({"max_errors": -1}, "max_errors must be"),
        ({"split": {"a": 0.9, "b": 0.1}}, "leaves 'b' empty"),
    ],
)
def test_unusable_options_are_refused(
    folders: Callable[..., Path], tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """Nothing is written; the message says what is wrong, the value, and what is allowed."""
    with pytest.raises(OptionError) as caught:
        pipeline.convert(folders(ants=2), tmp_path / "out", **options)
    assert message in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folders0"]
