"""Validation data: classes are matched by name; what is dropped or missing is said."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline import Loader
from training.errors import TrainingError
from training.experiment import Experiment
from training.validation_data import describe_data

Make = Callable[..., Path]


def read_all(loader: Loader) -> list[tuple[bytes, int, str]]:
    """Return pixels, label and key of every sample."""
    return [
        (image.tobytes(), int(label), key.decode())
        for images, labels, keys in loader.dataset(with_keys=True).as_numpy_iterator()
        for image, label, key in zip(images, labels, keys, strict=True)
    ]


def make_validation(root: Path, target: Path, names: dict[str, str]) -> Path:
    """Copy classes of a dataset under other names."""
    for old, new in names.items():
        shutil.copytree(root / old, target / new)
    return target


@pytest.mark.parametrize("stored_as", ["folder", "tfrecord"])
def test_classes_are_matched_by_name(
    folders: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, stored_as: str
) -> None:
    """An extra class is dropped and counted, a missing one is named, and labels mean the training classes."""
    train = folders(ants=3, bees=4, cats=5)
    # "aaa" sorts before all others and "zzz" after them: every label differs from the training label.
    source = make_validation(train, tmp_path / "v", {"bees": "aaa", "cats": "cats", "ants": "zzz"})
    expected = make_validation(train, tmp_path / "expected", {"cats": "cats"})
    if stored_as == "tfrecord":
        pipeline.convert(source, tmp_path / "records")
        source = tmp_path / "records"
    experiment = Experiment(source=train, validation=source, image_size=(8, 8), batch_size=4)
    with caplog.at_level(logging.WARNING, logger="training"):
        _, held_out = experiment.make_loaders()
    wanted = [(pixels, 2, key) for pixels, _, key in read_all(Loader(expected, image_size=(8, 8), shuffle=False))]
    assert read_all(held_out) == wanted
    assert held_out.num_examples == 5
    assert held_out.class_names == ("ants", "bees", "cats")
    assert describe_data(held_out) == {
        "ignored_files": {},
        "empty_classes": ["ants", "bees"],
        "dropped_classes": {"aaa": 4, "zzz": 3},
    }
    assert "dropped 7 validation samples of classes that the training data lack: aaa (4), zzz (3)" in caplog.text
    assert "classes without validation samples: ants, bees" in caplog.text


def test_equal_classes_change_nothing(folders: Make, caplog: pytest.LogCaptureFixture) -> None:
    """The stream and its fingerprint, which checkpoints contain, are those of a plain loader."""
    train = folders(ants=3, bees=4)
    _, held_out = Experiment(source=train, validation=train, image_size=(8, 8)).make_loaders()
    plain = Loader(train, image_size=(8, 8), shuffle=False)
    assert held_out.fingerprint == plain.fingerprint
    assert read_all(held_out) == read_all(plain)
    assert caplog.text == ""


def test_data_without_names_are_matched_by_number(folders: Make) -> None:
    """Arrays have labels only; folders named like numbers have names."""
    train = folders(ants=3, bees=4)
    images = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    _, held_out = Experiment(source=train, validation=(images, [1, 0]), image_size=(8, 8)).make_loaders()
    assert [label for _, label, _ in read_all(held_out)] == [1, 0]


def test_validation_without_a_common_class_is_refused(folders: Make, tmp_path: Path) -> None:
    """The message names both lists of classes."""
    train = folders(ants=3, bees=4)
    source = make_validation(train, tmp_path / "v", {"ants": "0", "bees": "1"})
    with pytest.raises(TrainingError, match="none of the training classes: they have 0, 1, the training data ants, be"):
        Experiment(source=train, validation=source, image_size=(8, 8)).make_loaders()


def test_a_source_with_samples_of_one_class_is_refused(folders: Make) -> None:
    """Its error would be 0 % of a few images: the message names the empty classes."""
    root = folders(ants=4)
    for name in ("bees", "cats"):
        (root / name).mkdir()
        (root / name / "0.heic").write_bytes(b"x")
    with pytest.raises(TrainingError, match=r"one class; no samples have the classes bees, cats; ignored files: 2 "):
        Experiment(source=root, image_size=(8, 8)).make_loaders()
