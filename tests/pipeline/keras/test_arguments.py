"""Arguments without a meaning are refused by name, when a dataset or flow is created."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline
from pipeline import ImageDataGenerator
from pipeline.errors import OptionError

Quietly = Callable[..., Any]


def name_case(arguments: object) -> str:
    """Name a case alike in all processes that share the tests: without addresses."""
    return re.sub(r" at 0x\w+", "", repr(arguments))


FLAGS = ("False", "no", 2, 0.5, [], {})

DIRECTORY: list[dict[str, Any]] = [
    *({name: flag} for name in ("shuffle", "follow_links", "verbose") for flag in FLAGS),
    {"directory": 5},
    {"directory": None},
    {"class_names": "ants"},
    {"class_names": ["ants", "ants"]},
    {"class_names": [1, 2]},
    {"class_names": 5},
    {"class_names": ["ants", "wasps"]},
    {"label_mode": ["int"]},
    {"label_mode": "multi"},
    {"labels": 3},
    *({"batch_size": size} for size in (0, -1, 2.0, "32", True)),
    *({"seed": seed} for seed in (-1, 1.5, "1", True)),
    *(
        {"validation_split": split, "subset": "training", "seed": 1}
        for split in ("0.2", 1, 1.5, -0.1, float("nan"), [0.2])
    ),
    {"validation_split": 0.2, "seed": 1},
    {"subset": "training"},
    {"validation_split": 0.2, "subset": "test", "seed": 1},
    {"validation_split": 0.2, "subset": ["training"], "seed": 1},
    {"validation_split": 0.2, "subset": "training"},
    {"format": "grain"},
]
IMAGES: list[dict[str, Any]] = [
    *DIRECTORY,
    *({name: flag} for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio") for flag in FLAGS),
    *({"color_mode": mode} for mode in ("RGB", "bgr", None, 3, ["rgb"])),
    *({"image_size": size} for size in (0, -3, (3,), (3, 4, 5), "32", (3.0, 4), (3, True), None, [8, "8"])),
    *({"interpolation": name} for name in ("linear", None, 1)),
    *({"data_format": name} for name in ("first", 1, ["channels_last"])),
    *({"augment": augment} for augment in (5, "flip", lambda image: image)),
    *({"cache": cache} for cache in (5, True)),
    *({"on_error": name} for name in ("ignore", None, ["raise"])),
]
TEXTS: list[dict[str, Any]] = [*DIRECTORY, *({"max_length": length} for length in (0, -1, 2.5, "9", True))]


def name_of(arguments: dict[str, Any], order: tuple[str, ...] = ("subset", "validation_split", "seed")) -> str:
    """Return a pattern for the names of the arguments of which one is wrong."""
    return "|".join(arguments if len(arguments) == 1 else order)


@pytest.mark.parametrize("arguments", IMAGES, ids=name_case)
def test_image_directories_refuse(arguments: dict[str, Any], photos: Path) -> None:
    """`image_dataset_from_directory` names a wrong argument and its value."""
    with pytest.raises(OptionError, match=name_of(arguments)):
        pipeline.image_dataset_from_directory(**{"directory": photos, "verbose": False, **arguments})


@pytest.mark.parametrize("arguments", TEXTS, ids=name_case)
def test_text_directories_refuse(arguments: dict[str, Any], tmp_path: Path) -> None:
    """`text_dataset_from_directory` names a wrong argument and its value."""
    for name in ("ants", "bees"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text("text")
    with pytest.raises(OptionError, match=name_of(arguments)):
        pipeline.text_dataset_from_directory(**{"directory": tmp_path, "verbose": False, **arguments})


SWITCHES = (
    "featurewise_center",
    "samplewise_center",
    "featurewise_std_normalization",
    "samplewise_std_normalization",
    "zca_whitening",
    "horizontal_flip",
    "vertical_flip",
    "exact",
)
NUMBERS: tuple[Any, ...] = ("1", None, [1, 2], float("inf"), float("nan"), True, 1j)
GENERATOR: list[dict[str, Any]] = [
    *({name: flag} for name in SWITCHES for flag in ("False", 0.5, 2, [])),
    *({name: value} for name in ("rotation_range", "shear_range", "channel_shift_range", "cval") for value in NUMBERS),
    *({"rescale": value} for value in ("1/255", [1, 2], float("inf"), np.ones(3))),
    *({"zca_epsilon": value} for value in (*NUMBERS, -1)),
    *(
        {name: value}
        for name in ("width_shift_range", "height_shift_range")
        for value in ("0.2", -3, -1.5, float("nan"), None, [[1, 2]], ["1"], [float("inf")], True)
    ),
    *({"zoom_range": value} for value in ("0.2", None, (1,), (1, 2, 3), ("1", "2"), (1, float("nan")), float("inf"))),
    *({"brightness_range": value} for value in (0.4, "ab", (1,), ("1", "2"), (1, None), np.ones(2))),
    *({"fill_mode": value} for value in ("mirror", None, ["nearest"])),
    *({"interpolation_order": value} for value in (6, -1, 1.0, "1", None)),
    *({"preprocessing_function": value} for value in (3, "f")),
    *({"data_format": value} for value in ("last", 1)),
    *({"validation_split": value} for value in (1, 1.5, -0.2, "0.2", float("nan"), [0.2])),
    *({"dtype": value} for value in ("uint8", int, "single precision", 3)),
]


@pytest.mark.parametrize("arguments", GENERATOR, ids=name_case)
def test_generators_refuse(arguments: dict[str, Any]) -> None:
    """`ImageDataGenerator` names a wrong argument and its value."""
    (name,) = arguments
    with pytest.raises(OptionError, match=f"`{name}`"):
        ImageDataGenerator(**arguments)


FLOW: list[dict[str, Any]] = [
    *({"batch_size": size} for size in (0, -1, 2.0, None, True)),
    *({"shuffle": flag} for flag in FLAGS),
    *({"seed": seed} for seed in (-1, 1.5, "1", True)),
    *({"save_to_dir": path} for path in (True, 5, "absent", 1.5)),
    {"save_to_dir": ".", "save_prefix": "sub/"},
    {"save_to_dir": ".", "save_prefix": 3},
    {"save_to_dir": ".", "save_format": "psd"},
    {"save_to_dir": ".", "save_format": ""},
    {"save_to_dir": ".", "save_format": None},
    *({"subset": name} for name in ("test", "both", 1, ["training"])),
]
ARRAYS = np.zeros((6, 5, 4, 3), np.uint8)


@pytest.mark.parametrize(
    "arguments",
    [
        *FLOW,
        *({"ignore_class_split": flag, "subset": "training"} for flag in ("False", 2)),
        *(
            {"x": x}
            for x in ("images", ARRAYS[0], [ARRAYS], (ARRAYS, 1, 2), ARRAYS.astype(complex), ARRAYS.astype(str))
        ),
        {"sample_weight": np.ones(6)},
        {"y": np.ones(5)},
        {"y": np.ones(6), "sample_weight": np.ones(7)},
        {"x": np.zeros((6, 5, 4, 2)), "save_to_dir": "."},
    ],
    ids=name_case,
)
def test_flows_refuse(arguments: dict[str, Any]) -> None:
    """`flow` names a wrong argument and its value."""
    with pytest.raises(OptionError, match="|".join(f"`{name}`" for name in arguments)):
        ImageDataGenerator(validation_split=0.5).flow(**{"x": ARRAYS, **arguments})


FILES: list[dict[str, Any]] = [
    *FLOW,
    *({"target_size": size} for size in (8, (8,), (8, 0), (8.0, 8), "88", None, (8, True))),
    *({"color_mode": mode} for mode in ("RGB", None, ["rgb"])),
    *({"class_mode": mode} for mode in ("multi", 1, ["binary"])),
    *({"classes": names} for names in ("ants", [1, 2], 5)),
    *({"interpolation": name} for name in ("area", None, ["nearest"])),
    *({"on_error": name} for name in ("ignore", None)),
    {"directory": 5},
]


@pytest.mark.parametrize(
    "arguments",
    [
        *FILES,
        *({name: flag} for name in ("follow_links", "keep_aspect_ratio") for flag in FLAGS),
        {"classes": ["ants", "ants"]},
        {"directory": None},
        {"classes": ["ants"], "class_mode": "binary"},
    ],
    ids=name_case,
)
def test_directories_refuse(arguments: dict[str, Any], photos: Path, quietly: Quietly) -> None:
    """`flow_from_directory` names a wrong argument and its value."""
    with pytest.raises(OptionError, match="|".join(arguments)):
        quietly(ImageDataGenerator().flow_from_directory, **{"directory": photos, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        *FILES,
        *({"validate_filenames": flag} for flag in FLAGS),
        *({"dataframe": frame} for frame in (None, 5, "table", {}, {"filename": ["a.jpg"]})),
        {"dataframe": {"filename": ["ants/ants0.jpg"], "class": ["a", "b"]}},
        {"x_col": "absent"},
        {"x_col": "number"},
        {"y_col": ["class"]},
        {"weight_col": "class"},
        {"weight_col": "absent"},
        {"class_mode": "multi_output"},
    ],
    ids=name_case,
)
def test_data_frames_refuse(arguments: dict[str, Any], photos: Path, quietly: Quietly) -> None:
    """`flow_from_dataframe` names a wrong argument, its value, and the columns that there are."""
    frame = {"filename": ["ants/ants0.jpg", "bees/bees0.jpg"], "class": ["ants", "bees"], "number": [1, 2]}
    names = "|".join(("y_col", "dataframe", *arguments))
    with pytest.raises(OptionError, match=names) as caught:
        quietly(ImageDataGenerator().flow_from_dataframe, **{"dataframe": frame, "directory": photos, **arguments})
    if "absent" in (arguments.get("x_col"), arguments.get("weight_col")):
        assert "must have the column 'absent', got columns ['filename', 'class', 'number']" in str(caught.value)


IMAGE = np.zeros((5, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *((lambda g, v=v: g.get_random_transform(v), "img_shape") for v in ((5, 4), 5, None, (5, 4, 0), (5, 4, "3"))),
        *((lambda g, v=v: g.get_random_transform((5, 4, 3), seed=v), "seed") for v in (-1, 1.5, "1", True)),
        *(
            (lambda g, v=v, n=n: g.apply_transform(IMAGE, {n: v}), n)
            for n in ("theta", "tx", "shear", "zx", "brightness", "channel_shift_intensity")
            for v in ("1", float("nan"), [1.0], float("inf"))
        ),
        (lambda g: g.apply_transform(IMAGE, {"theta": None}), "theta"),
        (lambda g: g.standardize([1, 2]), "`x` must be an array"),
        (lambda g: g.standardize(np.array(["a"])), "`x` must be an array"),
        *((lambda g, v=v: g.fit(ARRAYS, rounds=v, augment=True), "rounds") for v in (0, 1.5, True, "2")),
        *((lambda g, v=v: g.fit(ARRAYS, augment=v), "augment") for v in ("False", 2)),
        (lambda g: g.fit(ARRAYS, seed=-1), "seed"),
        (lambda g: g.fit(ARRAYS.astype(str)), "array of numbers"),
        (lambda g: g.fit(".", target_size=8), "target_size"),
        (lambda g: g.flow(ARRAYS)[0.5], "0.5"),
    ],
)
def test_methods_refuse(call: Callable[[ImageDataGenerator], Any], message: str) -> None:
    """Methods name a wrong argument."""
    with pytest.raises((OptionError, TypeError), match=message if message != "0.5" else "float"):
        call(ImageDataGenerator(featurewise_center=True, rotation_range=9))


@pytest.mark.parametrize("result", [None, np.zeros((5, 5, 3)), "image", np.zeros((5, 4, 3), complex)])
def test_a_preprocessing_function_must_return_an_image(result: Any) -> None:
    """A function that returns nothing, another shape or another type is refused."""
    generator = ImageDataGenerator(preprocessing_function=lambda _: result)
    with pytest.raises(OptionError, match=re.escape("must return an image of shape (5, 4, 3), got")):
        generator.flow(ARRAYS)[0]


def test_a_preprocessing_function_may_drop_color() -> None:
    """As in Keras, one channel becomes all channels."""
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3)).astype(np.uint8)
    generator = ImageDataGenerator(preprocessing_function=lambda x: x.mean(axis=2, keepdims=True), rescale=0.5)
    batch = generator.flow(images, shuffle=False)[0]
    assert np.allclose(batch, np.repeat(images.mean(axis=3, keepdims=True), 3, axis=3) / 2, atol=1e-4)


def test_switches_take_zero_and_one(photos: Path, quietly: Quietly) -> None:
    """As in Keras, 0, 1, None and NumPy's booleans are switches."""
    for flag in (0, None, np.False_):
        assert ImageDataGenerator(horizontal_flip=flag).get_random_transform((4, 4, 3), seed=1)["flip_horizontal"] == 0  # type: ignore[arg-type]
        flow = quietly(ImageDataGenerator().flow_from_directory, photos, shuffle=flag, target_size=(8, 8))
        assert list(flow.index_array) == list(range(21))
