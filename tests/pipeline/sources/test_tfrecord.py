"""TFRecords as a source: converted ones and foreign ones, found in directories, by patterns and in lists."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import pipeline
from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.records import tfrecord
from pipeline.sources import open_source
from pipeline.sources.base import NO_LABEL

Make = Callable[..., Any]


def list_samples(source: Any) -> list[tuple[str, int, bytes]]:
    """List key, label and bytes of all samples."""
    samples = [source.read(index) for index in range(len(source))]
    return [(sample.key, sample.label, sample.encoded) for sample in samples]


def write_foreign(path: Path, *features: dict[str, bytes | int]) -> Path:
    """Write a TFRecord file with TensorFlow alone."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in features:
            values = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                if isinstance(value, bytes)
                else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
                for name, value in one.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString())
    return path


def write_lists(path: Path, *examples: dict[str, list[Any]]) -> Path:
    """Write a TFRecord file whose features have any number of bytes, floats or integers."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in examples:
            features = {name: make_feature(values) for name, values in one.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return path


def make_feature(values: list[Any]) -> tf.train.Feature:
    """Make a feature of the kind of its values."""
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


@pytest.fixture
def folder(folders: Make) -> Path:
    """Write class-folders of three ants and four bees."""
    return folders(ants=3, bees=4)


@pytest.fixture
def converted_dataset(folder: Path, records: Make) -> Path:
    """Write these as a converted dataset of two shards."""
    return records(folder)


@pytest.mark.parametrize("manifest", [True, False], ids=["converted", "foreign"])
def test_records_hold_what_the_folder_holds(folder: Path, records: Make, manifest: bool) -> None:
    """Keys, labels, bytes, class names and order are the folder's, with manifest and index, and without."""
    source, wanted = open_source(records(folder, manifest=manifest)), open_source(folder)
    assert list_samples(source) == list_samples(wanted)
    assert source.class_names == wanted.class_names
    assert source.labels().tolist() == wanted.labels().tolist()
    assert source.peek(4).encoded is None
    assert source.peek(4).key == "bees/1.png"


def test_directories_patterns_lists_and_files_open_the_same_records(converted_dataset: Path) -> None:
    """However the shards are named to it, the source holds the same samples."""
    shards = sorted(converted_dataset.glob("*.tfrecord"))
    wanted = list_samples(open_source(converted_dataset))
    for given in (str(converted_dataset), str(converted_dataset / "data-*.tfrecord"), shards, tuple(map(str, shards))):
        assert list_samples(open_source(given)) == wanted
    assert list_samples(open_source(shards[1])) == wanted[-3:]
    assert list_samples(open_source(shards[::-1])) == wanted[-3:] + wanted[:-3]


@pytest.mark.parametrize(
    "names",
    [
        ["a.tfrecord", "b.tfrecord"],
        ["a.tfrec", "b.tfrec"],
        ["train-00000-of-00002", "train-00001-of-00002"],
        ["x.tfrecord-00000-of-00002", "x.tfrecord-00001-of-00002"],
        ["x-00000-of-00002.tfrecord", "x-00001-of-00002.tfrecord"],
    ],
    ids=lambda names: names[0],
)
def test_shards_are_found_by_the_names_in_use(names: list[str], tmp_path: Path) -> None:
    """The namings of TensorFlow, TFDS, Kaggle and ImageNet scripts are known, and each file is read once."""
    for number, name in enumerate(names):
        write_foreign(tmp_path / name, {"image/encoded": b"x", "image/class/label": number})
    (tmp_path / "README.txt").write_text("no shard")
    assert len(open_source(tmp_path)) == 2
    assert open_source(tmp_path).labels().tolist() == [0, 1]


@pytest.mark.parametrize("name", ["x.tfrec", "x.tfrecord-00000-of-00001"])
def test_an_index_beside_a_foreign_shard_is_no_shard(name: str, tmp_path: Path) -> None:
    """What `index_path` names is never taken for records."""
    shard = write_foreign(tmp_path / name, {"image/encoded": b"x", "image/class/label": 0})
    np.save(tfrecord.index_path(shard), tfrecord.build_index(shard))
    assert open_source(tmp_path).shards == (shard,)


def test_foreign_records_name_their_classes_themselves(tmp_path: Path) -> None:
    """Without a manifest, class names come from the records; a label that no record names goes by its number."""
    path = write_foreign(
        tmp_path / "x.tfrecord",
        {"image/encoded": b"a", "image/class/label": 2, "image/class/text": b"fox", "image/filename": b"f.jpg"},
        {"image/encoded": b"b", "image/class/label": 0, "image/class/text": b"cat"},
        {"image/encoded": b"c", "image/class/label": 2},
    )
    source = open_source(path)
    assert source.class_names == ("cat", "1", "fox")
    assert list_samples(source) == [("f.jpg", 2, b"a"), ("x.tfrecord#1", 0, b"b"), ("x.tfrecord#2", 2, b"c")]


def test_class_names_can_be_given_to_foreign_records(tmp_path: Path) -> None:
    """Records that hold only numbers are named by the user, and no record is read for it."""
    path = write_foreign(tmp_path / "x.tfrecord", {"image/encoded": b"a", "image/class/label": 1})
    source = open_source(path, class_names=["cat", "dog"])
    assert source.class_names == ("cat", "dog")
    assert source.read(0).label == 1


def test_labels_that_count_from_one_are_shifted(folder: Path, records: Make) -> None:
    """`label_offset=1` makes 1-based labels 0-based, in the labels, the samples and the names."""
    source = open_source(records(folder, manifest=False, label_offset=1), label_offset=1)
    assert list_samples(source) == list_samples(open_source(folder))
    assert source.labels().tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert source.class_names == ("ants", "bees")


def test_class_names_in_another_order_mean_what_they_mean_for_folders(folder: Path, records: Make) -> None:
    """Where the records name their classes, asking for them in another order relabels, as it does from the folder."""
    order = ["bees", "ants"]
    wanted = {key: label for key, label, _ in list_samples(open_source(folder, class_names=order))}
    source = open_source(records(folder), class_names=order)
    assert {key: label for key, label, _ in list_samples(source)} == wanted


def test_a_label_far_beyond_all_others_is_damage(tmp_path: Path) -> None:
    """Without class names, a label of 10^18 is not taken for that many classes."""
    path = write_foreign(tmp_path / "x.tfrecord", {"image/encoded": b"a", "image/class/label": 10**18})
    with pytest.raises(SourceError) as caught:
        _ = open_source(path).class_names
    assert str(caught.value) == f"labels reach {10**18}, too large to count classes from them; set class_names"


@pytest.mark.parametrize("byte", [0, 50])
def test_a_flipped_byte_is_the_error_of_one_sample(converted_dataset: Path, byte: int) -> None:
    """Damage in a record's data names shard and record, and all other records are read."""
    shard = converted_dataset / "data-00001-of-00002.tfrecord"
    damaged = bytearray(shard.read_bytes())
    damaged[int(tfrecord.build_index(shard)[1, 0]) + byte] ^= 1
    shard.write_bytes(damaged)
    source = open_source(converted_dataset)
    with pytest.raises(ReadError) as caught:
        source.read(5)
    assert str(caught.value) == "data-00001-of-00002.tfrecord#1: the record fails its checksum"
    assert [source.read(index).key for index in (0, 1, 2, 3, 4, 6)] == [
        "ants/0.png",
        "ants/1.png",
        "ants/2.png",
        "bees/0.png",
        "bees/1.png",
        "bees/3.png",
    ]


def test_a_shard_that_is_cut_off_is_refused(converted_dataset: Path) -> None:
    """A file that ends within a record names itself, the record and the place."""
    shard = converted_dataset / "data-00001-of-00002.tfrecord"
    offset, length = tfrecord.build_index(shard)[-1].tolist()
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(SourceError) as caught:
        open_source(converted_dataset)
    assert (
        str(caught.value)
        == f"{shard}: record 2 at byte {offset - 12}: it claims {length} bytes, but the file is shorter"
    )


def test_compressed_records_are_refused_with_the_remedy(converted_dataset: Path) -> None:
    """A gzip file has no random access, and the error says to unpack it."""
    shard = converted_dataset / "data-00000-of-00002.tfrecord"
    packed = converted_dataset / "packed.tfrecord.gz"
    packed.write_bytes(gzip.compress(shard.read_bytes()))
    with pytest.raises(SourceError) as caught:
        open_source(packed)
    assert str(caught.value) == (
        f"{packed}: record 0 at byte 0: the length fails its checksum: not a TFRecord file, or a damaged one "
        "(compressed TFRecords have no random access; decompress them)"
    )


def test_a_file_that_is_no_tfrecord_is_refused(tmp_path: Path) -> None:
    """Any other file is refused by the first checksum."""
    path = tmp_path / "page.html"
    path.write_text("<html>404 not found</html>")
    with pytest.raises(
        SourceError, match=r"page\.html: record 0 at byte 0: the length fails its checksum: not a TFRecord"
    ):
        open_source(path)


@pytest.mark.parametrize("stored", [b"", b"junk", None], ids=["empty", "junk", "another shard's"])
def test_a_wrong_index_is_built_anew(converted_dataset: Path, folder: Path, stored: bytes | None) -> None:
    """An index that does not fit its shard is not believed."""
    first, second = sorted(converted_dataset.glob("*.npy"))
    first.write_bytes(second.read_bytes() if stored is None else stored)
    assert list_samples(open_source(converted_dataset)) == list_samples(open_source(folder))


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ({"image/class/label": 0}, "the example has no image/encoded; it has ['image/class/label']"),
        (
            {"image/encoded": b"", "image/class/label": 0},
            "image/encoded is empty",
        ),
        ({"image/encoded": 3}, "image/encoded holds integers, but an image is the bytes of its file"),
    ],
)
def test_an_example_without_an_image_is_a_bad_sample(
    features: dict[str, bytes | int], reason: str, tmp_path: Path
) -> None:
    """The error says which feature is missing and which there are."""
    path = write_foreign(tmp_path / "x.tfrecord", features)
    with pytest.raises(ReadError) as caught:
        open_source(path).read(0)
    assert str(caught.value) == f"x.tfrecord#0: {reason}"


LABEL = "image/class/label"


@pytest.mark.parametrize(
    ("features", "fault"),
    [
        ({LABEL: [1, 0]}, "image/class/label has 2 values; several labels per sample are not supported"),
        ({LABEL: [1.0]}, "image/class/label has float values, but a label is one int64 value"),
        ({LABEL: [b"cat"]}, "image/class/label has bytes values, but a label is one int64 value"),
        (
            {LABEL: [1], "image/class/text": [b"cat", b"dog"]},
            "image/class/text has 2 values; several labels per sample are not supported",
        ),
    ],
)
def test_a_label_that_cannot_be_used_is_a_bad_sample_where_labels_are_used(
    features: dict[str, Any], fault: str, tmp_path: Path, encode: Make, picture: Make
) -> None:
    """Its record and kind are named, the others are read; without labels, its image is a sample."""
    path = tmp_path / "x.tfrecord"
    good = {"image/encoded": [encode(picture(0))], LABEL: [0]}
    write_lists(path, good | {LABEL: [1]}, {**good, **features}, good)
    source = open_source(path)
    assert source.labels().tolist() == [1, NO_LABEL, 0]
    assert source.class_names == ("0", "1")
    assert source.read(1).label_fault == fault
    assert [row.reason for row in pipeline.inspect(path).unreadable] == [fault]
    loader = pipeline.Loader(path, on_error="skip", image_size=None)
    assert sum(len(labels) for _, labels in loader.dataset().as_numpy_iterator()) == 2
    assert [(row.sample, row.stage, row.reason) for row in loader.errors] == [("x.tfrecord#1", "read", fault)]
    unlabeled = pipeline.Loader(path, label_mode=None, image_size=None)
    assert sum(len(batch) for batch in unlabeled.dataset().as_numpy_iterator()) == 3


def test_pixels_are_not_called_a_missing_image(tmp_path: Path) -> None:
    """A feature of floats is named as what it is."""
    path = tmp_path / "x.tfrecord"
    write_lists(path, {"image/encoded": [0.5, 1.0], LABEL: [0]})
    with pytest.raises(ReadError, match="image/encoded holds floats, but an image is the bytes of its file"):
        open_source(path).read(0)


@pytest.mark.parametrize("feature", ["image/encoded", "image/filename"])
def test_several_images_or_names_are_a_bad_sample(feature: str, tmp_path: Path) -> None:
    """The first one is not taken for all."""
    path = tmp_path / "x.tfrecord"
    write_lists(path, {"image/encoded": [b"x"], LABEL: [0], feature: [b"x", b"y"]})
    with pytest.raises(ReadError) as caught:
        open_source(path).read(0)
    assert str(caught.value) == f"x.tfrecord#0: {feature} has 2 values; several per sample are not supported"


def test_a_label_offset_beyond_the_labels_is_refused(folder: Path, records: Make, converted_dataset: Path) -> None:
    """Where labels start at 0 there is nothing to subtract; converted datasets start there."""
    with pytest.raises(OptionError) as caught:
        open_source(records(folder, manifest=False), label_offset=1).labels()
    assert str(caught.value) == (
        "label_offset=1 is larger than label 0 of data-00000-of-00002.tfrecord#0; use at most 0"
    )
    with pytest.raises(OptionError, match=r"^label_offset does not apply to .*: the labels of converted datasets"):
        open_source(converted_dataset, label_offset=1)


def test_labels_that_do_not_start_at_zero_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A forgotten `label_offset` leaves a class without samples."""
    path = write_foreign(tmp_path / "x.tfrecord", {"image/encoded": b"a", LABEL: 1}, {"image/encoded": b"b", LABEL: 2})
    assert open_source(path).class_names == ("0", "1", "2")
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: no sample has label 0; if the labels start at 1, set label_offset"
    ]


def test_a_damaged_record_stays_in_a_choice_of_classes(converted_dataset: Path) -> None:
    """Its class is unknown, so that it is a bad sample, and the others are chosen."""
    shard = converted_dataset / "data-00001-of-00002.tfrecord"
    damaged = bytearray(shard.read_bytes())
    damaged[int(tfrecord.build_index(shard)[1, 0])] ^= 1
    shard.write_bytes(damaged)
    source = open_source(converted_dataset, class_names=["ants"])
    assert len(source) == 4
    assert source.ignored_files == {"not in class_names": 3}
    with pytest.raises(ReadError, match="fails its checksum"):
        source.read(3)


def test_an_image_is_named_by_what_it_is(tmp_path: Path, encode: Make, picture: Make) -> None:
    """A photograph is not a damaged TFRecord file."""
    (tmp_path / "photo").write_bytes(encode(picture(0)))
    with pytest.raises(SourceError, match=r"not a TFRecord file, or a damaged one \(it is a PNG image\)$"):
        open_source(tmp_path / "photo")


def test_a_record_that_is_no_example_is_a_bad_sample(tmp_path: Path) -> None:
    """A whole record of other content is named."""
    path = tmp_path / "x.tfrecord"
    path.write_bytes(tfrecord.frame(b"\xff" * 40))
    with pytest.raises(ReadError, match=r"^x\.tfrecord#0: the record is not a tf\.train\.Example$"):
        open_source(path).read(0)


def test_labels_are_optional(tmp_path: Path) -> None:
    """Records without labels are samples without one, of no classes."""
    path = write_foreign(tmp_path / "x.tfrecord", {"image/encoded": b"a"}, {"image/encoded": b"b"})
    source = open_source(path)
    assert source.labels().tolist() == [NO_LABEL, NO_LABEL]
    assert source.class_names == ()
    assert source.read(1).encoded == b"b"


def test_a_shard_that_the_manifest_lists_must_be_there(converted_dataset: Path) -> None:
    """A dataset that lost a shard is refused by its name."""
    (converted_dataset / "data-00001-of-00002.tfrecord").unlink()
    with pytest.raises(SourceError) as caught:
        open_source(converted_dataset)
    assert str(caught.value) == (
        f"{converted_dataset} is missing data-00001-of-00002.tfrecord, listed in dataset.json; run `caudal verify`"
    )


def test_a_shard_that_the_manifest_does_not_list_is_no_part_of_the_dataset(converted_dataset: Path) -> None:
    """What a killed conversion left behind is not read."""
    extra = converted_dataset / "data-00002-of-00002.tfrecord"
    extra.write_bytes((converted_dataset / "data-00000-of-00002.tfrecord").read_bytes())
    assert len(open_source(converted_dataset)) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("junk", "is not a valid manifest: it is not JSON"),
        ("[]", "is not a valid manifest: it needs an object"),
        ("{}", "is not a valid manifest: 'format_version' is missing"),
        ({"format_version": 3}, "has format version 3; this version of Caudal reads versions 1 and 2"),
        ({"shards": [{"name": "../x", "examples": 1}]}, "lists '../x', which is outside its directory"),
        ({"shards": [{"name": "/etc/passwd", "examples": 1}]}, "lists '/etc/passwd', which is outside its directory"),
        ({"class_names": None}, "is not a valid manifest: 'class_names' must be a list, got None"),
        ({"shards": [{"name": "x"}]}, "is not a valid manifest: 'examples' is missing"),
    ],
)
def test_a_damaged_manifest_is_refused(converted_dataset: Path, change: Any, message: str) -> None:
    """The manifest is checked before anything that it says is believed; no path leads out of the folder."""
    path = converted_dataset / "dataset.json"
    path.write_text(change if isinstance(change, str) else json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SourceError) as caught:
        open_source(converted_dataset)
    assert str(caught.value).startswith(f"{path} {message}")


@pytest.mark.parametrize("content", [b"", None], ids=["empty file", "missing file"])
def test_a_file_without_records_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """An empty or missing file among the shards is named."""
    path = tmp_path / "x.tfrecord"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=r"no records in .*x\.tfrecord$|x\.tfrecord cannot be read: No such"):
        open_source([path])


def test_the_fingerprint_changes_with_the_files_and_the_options(converted_dataset: Path) -> None:
    """A shard that was rewritten, other class names and another label offset make another dataset."""
    seen = [
        open_source(converted_dataset).fingerprint,
        open_source(converted_dataset, class_names=open_source(converted_dataset).class_names[::-1]).fingerprint,
        open_source(sorted(converted_dataset.glob("*.tfrecord"))).fingerprint,
        open_source(sorted(converted_dataset.glob("*.tfrecord")), label_offset=1).fingerprint,
    ]
    assert open_source(converted_dataset).fingerprint == seen[0]
    shard = converted_dataset / "data-00000-of-00002.tfrecord"
    shard.write_bytes(shard.read_bytes() + tfrecord.frame(tfrecord.example({"image/encoded": b"more"})))
    seen.append(open_source(converted_dataset).fingerprint)
    assert len(set(seen)) == 5
    assert open_source(converted_dataset).sizes().min() > 0
