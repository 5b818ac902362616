"""The color operations of the policies are Pillow's, to the level: on noise, photographs' levels, and odd images."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

import augment
from augment.plan.plan import Plan
from augment.policies.aug_mix_transform import RANGES as AUG_MIX
from augment.policies.operations import FOURTEEN, OperationRanges
from augment.policies.pillow import PillowColor, PillowSolarize
from augment.policies.trivial_augment import WIDE

GEOMETRIC = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
COLOR = [name for name in (*FOURTEEN, "Invert") if name not in GEOMETRIC]


def apply_pillow(name: str, strength: float, ranges: OperationRanges, image: Image.Image) -> Image.Image:
    """Apply an operation as the papers' code does, with Pillow."""
    first, last = ranges.enhance
    lost = ranges.max_bits - ranges.min_bits
    return {
        "Identity": lambda: image,
        "AutoContrast": lambda: ImageOps.autocontrast(image),
        "Equalize": lambda: ImageOps.equalize(image),
        "Invert": lambda: ImageOps.invert(image),
        "Solarize": lambda: ImageOps.solarize(image, min(max(256 * (1 - strength), 0), 256)),
        "Posterize": lambda: ImageOps.posterize(image, max(1, ranges.max_bits - round(strength * lost))),
        "Color": lambda: ImageEnhance.Color(image).enhance(first + strength * (last - first)),
        "Contrast": lambda: ImageEnhance.Contrast(image).enhance(first + strength * (last - first)),
        "Brightness": lambda: ImageEnhance.Brightness(image).enhance(first + strength * (last - first)),
        "Sharpness": lambda: ImageEnhance.Sharpness(image).enhance(first + strength * (last - first)),
    }[name]()


def to_pillow(image: np.ndarray) -> Image.Image:
    """Convert an image, uint8 [H, W, 1 or 3]."""
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    """Draw an image: noise, few levels, a narrow range, gray, constant, or saturated; of 1 or 3 channels."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    channels, random = draw(st.sampled_from([1, 3])), np.random.default_rng(draw(st.integers(0, 2**32)))
    low = draw(st.integers(0, 255))
    high = draw(st.integers(low, 255))
    levels = random.integers(low, high + 1, (height, width, channels))
    kind = draw(st.sampled_from(["range", "few", "gray", "constant", "saturated", "skewed"]))
    if kind == "few":
        levels = random.choice(random.integers(0, 256, draw(st.integers(1, 4))), levels.shape)
    if kind == "gray":
        levels = np.repeat(levels[..., :1], channels, axis=2)
    if kind == "constant":
        levels = np.broadcast_to(levels[:1, :1], levels.shape)
    if kind == "saturated":
        levels = np.where(random.random(levels.shape) < 0.8, random.choice([0, 255], levels.shape), levels)
    if kind == "skewed":
        levels = 255 - np.minimum(random.geometric(0.02, levels.shape) - 1, 255)
    return np.ascontiguousarray(levels, np.uint8)


@pytest.mark.parametrize("name", COLOR)
@given(image=images(), level=st.integers(0, 60), ranges=st.sampled_from([OperationRanges(), WIDE, AUG_MIX]))
def test_color_operations_are_pillows(name: str, image: np.ndarray, level: int, ranges: OperationRanges) -> None:
    """Equal to the level at every strength, in a plan and by the transform itself."""
    strength = level / 20
    transform = ranges.make_operation(name, strength)
    theirs = np.asarray(apply_pillow(name, strength, ranges, to_pillow(image))).reshape(image.shape)
    plan = Plan(A.Compose([transform]))
    params = plan.sample(0, 0, [0], [image.shape])
    np.testing.assert_array_equal(plan.apply(image, params, 0), theirs)
    if name not in ("Invert", "Posterize"):  # Albumentations' own
        np.testing.assert_array_equal(transform(image=image)["image"], theirs)


@pytest.mark.parametrize("name", COLOR)
def test_color_operations_of_a_large_image_are_pillows(name: str) -> None:
    """Half a million pixels, which have all differences of levels."""
    image = np.random.default_rng(3).integers(0, 256, (600, 900, 3)).astype(np.uint8)
    for strength in (0.0, 0.05, 0.31, 0.5, 0.77, 1.0):
        plan = Plan(A.Compose([OperationRanges().make_operation(name, strength)]))
        ours = plan.apply(image, plan.sample(0, 0, [0], [image.shape]), 0)
        theirs = np.asarray(apply_pillow(name, strength, OperationRanges(), Image.fromarray(image)))
        np.testing.assert_array_equal(ours, theirs)


def test_gray_on_white_is_stretched_and_white_stays_white() -> None:
    """A scan: AutoContrast counts level 255, and Solarize at strength 0 inverts nothing."""
    scan = np.full((8, 8, 3), 255, np.uint8)
    scan[2:4] = 200
    plan = Plan(OperationRanges().make_operation("AutoContrast", 0))
    assert set(np.unique(plan.apply(scan, plan.sample(0, 0, [0], [scan.shape]), 0))) == {0, 254}  # truncated, as Pillow
    plan = Plan(OperationRanges().make_operation("Solarize", 0))
    np.testing.assert_array_equal(plan.apply(scan, plan.sample(0, 0, [0], [scan.shape]), 0), scan)


@pytest.mark.parametrize("name", [name for name in COLOR if name not in ("Identity", "Invert", "Posterize")])
def test_float_images_are_those_of_8_bits(name: str) -> None:
    """A float32 image in 0 to 1 gives the same picture in float32, to two levels."""
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    transform = OperationRanges().make_operation(name, 0.8)
    changed = transform(image=(image / np.float32(255)))["image"]
    assert changed.dtype == np.float32
    assert np.abs(changed * 255 - transform(image=image)["image"].astype(float)).max() <= 2


@pytest.mark.parametrize("make", [PillowColor, lambda value: PillowSolarize(threshold=value)])
@pytest.mark.parametrize("value", [1, (2, 1), (-1, 1), (0, float("nan")), "ab", (0, 2000)])
def test_ranges_are_checked(make: Any, value: Any) -> None:
    """The message has the range."""
    with pytest.raises(augment.TransformError, match=r"must be \(low, high\) with 0 <= low <= high <= "):
        make(value)


def test_images_of_other_channels_are_refused() -> None:
    """Pillow has no such images."""
    with pytest.raises(augment.TransformError, match="PillowColor needs an image of 1 or 3 channels, got 4"):
        augment.KeyedTransform(PillowColor(p=1))(np.zeros((4, 4, 4), np.uint8), augment.keys.root(0))
