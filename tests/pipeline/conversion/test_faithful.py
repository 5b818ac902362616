"""A conversion keeps what its source says: labels, classes, and what it ignores or refuses."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

import pipeline
from pipeline.errors import ConvertError, DecodeError, OptionError, SampleError, SourceError, TooManyErrorsError
from pipeline.records import tfrecord

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3)).astype(np.uint8)


def examples(root: Path) -> list[Any]:
    """Parse the examples of a converted dataset with TensorFlow alone."""
    import tensorflow as tf

    shards = sorted(str(path) for path in root.rglob("*.tfrecord"))
    return [tf.train.Example.FromString(data) for data in tf.data.TFRecordDataset(shards).as_numpy_iterator()]


def subfolders(root: Path) -> list[str]:
    """List the folders in a folder."""
    return sorted(path.name for path in root.iterdir() if path.is_dir())


@pytest.mark.parametrize(
    "labels",
    [
        [[1, 1, 0], [0, 1, 0], [1, 0, 1]],
        [[0.7, 0.3, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[True, True, False], [False, True, False], [True, False, False]],
    ],
    ids=["multi-hot", "soft", "no class", "not 1", "bool"],
)
def test_label_rows_that_are_not_one_hot_are_refused(tmp_path: Path, labels: Any) -> None:
    """No label is replaced by the largest of its row."""
    with pytest.raises(SourceError, match="one-hot"):
        pipeline.convert((IMAGES, np.array(labels)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_hot_rows_keep_their_number_of_classes(tmp_path: Path) -> None:
    """A column without a 1 is a class without images."""
    manifest = pipeline.convert((IMAGES, np.eye(5)[[0, 1, 0]]), tmp_path / "out")
    assert manifest["class_names"] == ["0", "1", "2", "3", "4"]
    assert manifest["examples_per_class"] == [2, 1, 0, 0, 0]


def test_arrays_without_labels_are_written_without_labels(tmp_path: Path) -> None:
    """No label 0 is invented; the dataset verifies, and converts again."""
    manifest = pipeline.convert(IMAGES, tmp_path / "one")
    pipeline.convert(tmp_path / "one", tmp_path / "two")
    assert (manifest["class_names"], manifest["num_examples"]) == ([], 3)
    for root in (tmp_path / "one", tmp_path / "two"):
        assert [
            set(example.features.feature) & {tfrecord.LABEL, tfrecord.CLASS_NAME} for example in examples(root)
        ] == [set()] * 3
        assert pipeline.verify(root, decode=True) == ()
    with pytest.raises(OptionError, match='to="folder" needs labels'):
        pipeline.convert(IMAGES, tmp_path / "folder", to="folder")


@pytest.mark.parametrize(
    "label",
    [{"float_list": {"value": [0.5]}}, {"bytes_list": {"value": [b"ants"]}}, {"int64_list": {"value": [-1]}}],
    ids=["float", "bytes", "negative"],
)
def test_labels_that_are_not_classes_are_bad_samples(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable, label: dict[str, Any]
) -> None:
    """A label that cannot be written is not dropped silently, even if no record has a good one."""
    import tensorflow as tf

    features = {
        tfrecord.ENCODED: tf.train.Feature(bytes_list=tf.train.BytesList(value=[encode(picture(0))])),
        tfrecord.LABEL: tf.train.Feature(
            **{name: getattr(tf.train, _LISTS[name])(**value) for name, value in label.items()}
        ),
    }
    with tf.io.TFRecordWriter(str(tmp_path / "foreign.tfrecord")) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    with pytest.raises(SampleError, match="label"):
        pipeline.convert(tmp_path / "foreign.tfrecord", tmp_path / "out")


_LISTS = {"float_list": "FloatList", "bytes_list": "BytesList", "int64_list": "Int64List"}


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("a.csv", "text;label\ngood;1\nbad;0\n", "set delimiter=';'"),
        ("a.csv", "text|label\ngood|1\n", "set delimiter='|'"),
        ("a.tsv", "text,label\ngood,1\n", "set delimiter=','"),
        ("a.csv", "text,mood\ngood,1\n", "['text', 'mood']; set text_column and label_column"),
        ("a.csv", "file,label\na.txt,1\n", "['file', 'label']; set text_column and label_column"),
        ("a.jsonl", '{"text": "good", "mood": 1}\n', "set label_column"),
    ],
)
def test_tables_without_a_recognized_label_are_refused(tmp_path: Path, name: str, content: str, remedy: str) -> None:
    """The error names the columns and the option to set; nothing is written."""
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError) as caught:
        pipeline.convert(tmp_path / name, tmp_path / "out")
    assert remedy in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_delimiter_separates_the_columns(tmp_path: Path) -> None:
    """The same rows with another delimiter give the same records."""
    (tmp_path / "a.csv").write_text("text,label\ngood,1\nbad,0\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.csv").write_text("text;label\ngood;1\nbad;0\n")
    pipeline.convert(tmp_path / "a.csv", tmp_path / "one" / "out")
    manifest = pipeline.convert(tmp_path / "b" / "a.csv", tmp_path / "two" / "out", delimiter=";")
    assert manifest["options"]["delimiter"] == ";"
    (one,), (two,) = ([*(tmp_path / name / "out").glob("*.tfrecord")] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    "content",
    ["text,label\ngood,\nbad,\n", "text,label\ngood\nbad\n", 'text,label\n"a,b",1,2\n'],
    ids=["empty", "missing", "too many"],
)
def test_rows_without_a_label_are_bad_samples(tmp_path: Path, content: str) -> None:
    """If the label's column has no label at all, no record is written without one."""
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises((SampleError, SourceError)):
        pipeline.convert(tmp_path / "a.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_of_texts_alone_has_no_labels(tmp_path: Path) -> None:
    """A single column that is named as the text leaves no label behind."""
    (tmp_path / "a.csv").write_text("text\ngood\nbad\n")
    manifest = pipeline.convert(tmp_path / "a.csv", tmp_path / "out")
    assert (manifest["class_names"], manifest["num_examples"]) == ([], 2)


def test_ignored_files_and_empty_classes_are_counted(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The manifest has both counts, also those of a result that exists."""
    source = folders(ants=2, bees=0)
    for name in ("notes.txt", "more.TXT", "readme"):
        (source / "ants" / name).write_text("two ants")
    for _ in range(2):
        manifest = pipeline.convert(source, tmp_path / "out")
        assert manifest["ignored_files"] == {"not an image: .txt": 2, "not an image: no extension": 1}
        assert manifest["examples_per_class"] == [2, 0]


@pytest.mark.parametrize("options", [{}, {"format": "png", "quality": 90}, {"resize_short": 5}])
def test_classes_without_images_keep_their_folder(
    folders: Callable[..., Path], tmp_path: Path, options: dict[str, Any]
) -> None:
    """Every split loads with the classes of the source, whichever of them has images there."""
    source = folders(ants=1, bees=9, cats=0)
    pipeline.convert(source, tmp_path / "out", to="folder", split={"a": 0.5, "b": 0.5}, **options)
    for part in ("a", "b"):
        assert subfolders(tmp_path / "out" / part) == ["ants", "bees", "cats"]
        assert pipeline.Loader(tmp_path / "out" / part).class_names == ("ants", "bees", "cats")


def test_classes_of_one_legal_name_stay_two(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]
) -> None:
    """Class names that become equal without their illegal characters get two folders, the same in every split."""
    data = b""
    for number in range(8):
        values: dict[str, bytes | int] = {
            tfrecord.ENCODED: encode(picture(number)),
            tfrecord.FILENAME: b"%d.png" % number,
            tfrecord.LABEL: number % 2,
            tfrecord.CLASS_NAME: (b"a:", b"a*")[number % 2],
        }
        data += tfrecord.frame(tfrecord.example(values))
    (tmp_path / "foreign.tfrecord").write_bytes(data)
    pipeline.convert(tmp_path / "foreign.tfrecord", tmp_path / "out", to="folder", split={"x": 0.5, "y": 0.5})
    for part in ("x", "y"):
        assert subfolders(tmp_path / "out" / part) == ["a_", "a_~2"]
        assert all(int(path.stem) % 2 == 0 for path in (tmp_path / "out" / part / "a_").iterdir())
        assert all(int(path.stem) % 2 == 1 for path in (tmp_path / "out" / part / "a_~2").iterdir())


AUGMENT = A.Compose([A.HorizontalFlip(p=0.5)])


def test_only_the_training_split_is_augmented(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The other splits hold their samples once and unchanged, as without augmentation."""
    source, split = folders(ants=6, bees=4), {"train": 0.7, "val": 0.3}
    plain = pipeline.convert(source, tmp_path / "plain" / "out", split=split)
    result = pipeline.convert(source, tmp_path / "out", split=split, augment=AUGMENT, copies=2)
    assert {part: manifest["num_examples"] for part, manifest in result["splits"].items()} == {"train": 21, "val": 3}
    assert result["splits"]["val"]["shards"] == plain["splits"]["val"]["shards"]
    assert result["splits"]["train"]["options"]["copies"] == 2
    assert not {"augment", "copies"} & set(result["splits"]["val"]["options"])


def test_the_splits_to_augment_can_be_chosen(folders: Callable[..., Path], tmp_path: Path) -> None:
    """`augment_splits` names them; without a split named "train" it is required."""
    source, split = folders(ants=10), {"a": 0.7, "b": 0.3}
    options: dict[str, Any] = {"augment": AUGMENT, "copies": 1, "split": split}
    result = pipeline.convert(source, tmp_path / "out", augment_splits=["b"], **options)
    assert {part: manifest["num_examples"] for part, manifest in result["splits"].items()} == {"a": 7, "b": 6}
    with pytest.raises(OptionError, match="set augment_splits"):
        pipeline.convert(source, tmp_path / "other", **options)
    for parts in ("a", [], ["c"]):
        with pytest.raises(OptionError, match="augment_splits must be a list of names among"):
            pipeline.convert(source, tmp_path / "other", augment_splits=parts, **options)
    with pytest.raises(OptionError, match="augment_splits needs split and augment"):
        pipeline.convert(source, tmp_path / "other", augment_splits=["a"], split=split)


@pytest.mark.parametrize("to", ["tfrecord", "folder"])
@pytest.mark.parametrize("split", [None, {"a": 0.5, "b": 0.5}], ids=["whole", "split"])
def test_a_finished_result_must_meet_the_bound_on_errors(
    folders: Callable[..., Path], tmp_path: Path, to: Any, split: Any
) -> None:
    """A result with three skipped samples is no success for a command that tolerates two, or none."""
    source = folders(ants=12)
    for name in "135":
        (source / "ants" / f"{name}.png").write_bytes(b"no image")
    options: dict[str, Any] = {"to": to, "split": split}
    first = pipeline.convert(source, tmp_path / "out", on_error="skip", **options)
    assert first["num_skipped"] == 3
    assert pipeline.convert(source, tmp_path / "out", on_error="skip", max_errors=3, **options) == first
    with pytest.raises(TooManyErrorsError, match="3 of 12 samples are bad, more than max_errors=2"):
        pipeline.convert(source, tmp_path / "out", on_error="skip", max_errors=2, **options)
    with pytest.raises(DecodeError, match=r"ants/[135].png: "):
        pipeline.convert(source, tmp_path / "out", **options)


def test_finished_class_folders_are_a_result(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The same command again returns the same result; one changed byte, or one more file, is refused."""
    source = folders(ants=3, bees=2)
    options: dict[str, Any] = {"to": "folder", "format": "jpeg", "resize_short": 6}
    first = pipeline.convert(source, tmp_path / "out", **options)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert pipeline.convert(source, tmp_path / "out", **options) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    stray = tmp_path / "out" / "bees" / "mine.jpg"
    stray.touch()
    with pytest.raises(ConvertError, match="is not empty; use overwrite=True"):
        pipeline.convert(source, tmp_path / "out", **options)
    stray.unlink()
    victim = tmp_path / "out" / "ants" / "1.jpg"
    data = bytearray(victim.read_bytes())
    data[-3] ^= 1
    victim.write_bytes(data)
    with pytest.raises(ConvertError, match="is not empty; use overwrite=True"):
        pipeline.convert(source, tmp_path / "out", **options)


def test_classes_named_like_a_list_keep_their_name(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]
) -> None:
    """The list gets a number instead, in the first run and in the second."""
    for name in ("renamed.jsonl", "skipped.jsonl", "z"):
        (tmp_path / "source" / name).mkdir(parents=True)
        for stem in ("a.png", "a.jpg"):
            path = tmp_path / "source" / name / stem
            path.write_bytes(encode(picture(0), path.suffix))
        (tmp_path / "source" / name / "bad.png").write_bytes(b"")
    options: dict[str, Any] = {"to": "folder", "format": "jpeg", "on_error": "skip"}
    first = pipeline.convert(tmp_path / "source", tmp_path / "out", **options)
    assert subfolders(tmp_path / "out") == ["renamed.jsonl", "skipped.jsonl", "z"]
    assert len((tmp_path / "out" / "skipped~2.jsonl").read_text().splitlines()) == 3
    assert len((tmp_path / "out" / "renamed~2.jsonl").read_text().splitlines()) == 3
    assert pipeline.convert(tmp_path / "source", tmp_path / "out", **options) == first


def test_shortened_paths_are_listed(tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]) -> None:
    """A path of a class-folder that is too deep or too long for an export is in `renamed.jsonl`; others are not."""
    keys = ["ants/a.png", "ants/" + "d/" * 40 + "b.png", "ants/" + ("x" * 200 + "/") * 6 + "c.png"]
    for number, key in enumerate(keys):
        (tmp_path / "source" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / key).write_bytes(encode(picture(number)))
    pipeline.convert(tmp_path / "source", tmp_path / "out", to="folder")
    rows = [json.loads(line) for line in (tmp_path / "out" / "renamed.jsonl").read_text().splitlines()]
    assert {row["sample"] for row in rows} == set(keys[1:])
    for row in rows:
        content = (tmp_path / "out" / row["file"]).read_bytes()
        assert content == (tmp_path / "source" / row["sample"]).read_bytes()


def test_links_into_class_folders_are_not_a_result(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A link to a folder, which the export did not write, makes the destination another one."""
    source = folders(ants=2)
    pipeline.convert(source, tmp_path / "out", to="folder")
    os.symlink(tmp_path, tmp_path / "out" / "ants" / "link")
    with pytest.raises(ConvertError, match="is not empty"):
        pipeline.convert(source, tmp_path / "out", to="folder")
