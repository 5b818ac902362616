"""The loader's options: what each does to what is delivered, and what is said where they make no sense."""

import inspect
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import cv2
import numpy as np
import pytest
import tensorflow as tf

import pipeline
from pipeline import Loader
from pipeline.errors import CaudalError, OptionError, SourceError

Make = Callable[..., Any]


def collect_epoch(dataset: tf.data.Dataset) -> tuple[np.ndarray, ...]:
    """Put the batches of an epoch together: images, labels and whatever stands behind."""
    return tuple(np.concatenate(column) for column in zip(*dataset.as_numpy_iterator(), strict=True))


@pytest.fixture
def folder(folders: Make) -> Path:
    """Write class-folders of three ants and four bees, 8 x 10."""
    return folders(ants=3, bees=4)


@pytest.fixture
def arrays(picture: Make) -> tuple[np.ndarray, np.ndarray]:
    """Give seven images and their labels."""
    return np.stack([picture(number) for number in range(7)]), np.array([0, 0, 0, 1, 1, 1, 1])


def test_image_dataset_is_the_dataset_of_a_loader(folder: Path) -> None:
    """It delivers the same, carries the definition and the class names, and takes the same parameters."""
    dataset = pipeline.image_dataset(folder, image_size=(8, 10), seed=3)
    wanted = Loader(folder, image_size=(8, 10), seed=3)
    assert isinstance(dataset, tf.data.Dataset)
    assert dataset.class_names == ["ants", "bees"]
    assert dataset.loader.fingerprint == wanted.fingerprint
    for one, other in zip(collect_epoch(dataset), collect_epoch(wanted.dataset()), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("loader", "function"), [(Loader, pipeline.image_dataset), (pipeline.TextLoader, pipeline.text_dataset)]
)
def test_functions_have_the_signatures_of_their_loaders(loader: type, function: Make) -> None:
    """All parameters with their types and defaults, and what is returned."""
    signature = inspect.signature(function)
    assert signature.parameters == inspect.signature(loader).parameters
    assert signature.return_annotation == "tf.data.Dataset"


@pytest.mark.parametrize("loader", [Loader, pipeline.TextLoader])
def test_the_docstring_describes_every_option_once(loader: type) -> None:
    """Flat, under a heading for each subject."""
    headings = "Data", "Pixels", "Order", "Subset", "Augmentation", "Errors", "Resources"
    sections = re.split(r"^    (\w+):$", loader.__doc__ or "", flags=re.MULTILINE)[1:]
    assert [*sections[::2]] == [name for name in (*headings, "Raises") if loader is Loader or name != "Pixels"]
    described = [name for text in sections[1:-1:2] for name in re.findall(r"^ {8}(\w+):", text, re.MULTILINE)]
    assert sorted(described) == sorted(inspect.signature(loader).parameters)


@pytest.mark.parametrize("loader", [Loader, pipeline.TextLoader])
def test_all_options_but_the_source_are_keywords(loader: type) -> None:
    """No one has to count commas, and no order of options has to be kept for ever."""
    parameters = list(inspect.signature(loader).parameters.values())
    assert parameters[0].name == "source"
    assert parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {parameter.kind for parameter in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}


def test_a_loader_cannot_be_changed(folder: Path) -> None:
    """A loader is a value: its options stay what they were."""
    with pytest.raises(AttributeError):
        Loader(folder).seed = 1  # type: ignore[misc]


def test_images_and_labels_belong_together(folder: Path, picture: Make) -> None:
    """Each key is delivered with its own pixels and its own label."""
    for images, labels, keys in Loader(folder, image_size=(8, 10), batch_size=3).dataset(with_keys=True):
        for image, label, key in zip(images.numpy(), labels.numpy(), keys.numpy().tolist(), strict=True):
            name, number = key.decode().removesuffix(".png").split("/")
            np.testing.assert_array_equal(image, picture(int(number) + (3 if name == "bees" else 0)))
            assert label == (1 if name == "bees" else 0)


@pytest.mark.parametrize(
    ("label_mode", "shape", "dtype", "of_bees"),
    [("int", (7,), np.int32, 1), ("categorical", (7, 2), np.float32, [0, 1]), ("binary", (7, 1), np.float32, [1])],
)
def test_label_modes(label_mode: Any, shape: tuple[int, ...], dtype: type, of_bees: object, folder: Path) -> None:
    """Whole numbers, one-hot rows, or one column of floats."""
    dataset = Loader(folder, image_size=(8, 10), label_mode=label_mode).dataset(with_keys=True)
    _, labels, keys = collect_epoch(dataset)
    assert labels.shape == shape
    assert labels.dtype == dtype == dataset.element_spec[1].dtype.as_numpy_dtype
    for label, key in zip(labels.tolist(), keys.tolist(), strict=True):
        assert (label == of_bees) == key.startswith(b"bees")


def test_without_a_label_mode_images_come_alone(folder: Path) -> None:
    """`label_mode=None` delivers tensors, and pairs only where keys are asked for."""
    loader = Loader(folder, image_size=(8, 10), label_mode=None)
    assert loader.dataset().element_spec.shape == (None, 8, 10, 3)
    assert [batch.shape for batch in loader.dataset()] == [(7, 8, 10, 3)]
    images, keys = collect_epoch(loader.dataset(with_keys=True))
    assert images.shape == (7, 8, 10, 3)
    assert keys[0].endswith(b".png")


@pytest.mark.parametrize(("color_mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
@pytest.mark.parametrize("kind", ["folder", "arrays"])
def test_color_modes(
    color_mode: Any, channels: int, kind: str, folder: Path, arrays: tuple[np.ndarray, np.ndarray]
) -> None:
    """The color mode alone says how many channels are delivered, from files and from arrays alike."""
    given = {"folder": folder, "arrays": arrays}[kind]
    dataset = Loader(given, image_size=(8, 10), color_mode=color_mode, shuffle=False).dataset()
    images, _ = collect_epoch(dataset)
    assert images.shape == (7, 8, 10, channels)
    assert images.dtype == np.uint8
    assert dataset.element_spec[0].shape == (None, 8, 10, channels)
    if channels == 4:
        np.testing.assert_array_equal(images[..., :3], arrays[0])
        assert (images[..., 3] == 255).all()
    if channels == 1:
        gray = cv2.cvtColor(arrays[0][0], cv2.COLOR_RGB2GRAY)
        np.testing.assert_allclose(images[0, ..., 0], gray, atol=1)  # decoders round otherwise


@pytest.mark.parametrize(
    ("batch_size", "drop_remainder", "steps"), [(3, False, 3), (3, True, 2), (7, True, 1), (9, False, 1)]
)
def test_the_length_is_exact(folder: Path, batch_size: int, drop_remainder: bool, steps: int) -> None:
    """`len`, `steps_per_epoch`, the cardinality and the number of batches that come are the same."""
    loader = Loader(folder, image_size=(8, 10), batch_size=batch_size, drop_remainder=drop_remainder)
    dataset = loader.dataset()
    assert len(dataset) == loader.steps_per_epoch == int(dataset.cardinality()) == len(list(dataset)) == steps
    assert loader.num_examples == 7
    sizes = [len(labels) for _, labels in dataset]
    assert sum(sizes) == (batch_size * steps if drop_remainder else 7)


def test_single_samples_are_delivered_without_a_batch_size(folder: Path) -> None:
    """`batch_size=None` gives [H, W, C] and single labels, as many as there are samples, in the same order."""
    loader = Loader(folder, image_size=(8, 10), batch_size=None)
    dataset = loader.dataset(with_keys=True)
    assert len(dataset) == loader.steps_per_epoch == 7
    assert [spec.shape for spec in dataset.element_spec] == [(8, 10, 3), (), ()]
    keys = [key for *_, key in dataset.as_numpy_iterator()]
    *_, batched = collect_epoch(Loader(folder, image_size=(8, 10), batch_size=4).dataset(with_keys=True))
    assert keys == batched.tolist()


@pytest.mark.parametrize(
    ("options", "batch"),
    [
        ({"batch_size": 7}, 7),
        ({"batch_size": 3}, None),
        ({"batch_size": 3, "drop_remainder": True}, 3),
        ({"batch_size": 7, "on_error": "replace"}, 7),
        ({"batch_size": 7, "on_error": "skip"}, None),
    ],
)
def test_shapes_are_static_wherever_they_are_certain(folder: Path, options: dict[str, Any], batch: int | None) -> None:
    """Height, width and channels are always known, and the batch where all batches have the same size."""
    images, labels = Loader(folder, image_size=(8, 10), **options).dataset().element_spec
    assert images == tf.TensorSpec((batch, 8, 10, 3), tf.uint8)
    assert labels == tf.TensorSpec((batch,), tf.int32)


def test_what_the_augmentation_yields_is_in_the_spec(folder: Path) -> None:
    """Float32 and grey images that an augmentation makes are announced before the first batch."""
    dataset = Loader(folder, image_size=(8, 10), augment=[A.ToGray(1, p=1), A.Normalize((0.5,), (0.5,))]).dataset()
    assert dataset.element_spec[0] == tf.TensorSpec((None, 8, 10, 1), tf.float32)
    images, _ = collect_epoch(dataset)
    assert images.dtype == np.float32
    assert images.min() >= -1
    assert images.max() <= 1


def test_without_an_image_size_images_come_as_the_augmentation_made_them(folders: Make) -> None:
    """`image_size=None` resizes nothing: the size is the file's, or the last transform's."""
    folder = folders(a=2, height=12, width=20)
    dataset = Loader(folder, image_size=None).dataset()
    assert dataset.element_spec[0].shape == (None, None, None, 3)
    assert collect_epoch(dataset)[0].shape == (2, 12, 20, 3)
    dataset = Loader(folder, image_size=None, augment=A.RandomCrop(6, 7)).dataset()
    assert collect_epoch(dataset)[0].shape == (2, 6, 7, 3)


def test_images_of_different_sizes_come_singly_or_not_at_all(tmp_path: Path, picture: Make, encode: Make) -> None:
    """Without a size, one batch cannot hold them, and the error names two of them, their sizes and three ways out."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(encode(picture(0, 8, 10)))
    (tmp_path / "a" / "2.png").write_bytes(encode(picture(1, 6, 5)))
    singly = Loader(tmp_path, image_size=None, batch_size=None, shuffle=False).dataset()
    assert [image.shape for image, _ in singly] == [(8, 10, 3), (6, 5, 3)]
    loader = Loader(tmp_path, image_size=None, shuffle=False)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        list(loader.dataset())
    message = (
        "images of a batch need one size: a/1.png has (8, 10), a/2.png has (6, 5); set image_size, end the "
        "augmentation with a crop or resize, or use batch_size=None"
    )
    assert message in str(caught.value)
    assert str(loader.failure) == message
    assert isinstance(loader.failure, OptionError)


def test_an_augmentation_that_yields_now_floats_now_bytes_is_refused(folder: Path) -> None:
    """A transform that changes the dtype by chance is an error that says so."""
    loader = Loader(folder, image_size=(8, 10), augment=A.ToFloat(p=0.5))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"transforms that change the dtype or the channels need p=1"
    ):
        list(loader.dataset())


def test_images_are_resized_after_the_augmentation(folder: Path) -> None:
    """The augmentation sees whole images, and its result is stretched to the size asked for."""
    dataset = Loader(folder, image_size=(4, 4), augment=A.CenterCrop(2, 2), interpolation="nearest").dataset()
    images, _ = collect_epoch(dataset)
    assert images.shape == (7, 4, 4, 3)
    np.testing.assert_array_equal(images[:, ::2, ::2], images[:, 1::2, 1::2])


def test_interpolation_is_that_of_every_resize(folder: Path) -> None:
    """Images that are resized with another interpolation are other images."""
    options: dict[str, Any] = {"image_size": (5, 7), "shuffle": False}
    by_name = {
        name: collect_epoch(Loader(folder, interpolation=name, **options).dataset())[0] for name in ("area", "nearest")
    }
    original = cv2.cvtColor(cv2.imread(str(folder / "ants" / "0.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(by_name["area"][0], cv2.resize(original, (7, 5), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(by_name["nearest"][0], cv2.resize(original, (7, 5), interpolation=cv2.INTER_NEAREST))


def test_class_names_are_those_found_or_those_given(folders: Make) -> None:
    """By default all classes, sorted; else those given, with labels that count them; samples stay sorted by path."""
    folder = folders(b=2, a=1, c=3)
    assert Loader(folder).class_names == ("a", "b", "c")
    loader = Loader(folder, image_size=(8, 10), class_names=["c", "a"], shuffle=False)
    assert loader.class_names == ("c", "a")
    _, labels, keys = collect_epoch(loader.dataset(with_keys=True))
    assert keys.tolist() == [b"a/0.png", b"c/0.png", b"c/1.png", b"c/2.png"]
    assert labels.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("image_size", [None, (8, 10), (4, 5)], ids=["own size", "same size", "smaller"])
def test_arrays_of_every_dtype_are_streamed(
    dtype: type, channels: int, image_size: tuple[int, int] | None, arrays: tuple[np.ndarray, np.ndarray]
) -> None:
    """What the source takes, the stages can convert to RGB and resize, whatever its dtype and channels."""
    levels = np.resize(arrays[0], (7, 8, 10, channels or 1))
    images = levels if dtype is np.uint8 else (levels / 255).astype(dtype)
    given = images if channels else images[..., 0]
    streamed, labels = collect_epoch(
        Loader((given, arrays[1]), image_size=image_size, batch_size=4, shuffle=False).dataset()
    )
    assert streamed.shape == (7, *(image_size or (8, 10)), 3)
    assert labels.tolist() == arrays[1].tolist()
    assert np.issubdtype(streamed.dtype, np.floating) == np.issubdtype(dtype, np.floating)
    if image_size != (4, 5) and channels != 4:
        np.testing.assert_allclose(streamed, np.broadcast_to(images, streamed.shape), rtol=1e-3)


def test_the_users_arrays_are_never_written_to(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    """No transform reaches through to the arrays, even where the image is of the size already."""
    images, labels = arrays
    kept = images.copy(), labels.copy()
    loader = Loader((images, labels), image_size=(8, 10), augment=[A.CoarseDropout(p=1), A.InvertImg(p=1)])
    list(loader.dataset())
    list(loader.dataset())
    np.testing.assert_array_equal(images, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


@pytest.mark.parametrize("stratify", [True, False])
def test_validation_and_training_are_complements(folders: Make, stratify: bool) -> None:
    """The two parts of a split have every sample once between them, in every epoch."""
    folder = folders(a=10, b=20)
    seen = {}
    for subset in ("training", "validation"):
        loader = Loader(folder, image_size=(8, 10), validation_split=0.3, subset=subset, stratify=stratify)
        dataset = loader.dataset(with_keys=True)
        seen[subset] = [set(collect_epoch(dataset)[2].tolist()) for _ in range(2)]
        assert seen[subset][0] == seen[subset][1]
        assert len(seen[subset][0]) == loader.num_examples == {"training": 21, "validation": 9}[subset]
    assert not seen["training"][0] & seen["validation"][0]
    if stratify:
        assert sum(key.startswith(b"a/") for key in seen["validation"][0]) == 3


def test_a_split_is_the_seed_s(folders: Make) -> None:
    """The same seed splits alike whatever the batch size, and another seed otherwise."""
    folder = folders(a=30)
    parts = [
        set(
            collect_epoch(
                Loader(
                    folder, image_size=(8, 10), batch_size=size, seed=seed, validation_split=0.5, subset="validation"
                ).dataset(with_keys=True)
            )[2].tolist()
        )
        for seed, size in ((0, 4), (0, 30), (1, 4))
    ]
    assert parts[0] == parts[1] != parts[2]


def test_without_a_seed_one_is_drawn_and_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`seed=None` draws another seed each time, and says which, so that the stream can be seen again."""
    with caplog.at_level(logging.WARNING, "pipeline.loader"):
        loaders = [Loader(folder, image_size=(8, 10), seed=None) for _ in range(3)]
    seeds = [loader.seed for loader in loaders]
    assert len(set(seeds)) == 3
    assert caplog.messages == [f"drew seed={seed}; pass it to reproduce this stream" for seed in seeds]
    again = Loader(folder, image_size=(8, 10), seed=seeds[0])
    assert again.fingerprint == loaders[0].fingerprint
    one, other = (collect_epoch(loader.dataset(with_keys=True))[2].tolist() for loader in (again, loaders[0]))
    assert one == other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_mode": "one-hot"}, "label_mode must be one of 'int', 'categorical', 'binary', None; got 'one-hot'"),
        ({"color_mode": "bgr"}, "color_mode must be one of 'grayscale', 'rgb', 'rgba'; got 'bgr'"),
        (
            {"interpolation": "cubic"},
            "interpolation must be one of 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos4'; got 'cubic'",
        ),
        ({"on_error": "ignore"}, "on_error must be one of 'raise', 'skip', 'replace'; got 'ignore'"),
        (
            {"subset": "test", "validation_split": 0.5},
            "subset must be one of 'training', 'validation', None; got 'test'",
        ),
        ({"image_size": 224}, "image_size must be (height, width) in pixels, or None; got 224"),
        ({"image_size": (0, 5)}, "image_size must be (height, width) in pixels, or None; got (0, 5)"),
        ({"image_size": (8, 8, 3)}, "image_size must be (height, width) in pixels, or None; got (8, 8, 3)"),
        ({"image_size": (8.0, 8)}, "image_size must be (height, width) in pixels, or None; got (8.0, 8)"),
        ({"cache": 3}, 'cache must be None, "ram", a directory or a Cache; got 3'),
        ({"cache": ""}, "cache must be None, \"ram\", a directory or a Cache; got ''"),
        (
            {"limit": 0},
            "limit must be a count of at least 1 (int), a fraction in (0, 1] (float), or None; got 0",
        ),
        ({"limit": 900}, "limit=900 is out of range for 7 samples; use 1 to 7, or a fraction in (0, 1]"),
        (
            {"max_errors": 1.5},
            "max_errors must be a count of at least 0 (int), a fraction in [0, 1] (float), or None; got 1.5",
        ),
        (
            {"max_errors": 5},
            'max_errors=5 needs on_error="skip" or "replace": on_error="raise" raises the first error; set on_error, '
            "or drop max_errors",
        ),
        (
            {"drop_remainder": True, "batch_size": None},
            "drop_remainder=True needs batches, but batch_size=None yields single samples; set batch_size",
        ),
        ({"prefetch": 2**31}, "prefetch must be at most 2147483647; got 2147483648"),
        (
            {"cache": "Memory"},
            "cache='Memory' looks like a kind of cache, not a directory; use \"ram\" for memory, or './Memory' for a "
            "directory of that name",
        ),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, or None; got 0"),
        (
            {"validation_split": 1.0, "subset": "training"},
            "validation_split must be a fraction in (0, 1); got 1.0",
        ),
        ({"validation_split": 0, "subset": "training"}, "validation_split must be a fraction in (0, 1); got 0"),
        ({"validation_split": 0.5}, "validation_split and subset need each other; set both, or neither"),
        ({"subset": "training"}, "validation_split and subset need each other; set both, or neither"),
        ({"stratify": True}, "stratify=True needs validation_split; set both"),
        (
            {"drop_remainder": True, "on_error": "skip"},
            'on_error="skip" yields batches of different sizes, but drop_remainder=True forbids them; '
            'use on_error="replace"',
        ),
        ({"num_parallel_calls": 0}, "num_parallel_calls must be an integer of at least 1, or None; got 0"),
        (
            {"seed": None, "validation_split": 0.5, "subset": "training"},
            "validation_split needs a seed: with seed=None the two subsets overlap; set seed",
        ),
        ({"shard": (2, 2)}, "shard must be (index, count) with 0 <= index < count, got (2, 2)"),
        ({"shard": (7, 8)}, "shard=(7, 8) is empty: an epoch has 7 samples; use at most 7 shards"),
        (
            {"cache": "somewhere", "image_size": None},
            "a cache directory stores images of one size; set image_size, or cache=Cache(directory, size=...)",
        ),
        (
            {"validation_split": 0.01, "subset": "validation"},
            "validation_split=0.01 leaves the validation subset empty: the dataset has 7 samples; use another fraction",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    """An option error names the option, lists or describes what is right, and shows what was given."""
    with pytest.raises(OptionError) as caught:
        Loader(folder, **options).dataset()
    assert str(caught.value) == message


def test_binary_labels_need_two_classes(folders: Make) -> None:
    """The error lists the classes that there are."""
    with pytest.raises(OptionError, match=r"^label_mode='binary' needs 2 classes, got \['a', 'b', 'c'\]$"):
        Loader(folders(a=1, b=1, c=1), label_mode="binary").dataset()


@pytest.mark.parametrize(
    "options",
    [
        {"shard": (2, 2)},
        {"shard": (-1, 2)},
        {"shard": 3},
        {"seed": -1},
        {"seed": 1.5},
        {"batch_size": 2.5},
        {"batch_size": "32"},
        {"num_parallel_calls": 1.5},
        {"prefetch": -2},
        {"max_errors": -1, "on_error": "skip"},
        {"max_pixels": 0},
        {"augment": "flip"},
        {"label_mode": "binary", "class_names": ["ants"]},
        {"cache": "somewhere", "image_size": None},
    ],
    ids=str,
)
def test_options_are_checked_when_the_loader_is_made(folder: Path, options: dict[str, Any]) -> None:
    """What is wrong with an option is said at once, by an error of Caudal's, and not when the data are asked for."""
    with pytest.raises(CaudalError):
        Loader(folder, **options)


@pytest.mark.parametrize(("epoch", "step"), [(0, 4), (5, 100)])
def test_a_position_outside_the_stream_is_refused(folder: Path, epoch: int, step: int) -> None:
    """The error says which position was asked for, and how many steps an epoch has."""
    loader = Loader(folder, image_size=(8, 10), batch_size=3)
    with pytest.raises(OptionError) as caught:
        loader.dataset(epoch=epoch, step=step)
    assert str(caught.value) == f"epoch={epoch}, step={step} is out of range: an epoch has 3 steps"


def test_a_source_that_is_missing_is_refused_when_the_loader_is_made(tmp_path: Path) -> None:
    """Nothing has to be iterated to learn of a wrong path."""
    with pytest.raises(SourceError, match=r"nowhere does not exist"):
        Loader(tmp_path / "nowhere")


def test_the_fingerprint_names_the_stream(folder: Path) -> None:
    """Equal definitions have equal fingerprints; each option that changes the stream changes it; speed does not."""
    base: dict[str, Any] = {"image_size": (8, 10), "augment": A.HorizontalFlip()}
    same = [{}, {"num_parallel_calls": 1}, {"prefetch": 7}, {"cache": "ram"}]
    other: list[dict[str, Any]] = [
        {"image_size": (8, 8)},
        {"batch_size": 2},
        {"augment": A.HorizontalFlip(p=0.4)},
        {"augment": None},
        {"label_mode": "categorical"},
        {"color_mode": "grayscale"},
        {"class_names": ["bees", "ants"]},
        {"interpolation": "area"},
        {"shuffle": False},
        {"seed": 1},
        {"validation_split": 0.5, "subset": "training"},
        {"validation_split": 0.5, "subset": "validation"},
        {"validation_split": 0.5, "subset": "validation", "stratify": True},
        {"shard": (0, 2)},
        {"drop_remainder": True},
        {"on_error": "skip"},
        {"max_pixels": 5000},
    ]
    fingerprints = [Loader(folder, **{**base, **one}).fingerprint for one in same + other]
    assert len(set(fingerprints[: len(same)])) == 1
    assert len(set(fingerprints)) == 1 + len(other)


@pytest.mark.filterwarnings("ignore:Using lambda")
def test_every_augmentation_that_runs_has_a_fingerprint(folder: Path) -> None:
    """A pipeline with a function in it can be streamed, and so it can be named."""
    loader = Loader(folder, image_size=(8, 10), augment=[A.Lambda(image=lambda image, **_: image, p=1)])
    list(loader.dataset())
    assert loader.fingerprint


def test_a_limit_chooses_among_the_training_part(folders: Callable[..., Path]) -> None:
    """The validation part is not touched; keys of a smaller limit are among those of a larger; labels follow."""
    root = folders(ants=10, bees=20)
    split: dict[str, Any] = {"image_size": (8, 10), "validation_split": 0.3, "stratify": True}

    def names(loader: Loader) -> set[bytes]:
        return {key for *_, batch in loader.dataset(with_keys=True) for key in batch.numpy()}

    training = Loader(root, subset="training", **split)
    small, large = (Loader(root, subset="training", limit=limit, **split) for limit in (6, 0.5))
    assert names(small) < names(large) < names(training)
    assert not names(training) & names(Loader(root, subset="validation", **split))
    assert np.bincount(small.labels).tolist() == [2, 4]
    assert len({loader.fingerprint for loader in (small, large, training)}) == 3


@pytest.mark.parametrize("limit", [0, 0.0, 1.5, True, "3"])
def test_impossible_limits_are_refused(folders: Callable[..., Path], limit: Any) -> None:
    """By a message that shows what would do."""
    with pytest.raises(OptionError, match="limit must be a count of at least 1"):
        Loader(folders(ants=2), limit=limit)
