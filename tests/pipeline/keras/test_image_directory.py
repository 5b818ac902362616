"""`image_dataset_from_directory`: Keras's pixels, labels and subsets, and the additional options."""

import inspect
from itertools import pairwise
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import keras
import numpy as np
import pytest

import pipeline
from pipeline import Cache
from pipeline.errors import CacheError, OptionError, SourceError

CASES: list[dict[str, Any]] = [
    {},
    {"interpolation": "nearest", "image_size": 37},
    {"interpolation": "bicubic", "label_mode": "categorical"},
    {"interpolation": "area", "label_mode": "binary"},
    {"interpolation": "Lanczos3", "labels": None},
    {"crop_to_aspect_ratio": True, "color_mode": "grayscale"},
    {"pad_to_aspect_ratio": True, "label_mode": None},
    {"crop_to_aspect_ratio": True, "interpolation": "lanczos5", "image_size": (20, 70)},
    {"data_format": "channels_first", "image_size": (20, 31)},
    {"data_format": "channels_first", "pad_to_aspect_ratio": True, "batch_size": None},
    {"labels": [9, 4] * 10 + [4], "label_mode": "int"},
    {"class_names": ["bees", "ants"], "label_mode": "categorical"},
    {"class_names": ["bees"]},
]


def epoch(dataset: Any) -> list[Any]:
    """Collect one epoch: every element's parts, flat."""
    return [
        part
        for element in dataset.as_numpy_iterator()
        for part in (element if isinstance(element, tuple) else [element])
    ]


@pytest.mark.parametrize("arguments", CASES, ids=str)
def test_pixels_and_labels_are_keras(arguments: dict[str, Any], photos: Path) -> None:
    """Without shuffling, elements (within 0.01 levels), attributes and spec equal Keras's."""
    options = {"shuffle": False, "verbose": False, "image_size": (32, 48), "batch_size": 5} | arguments
    ours = pipeline.image_dataset_from_directory(photos, **options)
    theirs = keras.utils.image_dataset_from_directory(str(photos), **options)
    assert ours.element_spec == theirs.element_spec
    assert ours.class_names == theirs.class_names
    assert ours.file_paths == theirs.file_paths
    assert len(ours) == len(theirs)
    for one, other in zip(epoch(ours), epoch(theirs), strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert np.abs(one.astype(float) - other).max(initial=0) < 0.01


def test_signature_is_keras() -> None:
    """Keras's parameters come in its order with its defaults; ours follow, keyword-only."""
    for name in ("image_dataset_from_directory", "text_dataset_from_directory"):
        ours = list(inspect.signature(getattr(pipeline, name)).parameters.values())
        theirs = list(inspect.signature(getattr(keras.utils, name)).parameters.values())
        common = [(one.name, one.default) for one in ours[: len(theirs)]]
        assert common == [(one.name, one.default) for one in theirs]
        assert all(one.kind is one.KEYWORD_ONLY for one in ours[len(theirs) :])


@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.parametrize("seed", [0, 7, 123456])
def test_subsets_are_keras(subset: str, seed: int, photos: Path) -> None:
    """For a seed, the training and validation subsets have Keras's files."""
    options = {"validation_split": 0.3, "subset": subset, "seed": seed, "verbose": False}
    ours = pipeline.image_dataset_from_directory(photos, **options)
    theirs = keras.utils.image_dataset_from_directory(str(photos), **options)
    assert ours.file_paths == theirs.file_paths


def test_both_subsets_are_disjoint(photos: Path) -> None:
    """With "both", the two datasets partition the files, and validation has one order."""
    training, validation = pipeline.image_dataset_from_directory(
        photos, validation_split=0.3, subset="both", seed=3, verbose=False, image_size=8
    )
    assert len(training.file_paths) + len(validation.file_paths) == 21
    assert not set(training.file_paths) & set(validation.file_paths)
    first, second = epoch(validation), epoch(validation)
    assert all(map(np.array_equal, first, second))


def test_an_empty_subset_is_refused(photos: Path) -> None:
    """A split with an empty subset is refused (Keras would use all files)."""
    with pytest.raises(OptionError, match="none in this subset"):
        pipeline.image_dataset_from_directory(photos, validation_split=0.01, subset="validation", seed=3, verbose=False)


def test_stream_is_reproducible_and_resumes(photos: Path) -> None:
    """The same seed yields the same epochs, which differ; `loader.dataset` starts at any position."""
    options: dict[str, Any] = {"seed": 5, "verbose": False, "image_size": 16, "batch_size": 4}
    one, other = (pipeline.image_dataset_from_directory(photos, **options) for _ in range(2))
    epochs = [epoch(one) for _ in range(3)]
    for expected in epochs:
        assert all(map(np.array_equal, expected, epoch(other)))
    assert all(not np.array_equal(before[0], after[0]) for before, after in pairwise(epochs))
    resumed = epoch(one.loader.dataset(epoch=1, step=2))
    assert all(map(np.array_equal, resumed, epochs[1][4:]))
    assert len(resumed) == len(epochs[1]) - 4


def test_no_global_generator_is_read_or_seeded(photos: Path) -> None:
    """NumPy's global state is the same before and after."""
    np.random.seed(3)  # noqa: NPY002  # the test is about the global generator
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002
    epoch(pipeline.image_dataset_from_directory(photos, verbose=False, image_size=8))
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize(("on_error", "count"), [("skip", 20), ("replace", 21)])
def test_bad_images_are_governed_by_on_error(on_error: str, count: int, photos: Path, tmp_path: Path) -> None:
    """A damaged file is skipped or replaced, and listed in `loader.errors`; by default it ends the iteration."""
    root = copy_folders(photos, tmp_path)
    (root / "ants" / "ants0.jpg").write_bytes((root / "ants" / "ants0.jpg").read_bytes()[:200])
    options: dict[str, Any] = {"verbose": False, "image_size": 8, "shuffle": False}
    dataset = pipeline.image_dataset_from_directory(root, on_error=on_error, **options)
    assert sum(len(labels) for labels in epoch(dataset)[1::2]) == count
    (error,) = dataset.loader.errors
    assert error.sample == "ants/ants0.jpg"
    strict = pipeline.image_dataset_from_directory(root, **options)
    with pytest.raises(Exception, match=r"ants/ants0.jpg"):
        epoch(strict)


def copy_folders(photos: Path, to: Path) -> Path:
    """Copy the class-folders."""
    import shutil

    return Path(shutil.copytree(photos, to / "copy"))


def test_cache_keeps_the_pixels(photos: Path, tmp_path: Path) -> None:
    """Pixels from memory are equal, from a directory within half a level; the second epoch reads no file."""
    options: dict[str, Any] = {"verbose": False, "image_size": 24, "shuffle": False}
    plain = epoch(pipeline.image_dataset_from_directory(photos, **options))
    for cache, tolerance in (("ram", 0), (tmp_path / "cache", 0.5)):
        root = copy_folders(photos, tmp_path / str(tolerance))
        dataset = pipeline.image_dataset_from_directory(root, cache=cache, **options)
        epoch(dataset)
        for file in root.rglob("*.*"):
            file.unlink()
        for one, other in zip(epoch(dataset), plain, strict=True):
            assert np.abs(one - other).max() <= tolerance


def test_a_cache_of_another_size_or_above_its_limit_is_refused(photos: Path, tmp_path: Path) -> None:
    """A cache of another size is refused, and so is one above its limit."""
    options: dict[str, Any] = {"verbose": False, "image_size": 24, "cache": Cache(tmp_path, size=(24, 24))}
    assert len(epoch(pipeline.image_dataset_from_directory(photos, **options))) == len(
        epoch(pipeline.image_dataset_from_directory(photos, **options | {"cache": tmp_path}))
    )
    with pytest.raises(OptionError, match=r"`cache` keeps images of image_size=\(24, 24\); got size=\(9, 9\)"):
        pipeline.image_dataset_from_directory(photos, **options | {"cache": Cache(tmp_path, size=(9, 9))})
    for where in ("ram", tmp_path / "other"):
        with pytest.raises(CacheError, match="more than limit_bytes=1"):
            pipeline.image_dataset_from_directory(photos, **options | {"cache": Cache(where, limit_bytes=1)})


def test_augmentation_runs_before_the_resize(photos: Path) -> None:
    """An Albumentations crop gets the whole image; the batch has the requested size and dtype."""
    dataset = pipeline.image_dataset_from_directory(
        photos, verbose=False, image_size=(8, 9), seed=1, augment=A.Compose([A.RandomCrop(20, 20), A.HorizontalFlip()])
    )
    images, _ = next(dataset.as_numpy_iterator())
    assert images.shape == (21, 8, 9, 3)
    assert images.dtype == np.float32
    again, _ = next(dataset.loader.dataset(epoch=0).as_numpy_iterator())
    assert np.array_equal(images, again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"image_size": (3, 0)}, "image_size"),
        ({"interpolation": "linear"}, "interpolation"),
        ({"data_format": "first"}, "data_format"),
        ({"format": "grain"}, "format"),
        ({"seed": -1}, "seed"),
        ({"on_error": "ignore"}, "on_error"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "only one"),
        ({"labels": None, "class_names": ["ants"]}, "class_names"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str, photos: Path) -> None:
    """A wrong argument is named when the dataset is created."""
    with pytest.raises(OptionError, match=message):
        pipeline.image_dataset_from_directory(photos, verbose=False, **arguments)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """A missing directory raises a SourceError that names it."""
    with pytest.raises(SourceError, match="nowhere"):
        pipeline.image_dataset_from_directory(tmp_path / "nowhere")


def test_verbose_prints_what_keras_prints(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The numbers of files and classes are printed, or nothing with verbose=False."""
    pipeline.image_dataset_from_directory(photos)
    assert capsys.readouterr().out == "Found 21 files belonging to 2 classes.\n"
    pipeline.image_dataset_from_directory(photos, verbose=False)
    assert capsys.readouterr().out == ""


def test_keras_trains_on_it(photos: Path) -> None:
    """`model.fit` takes the dataset."""
    dataset = pipeline.image_dataset_from_directory(photos, verbose=False, image_size=8, seed=0)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(dataset, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
