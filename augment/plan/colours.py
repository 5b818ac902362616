"""The kernels of colours: levels looked up in tables, channels parted and joined, contrast, saturation and hue.

Done by OpenCV and StringZilla, on uint8 images [H, W, C]. None writes to its input unless that is its work. Contrast,
saturation and HSV are those of Albumentations 2.0.8, which calls the same functions in the same order, so that the
result is the same bit for bit: a later transform can then not enlarge a difference. Where runs of these are compiled
(`augment/plan/compiled.py`), this file says what the compiled kernel has to give.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import stringzilla
from numpy.typing import NDArray

from augment.plan.lowered import HUES, Floats, Matrix, ShiftHsv, Table
from augment.transform import Image

LEVELS = np.arange(256, dtype=np.float32)

_SHIFTED = np.clip(np.arange(256) + np.arange(-255, 256)[:, np.newaxis], 0, 255).astype(np.uint8)
_SHIFTED.flags.writeable = False
"""The tables of level + shift, clipped to 0 to 255, for all shifts from -255 to 255."""


def shifted(shift: Floats | float) -> NDArray[np.uint8]:
    """Fetch the tables of level + shift, clipped to 0 to 255, uint8 [..., 256], which must not be written to.

    Args:
        shift: float64 [...], or one number; cut off to whole levels.
    """
    tables: NDArray[np.uint8] = _SHIFTED[np.clip(shift, -255, 255).astype(np.int64) + 255]
    return tables


def scaled(factor: Floats | float, offset: Floats | float = 0.0) -> NDArray[np.uint8]:
    """Make the tables of factor * level + offset, cut off and clipped to 0 to 255.

    In float32, as `albucore.multiply` and `multiply_add` compute theirs.

    Args:
        factor: float64 [N], or one number.
        offset: likewise.

    Returns:
        uint8 [N, 256], or [256].
    """
    levels: NDArray[np.float32] = np.asarray(factor, np.float32)[..., np.newaxis] * LEVELS
    levels += np.asarray(offset, np.float32)[..., np.newaxis]
    np.maximum(levels, 0, out=levels)
    return np.minimum(levels, 255, out=levels).astype(np.uint8)


def look_up(image: Image, table: np.ndarray, *, owned: bool = False) -> Image:
    """Replace every level by what a table [256] or [256, C] says.

    Args:
        image: uint8 [H, W, C].
        table: uint8 or float32.
        owned: whether the image may be written to.

    Returns:
        [H, W, C] of the table's dtype: a new image, or the image itself where it is owned.
    """
    if table.ndim == 2 and image.shape[2] == 1:
        table = np.ascontiguousarray(table[:, 0])
    if table.dtype != np.uint8:
        looked_up = np.empty(image.shape, table.dtype)
        cv2.LUT(image, table if table.ndim == 1 else table[np.newaxis], looked_up)
        return looked_up
    if table.ndim == 1:
        found = image if owned and image.flags.c_contiguous else image.copy()
        translate(found, table)
        return found
    planes = split(image)
    for plane, column in zip(planes, np.ascontiguousarray(table.T), strict=True):
        translate(plane, column)
    return merged(planes)


def translate(plane: Image, table: np.ndarray) -> None:
    """Replace every level of a contiguous uint8 array by what a table, uint8 [256], says: in place.

    StringZilla, which Albumentations brings along, takes 2.4 us for 224x224x3 where `cv2.LUT` takes 43 us.
    """
    stringzilla.translate(plane.data, table.data, inplace=True)


def split(image: Image) -> list[Image]:
    """Part an image [H, W, C] into its channels, C new arrays [H, W].

    OpenCV takes 3.6 us to write 224x224x3 into memory that is given to it, and 18 us where it has to find its own.
    """
    height, width, channels = image.shape
    planes = list(np.empty((channels, height, width), image.dtype))
    cv2.split(image, planes)
    return planes


def merged(planes: Sequence[Image]) -> Image:
    """Join channels [H, W] to an image [H, W, C]: a new array."""
    joined = np.empty((*planes[0].shape, len(planes)), planes[0].dtype)
    cv2.merge(planes, joined)
    return joined


def converted(image: Image, conversion: int, channels: int = 3) -> Image:
    """Convert the colours of an image [H, W, C], or [H, W] of grey, as `cv2.cvtColor`.

    Args:
        image: it is not written to.
        conversion: OpenCV's code.
        channels: of the result; 1 gives [H, W].
    """
    made = np.empty(image.shape[:2] if channels == 1 else (*image.shape[:2], channels), image.dtype)
    cv2.cvtColor(image, conversion, made)
    return made


def mixed(image: Image, matrix: Matrix) -> Image:
    """Mix the channels of an image [H, W, C] by a colour matrix: [H, W, C']."""
    made = np.empty((*image.shape[:2], len(matrix)), image.dtype)
    cv2.transform(image, matrix, made)
    return made


def total(image: Image) -> float:
    """Add up all levels of an image."""
    return cv2.sumElems(np.ascontiguousarray(image).reshape(len(image), -1))[0]


_TURNED = ((np.arange(256) + np.arange(HUES)[:, np.newaxis]) % HUES).astype(np.uint8)
"""The tables of hues turned by whole steps."""


def contrast_table(image: Image, factor: float) -> Table:
    """Make the table [256] that stretches levels about the mean of the grey image (torchvision's `adjust_contrast`).

    Args:
        image: uint8 [H, W, 1 or 3].
        factor: 0 or more; 1 changes nothing.
    """
    grey = image if image.shape[2] == 1 else converted(image, cv2.COLOR_RGB2GRAY, 1)
    mean = total(grey) / grey.size
    if factor == 0:
        return np.full(256, int(mean + 0.5), np.uint8)
    return scaled(factor, mean * (1 - factor))


def blended_with_grey(image: Image, factor: float) -> Image:
    """Blend with the grey image (torchvision's `adjust_saturation`).

    A colour matrix would take half the time, but it does not round the grey image as the original does: a level of
    difference, which a hue looked up later turns into eight.

    Args:
        image: uint8 [H, W, 3].
        factor: of the image; 0 is grey, 1 changes nothing.
    """
    grey = converted(converted(image, cv2.COLOR_RGB2GRAY, 1), cv2.COLOR_GRAY2RGB)
    return grey if factor == 0 else cv2.addWeighted(image, factor, grey, 1 - factor, 0, grey)


def shifted_in_hsv(image: Image, shift: ShiftHsv) -> Image:
    """Shift hue, saturation and value, in one round trip through HSV.

    Args:
        image: uint8 [H, W, 3].
        shift: of each of the three.
    """
    hsv = converted(image, cv2.COLOR_RGB2HSV)
    hue, saturation, value = planes = split(hsv)
    translate(hue, _TURNED[shift.hue])
    if shift.saturation:
        table = shifted(shift.saturation).copy()
        table[0] = 0  # what is grey stays grey
        translate(saturation, table)
    if shift.value:
        translate(value, shifted(shift.value))
    return converted(cv2.merge(planes, hsv), cv2.COLOR_HSV2RGB)
