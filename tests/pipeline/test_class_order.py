"""Classes in any order: folders, and TFRecords made from them, yield one stream."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest
from PIL import Image

import pipeline

Make = Callable[..., Any]

OPTIONS: list[dict[str, Any]] = [
    {"shuffle": False},
    {"validation_split": 0.4, "subset": "training"},
    {"validation_split": 0.4, "subset": "validation", "stratify": True},
    {"limit": 7, "copies": 2},
]


def list_batches(loader: Any) -> list[Any]:
    """List all batches of two epochs: features, labels, keys."""
    dataset = loader.dataset(with_keys=True)
    return [batch for _ in range(2) for batch in dataset.as_numpy_iterator()]


def assert_equal(ours: list[Any], theirs: list[Any]) -> None:
    """Compare batches to the bit."""
    assert len(ours) == len(theirs)
    for batch, other in zip(ours, theirs, strict=True):
        for values, expected in zip(batch, other, strict=True):
            np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("options", OPTIONS)
def test_images_of_a_folder_and_its_records_are_one_stream(
    options: dict[str, Any], folders: Make, records: Make
) -> None:
    """Every order of the classes, and of some of them: order, labels, split and augmentation are equal."""
    folder = folders(ants=4, bees=5, cats=3)
    (folder / "bees x").mkdir()  # sorts between "bees/" and "cats" as a path, after "bees" as a name
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(folder / "bees x" / "0.png")
    made = records(folder)
    settings = {"image_size": None, "batch_size": 4, "seed": 3, "augment": A.Affine(rotate=40, p=0.7)} | options
    names = ("ants", "bees", "bees x", "cats")
    for chosen in [*itertools.islice(itertools.permutations(names), 0, None, 13), ("cats", "ants")]:
        ours, theirs = (pipeline.Loader(source, class_names=chosen, **settings) for source in (folder, made))
        assert_equal(list_batches(ours), list_batches(theirs))


@pytest.mark.parametrize("chosen", [("z", "a"), ("m", "z", "a")])
def test_texts_of_a_folder_and_its_records_are_one_stream(chosen: tuple[str, ...], tmp_path: Path) -> None:
    """As for images; converted with one order of the classes, and loaded with any."""
    for name, number in itertools.product("amz", range(3)):
        (tmp_path / "texts" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / name / f"{number}.txt").write_text(f"text {number} of {name}")
    pipeline.convert(tmp_path / "texts", tmp_path / "sorted")
    pipeline.convert(tmp_path / "texts", tmp_path / "reversed", class_names=["z", "m", "a"])
    ours, *theirs = (
        list_batches(pipeline.TextLoader(tmp_path / name, class_names=chosen, batch_size=2))
        for name in ("texts", "sorted", "reversed")
    )
    for other in theirs:
        assert_equal(ours, other)


def test_without_class_names_the_order_is_that_of_the_sorted_classes(folders: Make) -> None:
    """Other labels change neither the positions nor the augmentation of a sample."""
    folder = folders(ants=4, bees=5)
    settings: dict[str, Any] = {"image_size": None, "augment": A.Affine(rotate=40, p=0.7)}
    ours = list_batches(pipeline.Loader(folder, **settings))
    theirs = list_batches(pipeline.Loader(folder, class_names=["bees", "ants"], **settings))
    assert_equal([(images, 1 - labels, own) for images, labels, own in ours], theirs)


def test_the_door_of_keras_keeps_the_order_of_keras(folders: Make) -> None:
    """`image_dataset_from_directory(shuffle=False, class_names=)` lists the files by label, as Keras does."""
    dataset = pipeline.image_dataset_from_directory(
        folders(ants=2, bees=2), class_names=["bees", "ants"], shuffle=False, image_size=(8, 8), verbose=False
    )
    assert [path.rpartition("folders0/")[2] for path in dataset.file_paths] == [
        *("bees/0.png", "bees/1.png", "ants/0.png", "ants/1.png")
    ]
    assert [label for _, labels in dataset.as_numpy_iterator() for label in labels.tolist()] == [0, 0, 1, 1]
