"""Lookup tables (LUTs) of levels: made, and applied to uint8 images [H, W, C] by OpenCV and StringZilla."""

import cv2
import numpy as np
import stringzilla
from numpy.typing import NDArray

from augment.plan.channels import merge_channels, split_channels
from augment.plan.lowering import Floats
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
