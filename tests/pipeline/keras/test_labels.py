"""Explicit `labels` of `image_dataset_from_directory` and `text_dataset_from_directory`: Keras's values and types."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import pipeline
from pipeline.errors import OptionError

COUNT = 21
LABELS: dict[str, list[Any]] = {
    "floats": [number / 4 for number in range(COUNT)],
    "mixed": [1, *[number / 4 for number in range(COUNT - 1)]],
    "bools": [number % 3 == 0 for number in range(COUNT)],
    "integers": [9 - number for number in range(COUNT)],
    "large": [2**40 + number for number in range(COUNT)],
    "float64": [np.float64(number / 3) for number in range(COUNT)],
    "text": [f"label {number % 4}" for number in range(COUNT)],
    "several": [(number, number % 2) for number in range(COUNT)],
}
TWO: dict[str, list[Any]] = {
    "floats": [0.25 if number % 3 else 2.5 for number in range(COUNT)],
    "bools": LABELS["bools"],
    "integers": [7 if number % 3 else 3 for number in range(COUNT)],
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of as many texts as there are photographs."""
    root = tmp_path_factory.mktemp("texts")
    for number in range(COUNT):
        (root / f"{number:02}.txt").write_text(f"text {number}")
    return root


def assert_equal_to_keras(kind: str, directory: Path, **options: Any) -> None:
    """Check spec, class names and elements of an unshuffled dataset."""
    options = {"shuffle": False, "verbose": False, **({"image_size": 8} if kind == "image" else {}), **options}
    ours = getattr(pipeline, f"{kind}_dataset_from_directory")(directory, **options)
    theirs = getattr(keras.utils, f"{kind}_dataset_from_directory")(str(directory), **options)
    assert ours.element_spec == theirs.element_spec
    assert ours.class_names == theirs.class_names
    for (_, one), (_, other) in zip(ours.as_numpy_iterator(), theirs.as_numpy_iterator(), strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        assert np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("batch_size", [5, None])
def test_labels_keep_their_type(kind: str, name: str, batch_size: int | None, photos: Path, texts: Path) -> None:
    """Integers, floats, booleans and text are what Keras yields."""
    directory = photos if kind == "image" else texts
    assert_equal_to_keras(kind, directory, labels=LABELS[name], batch_size=batch_size)


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize("name", TWO)
def test_binary_labels_keep_their_values(kind: str, name: str, photos: Path, texts: Path) -> None:
    """With `label_mode="binary"` the values become float32, as in Keras."""
    assert_equal_to_keras(kind, photos if kind == "image" else texts, labels=TWO[name], label_mode="binary")


@pytest.mark.parametrize("kind", ["image", "text"])
def test_categorical_labels_are_indices(kind: str, photos: Path, texts: Path) -> None:
    """With `label_mode="categorical"` integers are one-hot encoded, those of no class to zeros, as in Keras."""
    directory = photos if kind == "image" else texts
    assert_equal_to_keras(kind, directory, labels=[number % 4 for number in range(COUNT)], label_mode="categorical")
    assert_equal_to_keras(kind, directory, labels=[number % 4 + 2 for number in range(COUNT)], label_mode="categorical")


@pytest.mark.parametrize("name", ["floats", "bools", "text"])
def test_labels_follow_their_files(name: str, photos: Path) -> None:
    """Through split, shuffle and a resumed epoch, each file keeps its label; a tuple is as good as a list."""
    options: dict[str, Any] = {"labels": tuple(LABELS[name]), "seed": 4, "verbose": False, "batch_size": 4}
    common = {**options, "image_size": 8, "validation_split": 0.3, "subset": "both"}
    training, validation = pipeline.image_dataset_from_directory(photos, **common)
    files = pipeline.image_dataset_from_directory(photos, labels=None, shuffle=False, verbose=False).file_paths
    label_of = dict(zip(files, np.array(LABELS[name]).astype(str), strict=True))
    for dataset in (training, validation):
        expected = sorted(label_of[path] for path in dataset.file_paths)
        for labels in ([label for _, label in dataset.as_numpy_iterator()] for _ in range(2)):
            flat = np.concatenate(labels)
            assert sorted(np.char.decode(flat.astype(bytes)) if name == "text" else flat.astype(str)) == expected
    whole = [label for _, label in training.loader.dataset(epoch=1).as_numpy_iterator()]
    resumed = [label for _, label in training.loader.dataset(epoch=1, step=2).as_numpy_iterator()]
    assert all(map(np.array_equal, whole[2:], resumed))


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [True, *range(COUNT - 1)]}, "one type"),
        ({"labels": ["a", *range(COUNT - 1)]}, "one type"),
        ({"labels": [None] * COUNT}, "one type"),
        ({"labels": [[1, 2]] * COUNT}, "one type"),
        ({"labels": [2**80] * COUNT}, "one type"),
        ({"labels": LABELS["floats"], "label_mode": "categorical"}, r"integer labels, got float32.*\"int\""),
        ({"labels": LABELS["bools"], "label_mode": "categorical"}, "integer labels, got bool"),
        ({"labels": ["a", "b", "b"] * 7, "label_mode": "binary"}, "numeric labels, got object"),
        ({"labels": LABELS["floats"][:-1]}, "has 21 files that are not hidden, got 20 labels"),
        ({"labels": np.arange(COUNT)}, "`labels` argument should be"),
        ({"labels": "directory"}, "`labels` argument should be"),
    ],
)
def test_unsuitable_labels_are_refused(
    kind: str, options: dict[str, Any], message: str, photos: Path, texts: Path
) -> None:
    """What Keras refuses, or fails with, is refused when the dataset is created."""
    function = getattr(pipeline, f"{kind}_dataset_from_directory")
    with pytest.raises(OptionError, match=message):
        function(photos if kind == "image" else texts, verbose=False, **options)
