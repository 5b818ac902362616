"""Which files and rows become samples: hidden files, empty classes, missing files, unknown classes."""

import shutil
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import keras
import numpy as np
import pytest

import pipeline
from pipeline import ImageDataGenerator
from pipeline.errors import OptionError

Quietly = Callable[..., Any]


@pytest.fixture
def hidden(photos: Path, tmp_path: Path) -> Path:
    """Return a copy of the photographs with hidden files and folders of images and texts at all levels."""
    root = Path(shutil.copytree(photos, tmp_path / "hidden"))
    for folder in (".ipynb_checkpoints", "ants/.ipynb_checkpoints", "bees/.git/deep", "ants/deep/.thumbnails"):
        (root / folder).mkdir(parents=True)
        shutil.copy(photos / "ants" / "ants0.jpg", root / folder / "copy.jpg")
        (root / folder / "copy.txt").write_text("hidden")
    for name in ("ants/._ants0.jpg", "bees/.hidden.png", "._top.jpg"):
        (root / name).write_bytes(b"no image")
    return root


def test_hidden_files_are_no_samples(hidden: Path, photos: Path, quietly: Quietly) -> None:
    """Hidden files and folders are skipped at every level, and are no classes: the rest is what Keras lists."""
    expected = keras.utils.image_dataset_from_directory(str(photos), shuffle=False, verbose=False)
    names = [str(Path(path).relative_to(photos)) for path in expected.file_paths]
    for labels in ("inferred", None, [0.5] * len(names)):
        dataset = pipeline.image_dataset_from_directory(hidden, labels=labels, shuffle=False, verbose=False)
        assert [str(Path(path).relative_to(hidden)) for path in dataset.file_paths] == names
    flow = quietly(ImageDataGenerator().flow_from_directory, hidden, shuffle=False)
    assert flow.filenames == names
    assert flow.class_indices == {"ants": 0, "bees": 1}
    generator = ImageDataGenerator(featurewise_center=True)
    generator.fit(hidden, target_size=(8, 8))
    assert generator.statistics is not None
    assert generator.statistics.count == len(names)


def test_hidden_texts_are_no_samples(hidden: Path) -> None:
    """`text_dataset_from_directory` skips hidden files and folders, too."""
    (hidden / "ants" / "deep" / "one.txt").write_text("visible")
    dataset = pipeline.text_dataset_from_directory(hidden, labels=None, verbose=False, shuffle=False)
    assert [text for batch in dataset.as_numpy_iterator() for text in batch] == [b"visible"]


def test_empty_classes_warn(photos: Path, tmp_path: Path, quietly: Quietly) -> None:
    """A class without files keeps its label, and is named in a warning."""
    root = Path(shutil.copytree(photos, tmp_path / "empty"))
    (root / "amber").mkdir()
    with pytest.warns(UserWarning, match=r"classes without files in .*empty: amber"):
        dataset = pipeline.image_dataset_from_directory(root, verbose=False)
    assert dataset.class_names == ["amber", "ants", "bees"]
    with pytest.warns(UserWarning, match=r"classes without files in .*: amber, wasps"):
        flow = quietly(ImageDataGenerator().flow_from_directory, root, classes=["amber", "ants", "bees", "wasps"])
    assert flow.class_indices == {"amber": 0, "ants": 1, "bees": 2, "wasps": 3}
    assert set(flow.classes) == {1, 2}


@pytest.mark.parametrize("class_names", [["bees", "ants"], ["bees"], ["ants", "bees"]])
def test_class_names_keep_the_order_of_keras(class_names: list[str], photos: Path) -> None:
    """With `shuffle=False` the files come class by class, in the order of `class_names`, with Keras's labels."""
    options: dict[str, Any] = {"class_names": class_names, "shuffle": False, "verbose": False, "image_size": 8}
    ours = pipeline.image_dataset_from_directory(photos, **options)
    theirs = keras.utils.image_dataset_from_directory(str(photos), **options)
    assert ours.file_paths == theirs.file_paths
    assert ours.class_names == theirs.class_names
    for (_, one), (_, other) in zip(ours.as_numpy_iterator(), theirs.as_numpy_iterator(), strict=True):
        assert np.array_equal(one, other)


def test_only_the_training_subset_is_augmented(photos: Path) -> None:
    """With `subset="both"`, `augment` leaves the validation images as Keras yields them."""
    options: dict[str, Any] = {"validation_split": 0.4, "subset": "both", "seed": 3, "verbose": False, "image_size": 16}
    invert = A.Compose([A.InvertImg(p=1)])
    training, validation = pipeline.image_dataset_from_directory(photos, augment=invert, **options)
    plain_training, plain_validation = pipeline.image_dataset_from_directory(photos, **options)
    _, expected = keras.utils.image_dataset_from_directory(str(photos), **options)
    datasets = (dataset.as_numpy_iterator() for dataset in (validation, plain_validation, expected))
    for one, other, oracle in zip(*datasets, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.abs(one[0] - oracle[0]).max() < 0.01
    for one, other in zip(training.as_numpy_iterator(), plain_training.as_numpy_iterator(), strict=True):
        assert np.abs(one[0] - (255 - other[0])).max() < 0.01
    alone = pipeline.image_dataset_from_directory(photos, augment=invert, **{**options, "subset": "validation"})
    order = {path: row for row, path in enumerate(validation.file_paths)}
    assert sorted(alone.file_paths) == sorted(order)
    assert not np.array_equal(next(alone.as_numpy_iterator())[0], next(validation.as_numpy_iterator())[0])


@pytest.fixture
def table(photos: Path) -> dict[str, list[Any]]:
    """Return a data frame of the photographs with missing files, a file of another kind, and classes."""
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.*g"))
    names += ["ants/absent.jpg", "absent.png", "readme.txt", "bees"]
    return {
        "filename": names,
        "class": [name.split("/")[0] if "/" in name else "rest" for name in names],
        "several": [["ants", "moths"] if number % 2 else ["moths"] for number in range(len(names))],
    }


def test_dropped_file_names_are_named(table: dict[str, list[Any]], photos: Path, quietly: Quietly) -> None:
    """The warning counts missing files and other files by reason, and names them."""
    with pytest.warns(UserWarning, match="Found 4 invalid") as caught:
        flow = quietly(ImageDataGenerator().flow_from_dataframe, table, photos, target_size=(8, 8))
    (message,) = (str(one.message) for one in caught)
    assert message.startswith(
        'Found 4 invalid image filename(s) in x_col="filename". These filename(s) will be ignored.'
    )
    assert f"2 missing: {photos}/ants/absent.jpg, {photos}/absent.png; " in message
    assert "2 without an extension of .png, .jpg" in message
    assert message.endswith(f"{photos}/readme.txt, {photos}/bees")
    assert flow.samples == len(table["filename"]) - 4


def test_many_dropped_file_names_are_counted(photos: Path, quietly: Quietly) -> None:
    """The warning names five files, and counts the others."""
    names = ["ants/ants0.jpg", *(f"absent{number}.jpg" for number in range(30))]
    with pytest.warns(UserWarning, match=r"Found 30 .*absent4\.jpg, and 25 more$"):
        quietly(ImageDataGenerator().flow_from_dataframe, {"filename": names}, photos, class_mode=None)


@pytest.mark.filterwarnings("ignore:Found 4 invalid")
@pytest.mark.parametrize(
    ("y_col", "classes", "message", "samples"),
    [
        ("class", ["bees"], r"not in `classes`: 'ants' \(14\)\. .* 14 of 21 rows are dropped", 7),
        ("several", ["ants"], r"not in `classes`: 'moths' \(21\)\. .* 11 of 21 rows are dropped", 10),
        ("several", ["moths", "wasps"], r"not in `classes`: 'ants' \(10\)\. .* 0 of 21 rows are dropped", 21),
    ],
)
def test_unknown_classes_are_named(
    y_col: str,
    classes: list[str],
    message: str,
    samples: int,
    table: dict[str, list[Any]],
    photos: Path,
    quietly: Quietly,
) -> None:
    """The warning counts the rows, and members of lists, of each class that is not in `classes`."""
    options: dict[str, Any] = {"y_col": y_col, "classes": classes, "target_size": (8, 8)}
    with pytest.warns(UserWarning, match=message):
        flow = quietly(ImageDataGenerator().flow_from_dataframe, table, photos, **options)
    assert flow.samples == samples


def test_sound_rows_do_not_warn(table: dict[str, list[Any]], photos: Path, quietly: Quietly) -> None:
    """All rows with a file and a known class are used without a warning."""
    sound = {name: column[:21] for name, column in table.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow = quietly(ImageDataGenerator().flow_from_dataframe, sound, photos, classes=["ants", "bees", "wasps"])
    assert flow.samples == 21


@pytest.mark.filterwarnings("ignore:Found")
@pytest.mark.parametrize(
    ("directory", "options"),
    [("nowhere", {}), ("", {"classes": ["wasps"]}), ("", {"validate_filenames": False, "classes": ["wasps"]})],
)
def test_no_image_names_the_first_path(
    directory: str, options: dict[str, Any], table: dict[str, list[Any]], photos: Path
) -> None:
    """If no row is left, the error shows the first path that was tried."""
    first = str(photos / directory / table["filename"][0])
    with pytest.raises(OptionError, match=r"no images: none of 25 rows .* the first path tried: ") as caught:
        ImageDataGenerator().flow_from_dataframe(table, photos / directory, **options)
    assert f"{first};" in str(caught.value)


def test_validation_without_a_split_is_explained(photos: Path) -> None:
    """A subset without samples names the split."""
    with pytest.raises(OptionError, match=r"subset='validation', validation_split=0\.0"):
        ImageDataGenerator().flow_from_directory(photos, subset="validation")


def test_pictures_are_those_of_the_returned_batches(photos: Path, tmp_path: Path, quietly: Quietly) -> None:
    """However many batches are computed ahead, `save_to_dir` has the pictures of those that were returned."""
    options: dict[str, Any] = {"target_size": (8, 8), "batch_size": 4, "seed": 1, "class_mode": None}

    def make(name: str, **others: Any) -> Any:
        (tmp_path / name).mkdir()
        return quietly(
            ImageDataGenerator(rotation_range=9).flow_from_directory,
            photos,
            **options | others,
            save_to_dir=tmp_path / name,
        )

    def saved(name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    flow, dataset, indexed = make("flow"), make("dataset").dataset(), make("indexed")
    assert not saved("flow")
    for count, _ in enumerate(islice(flow, 9), 1):
        assert len(saved("flow")) == sum([4, 4, 4, 4, 4, 1, 4, 4, 4][:count])
    for count, _ in enumerate(islice(dataset.as_numpy_iterator(), 3), 1):
        assert len(saved("dataset")) == 4 * count
    for step in (0, 1, 2):
        _ = indexed[step]
    assert saved("dataset") == saved("indexed")
    assert set(saved("dataset").items()) <= set(saved("flow").items())
    resumed = make("resumed").dataset(epoch=1, step=1)
    assert len(list(islice(resumed.as_numpy_iterator(), 2))) == 2
    assert set(saved("resumed").items()) <= set(saved("flow").items())
    assert len(saved("resumed")) == 8


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("save_format", ["png", "bmp", "TIFF"])
def test_pictures_are_those_of_keras(channels: int, save_format: str, data_format: str, tmp_path: Path) -> None:
    """Each picture has the pixels of `array_to_img(image, scale=True)`."""
    from PIL import Image

    images = np.random.default_rng(0).normal(3, 40, (5, 7, 6, channels)).astype(np.float32)
    images = np.moveaxis(images, -1, 1) if data_format == "channels_first" else images
    flow = ImageDataGenerator(data_format=data_format).flow(
        images, shuffle=False, save_to_dir=tmp_path, save_format=save_format, save_prefix="p"
    )
    batch = next(flow)
    paths = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split("_")[1]))
    assert [path.suffix for path in paths] == [f".{save_format}"] * 5
    for path, image in zip(paths, batch, strict=True):
        with Image.open(path) as picture:
            expected = keras.utils.array_to_img(image, data_format=data_format, scale=True)
            pixels = np.asarray(picture)  # Pillow reads a BMP of 4 channels as RGB
            assert np.array_equal(
                pixels, np.asarray(expected)[..., : pixels.shape[-1]] if pixels.ndim == 3 else expected
            )


def test_pictures_are_complete_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture appears under its name when it is complete; a failed one leaves nothing behind."""
    from PIL import Image

    seen: list[set[str]] = []
    save = Image.Image.save

    def slow(self: Any, path: Any, *arguments: Any, **options: Any) -> None:
        save(self, path, *arguments, **options)
        seen.append({entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")})
        if len(seen) == 3:
            raise OSError("no space left")

    monkeypatch.setattr(Image.Image, "save", slow)
    images = np.zeros((3, 4, 4, 3), np.uint8)
    with pytest.raises(OSError, match="no space left"):
        next(ImageDataGenerator().flow(images, shuffle=False, save_to_dir=tmp_path))
    assert [len(names) for names in seen] == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 2
