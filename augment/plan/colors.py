"""The kernels of colors: lookup tables (LUTs), split and merged channels, contrast, saturation and hue.

OpenCV and StringZilla compute them, on uint8 images [H, W, C]. None writes to its input, except `translate`. Contrast,
saturation and HSV call the same functions as Albumentations 2.0.8, in the same order, so that the result is equal bit
for bit: a later transform cannot enlarge a difference. These functions are the reference for the compiled kernels
(`augment/plan/compiled.py`).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import stringzilla
from numpy.typing import NDArray

from augment.plan.lowering import HUES, Floats, Lut, Matrix, ShiftHsv
from augment.transform import Image

LEVELS = np.arange(256, dtype=np.float32)

_SHIFT_LUTS = np.clip(np.arange(256) + np.arange(-255, 256)[:, np.newaxis], 0, 255).astype(np.uint8)
_SHIFT_LUTS.flags.writeable = False
"""The LUTs of level + shift, clipped to 0 to 255, for all shifts from -255 to 255."""


def get_shift_luts(shift: Floats | float) -> NDArray[np.uint8]:
    """Return the LUTs of level + shift, clipped to 0 to 255, uint8 [..., 256]; they must not be written to.

    Args:
        shift: float64 [...], or one number; truncated to whole levels.
    """
    luts: NDArray[np.uint8] = _SHIFT_LUTS[np.clip(shift, -255, 255).astype(np.int64) + 255]
    return luts


def make_scale_luts(factor: Floats | float, offset: Floats | float = 0.0) -> NDArray[np.uint8]:
    """Make the LUTs of factor * level + offset, truncated and clipped to 0 to 255.

    In float32, as `albucore.multiply` and `multiply_add` do.

    Args:
        factor: float64 [N], or one number.
        offset: float64 [N], or one number.

    Returns:
        uint8 [N, 256], or [256].
    """
    levels: NDArray[np.float32] = np.asarray(factor, np.float32)[..., np.newaxis] * LEVELS
    levels += np.asarray(offset, np.float32)[..., np.newaxis]
    np.maximum(levels, 0, out=levels)
    return np.minimum(levels, 255, out=levels).astype(np.uint8)


def apply_lut(image: Image, lut: np.ndarray, *, is_owned: bool = False) -> Image:
    """Replace every level by its entry in a LUT [256] or [256, C].

    Args:
        image: uint8 [H, W, C].
        lut: uint8 or float32.
        is_owned: whether the image may be written to.

    Returns:
        [H, W, C] of the LUT's dtype: a new image, or the image itself if it is owned.
    """
    if lut.ndim == 2 and image.shape[2] == 1:
        lut = np.ascontiguousarray(lut[:, 0])
    if lut.dtype != np.uint8:
        mapped = np.empty(image.shape, lut.dtype)
        cv2.LUT(image, lut if lut.ndim == 1 else lut[np.newaxis], mapped)
        return mapped
    if lut.ndim == 1:
        result = image if is_owned and image.flags.c_contiguous else image.copy()
        translate(result, lut)
        return result
    planes = split_channels(image)
    for plane, column in zip(planes, np.ascontiguousarray(lut.T), strict=True):
        translate(plane, column)
    return merge_channels(planes)


def translate(plane: Image, lut: np.ndarray) -> None:
    """Replace every level of a contiguous uint8 array by its entry in a LUT, uint8 [256], in place.

    StringZilla, which Albumentations depends on, takes 2.4 us for 224x224x3; `cv2.LUT` takes 43 us.
    """
    stringzilla.translate(plane.data, lut.data, inplace=True)


def split_channels(image: Image) -> list[Image]:
    """Split an image [H, W, C] into its channels, C new arrays [H, W].

    OpenCV takes 3.6 us to write 224x224x3 into allocated memory, and 18 us if it allocates.
    """
    height, width, channels = image.shape
    planes = list(np.empty((channels, height, width), image.dtype))
    cv2.split(image, planes)
    return planes


def merge_channels(planes: Sequence[Image]) -> Image:
    """Merge channels [H, W] into an image [H, W, C], a new array."""
    merged = np.empty((*planes[0].shape, len(planes)), planes[0].dtype)
    cv2.merge(planes, merged)
    return merged


def convert_color(image: Image, conversion: int, channels: int = 3) -> Image:
    """Convert the colors of an image [H, W, C], or gray [H, W], as `cv2.cvtColor` does.

    Args:
        image: it is not written to.
        conversion: OpenCV's code.
        channels: the number of channels of the result; 1 returns [H, W].
    """
    converted = np.empty(image.shape[:2] if channels == 1 else (*image.shape[:2], channels), image.dtype)
    cv2.cvtColor(image, conversion, converted)
    return converted


def mix_channels(image: Image, matrix: Matrix) -> Image:
    """Mix the channels of an image [H, W, C] by a color matrix: [H, W, C']."""
    mixed = np.empty((*image.shape[:2], len(matrix)), image.dtype)
    cv2.transform(image, matrix, mixed)
    return mixed


def sum_levels(image: Image) -> float:
    """Return the sum of all levels of an image."""
    return cv2.sumElems(np.ascontiguousarray(image).reshape(len(image), -1))[0]


_HUE_LUTS = ((np.arange(256) + np.arange(HUES)[:, np.newaxis]) % HUES).astype(np.uint8)
"""The LUTs of hues rotated by whole steps."""


def make_contrast_lut(image: Image, factor: float) -> Lut:
    """Make the LUT [256] that stretches levels around the mean of the gray image (torchvision's `adjust_contrast`).

    Args:
        image: uint8 [H, W, 1 or 3].
        factor: 0 or more; 1 changes nothing.
    """
    gray = image if image.shape[2] == 1 else convert_color(image, cv2.COLOR_RGB2GRAY, 1)
    mean = sum_levels(gray) / gray.size
    if factor == 0:
        return np.full(256, int(mean + 0.5), np.uint8)
    return make_scale_luts(factor, mean * (1 - factor))


def adjust_saturation(image: Image, factor: float) -> Image:
    """Blend with the gray image (torchvision's `adjust_saturation`).

    A color matrix would take half the time, but it does not round the gray image as the original does: a difference of
    one level, which a later shift of hue turns into eight.

    Args:
        image: uint8 [H, W, 3].
        factor: the weight of the image; 0 is gray, 1 changes nothing.
    """
    gray = convert_color(convert_color(image, cv2.COLOR_RGB2GRAY, 1), cv2.COLOR_GRAY2RGB)
    return gray if factor == 0 else cv2.addWeighted(image, factor, gray, 1 - factor, 0, gray)


def shift_hsv(image: Image, shift: ShiftHsv) -> Image:
    """Shift hue, saturation and value, in one round trip through HSV.

    Args:
        image: uint8 [H, W, 3].
        shift: the three shifts.
    """
    hsv = convert_color(image, cv2.COLOR_RGB2HSV)
    hue, saturation, value = planes = split_channels(hsv)
    translate(hue, _HUE_LUTS[shift.hue])
    if shift.saturation:
        lut = get_shift_luts(shift.saturation).copy()
        lut[0] = 0  # gray stays gray
        translate(saturation, lut)
    if shift.value:
        translate(value, get_shift_luts(shift.value))
    return convert_color(cv2.merge(planes, hsv), cv2.COLOR_HSV2RGB)
