"""Image files in all of Pillow's modes, read as `keras.utils.load_img` reads them."""

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from pipeline import ImageDataGenerator

pytestmark = pytest.mark.filterwarnings("ignore:levels outside 0 to 255", "ignore:Palette images with Transparency")

SIZE = (9, 8)
Quietly = Callable[..., Any]


@pytest.fixture(scope="module")
def modes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder with files of noise in Pillow's modes, wide and narrow, as TIFF, PNG, PPM and BMP."""
    from PIL import Image

    root = tmp_path_factory.mktemp("modes")
    folder = root / "all"
    folder.mkdir()
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 65536, SIZE)
    narrow = rng.integers(0, 256, (*SIZE, 4)).astype(np.uint8)
    for name, array in (("I16", wide.astype(np.uint16)), ("dark", rng.integers(0, 200, SIZE).astype(np.uint16))):
        Image.fromarray(array).save(folder / f"{name}.tif")
        Image.fromarray(array).save(folder / f"{name}.png")
    Image.fromarray((wide * 3 - 70000).astype(np.int32)).save(folder / "I.tif")
    Image.fromarray((wide / 300 - 20).astype(np.float32)).save(folder / "F.tif")
    Image.frombytes("I;16B", SIZE[::-1], wide.astype(">u2").tobytes()).save(folder / "I16B.tif")
    (folder / "pgm.ppm").write_bytes(b"P5 8 9 65535\n" + wide.astype(">u2").tobytes())
    written = {
        "tif": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"),
        "png": ("1", "L", "LA", "P", "RGB", "RGBA"),
        "bmp": ("1", "L", "P", "RGB"),
        "ppm": ("1", "L", "RGB"),
    }
    for extension, names in written.items():
        for mode in names:
            Image.fromarray(narrow).convert(mode).save(folder / f"{mode}.{extension}")
    cv2.imwrite(str(folder / "rgb16.png"), rng.integers(0, 65536, (*SIZE, 3)).astype(np.uint16))
    cv2.imwrite(str(folder / "rgba16.png"), rng.integers(0, 65536, (*SIZE, 4)).astype(np.uint16))
    return root


@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
@pytest.mark.parametrize(
    ("target_size", "interpolation", "keep_aspect_ratio"),
    [
        (SIZE, "nearest", False),
        ((5, 6), "nearest", False),
        ((20, 13), "bilinear", False),
        ((5, 6), "lanczos", True),
        ((6, 5), "nearest", True),
    ],
)
def test_files_are_read_as_keras_reads_them(
    color_mode: str,
    target_size: tuple[int, int],
    interpolation: str,
    keep_aspect_ratio: bool,
    modes: Path,
    quietly: Quietly,
) -> None:
    """In every color mode the levels of each file are those of `load_img` and `img_to_array`."""
    options: dict[str, Any] = {
        "target_size": target_size,
        "color_mode": color_mode,
        "interpolation": interpolation,
        "keep_aspect_ratio": keep_aspect_ratio,
    }
    flow = quietly(
        ImageDataGenerator().flow_from_directory, modes, shuffle=False, class_mode=None, batch_size=7, **options
    )
    images = np.concatenate(list(itertools.islice(flow, len(flow))))
    for path, image in zip(flow.filepaths, images, strict=True):
        expected = keras.utils.img_to_array(keras.utils.load_img(path, **options))
        assert image.dtype == expected.dtype == np.float32
        assert np.array_equal(image, expected), path


@pytest.mark.parametrize(
    "arguments",
    [
        {"rotation_range": 40, "fill_mode": "reflect"},
        {"zoom_range": (0.7, 0.7), "interpolation_order": 3},
        {"brightness_range": (0.6, 0.6), "horizontal_flip": True},
        {"channel_shift_range": 30.0, "samplewise_center": True, "rescale": 0.01},
    ],
    ids=str,
)
def test_wide_levels_are_transformed_as_in_keras(
    arguments: dict[str, Any], modes: Path, legacy: Callable[..., Any], quietly: Quietly
) -> None:
    """With equal parameters, transforms and normalization of 16- and 32-bit levels equal the legacy class's."""
    generator = ImageDataGenerator(**arguments, exact=True)
    oracle = legacy(**arguments)
    options: dict[str, Any] = {"target_size": SIZE, "color_mode": "grayscale", "class_mode": None, "shuffle": False}
    parameters = generator.get_random_transform((*SIZE, 1), seed=3)
    flow = quietly(generator.flow_from_directory, modes, **options, batch_size=100)
    fixed = ImageDataGenerator(**arguments, exact=True)
    fixed.get_random_transform = lambda *_, **__: parameters  # type: ignore[method-assign]
    images = next(quietly(fixed.flow_from_directory, modes, **options, batch_size=100))
    for path, image in zip(flow.filepaths, images, strict=True):
        x = keras.utils.img_to_array(keras.utils.load_img(path, color_mode="grayscale"))
        expected = oracle.standardize(oracle.apply_transform(x.copy(), parameters))
        scale = max(1, np.ptp(x) / 255)
        assert np.quantile(np.abs(image - expected), 0.98) <= 0.01 * scale, path


def test_a_sample_does_not_depend_on_its_batch(modes: Path, quietly: Quietly) -> None:
    """8-bit and 16-bit images in one directory give equal bytes at every batch size, and in the dataset."""
    generator = ImageDataGenerator(
        rotation_range=30, samplewise_center=True, samplewise_std_normalization=True, rescale=1 / 255
    )
    options: dict[str, Any] = {"target_size": (8, 8), "color_mode": "grayscale", "class_mode": None, "seed": 2}
    flows = [quietly(generator.flow_from_directory, modes, **options, batch_size=size) for size in (1, 4, 100)]
    one, *others = [np.concatenate(list(itertools.islice(flow, len(flow)))) for flow in flows]
    assert all(np.array_equal(one, other) for other in others)
    assert np.array_equal(np.concatenate(list(flows[1].dataset().as_numpy_iterator())), one)


def test_gray_files_of_8_bits_keep_their_stream(photos: Path, quietly: Quietly) -> None:
    """Gray images of 8 bits have the bytes of an array of the same uint8 images."""
    arguments: dict[str, Any] = {"rotation_range": 30, "samplewise_std_normalization": True, "rescale": 1 / 255}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generator = ImageDataGenerator(**arguments)
    options: dict[str, Any] = {"target_size": (16, 16), "color_mode": "grayscale", "class_mode": None, "shuffle": False}
    levels = next(quietly(ImageDataGenerator().flow_from_directory, photos, **options, batch_size=21))
    flow = quietly(generator.flow_from_directory, photos, **options, batch_size=21, seed=7)
    array = generator.flow(levels.astype(np.uint8), batch_size=21, shuffle=False, seed=7)
    assert np.array_equal(next(flow), next(array))


def test_clipped_levels_warn(modes: Path, quietly: Quietly) -> None:
    """A 16-bit gray image in color is clipped to 255, as in Keras, with a warning that says how to keep the levels."""
    options: dict[str, Any] = {"target_size": SIZE, "class_mode": None, "shuffle": False, "batch_size": 100}
    flow = quietly(ImageDataGenerator().flow_from_directory, modes, **options)
    with pytest.warns(UserWarning, match=r"clipped .*as in Keras; use color_mode=\"grayscale\" to keep them"):
        flow[0]


def test_fit_takes_wide_levels(modes: Path) -> None:
    """The statistics of a directory are those of the levels that Keras reads."""
    generator = ImageDataGenerator(featurewise_center=True)
    generator.fit(modes, target_size=SIZE, color_mode="grayscale")
    paths = [path for path in modes.rglob("*") if path.is_file()]
    levels = [keras.utils.img_to_array(keras.utils.load_img(path, color_mode="grayscale")) for path in paths]
    assert np.allclose(generator.mean, np.mean(levels), rtol=1e-6)
