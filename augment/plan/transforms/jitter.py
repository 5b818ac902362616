"""Colour in terms of hue and saturation: ColorJitter and HueSaturationValue.

Both do what Albumentations 2.0.8 does, in the same order and with the same OpenCV functions, so that the result is the
same bit for bit; a later transform can then not enlarge a difference. What is saved: samples skip what their draw makes
void, levels are looked up in place, and channels are parted into memory that is there already.
"""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import kernels
from augment.plan.lowered import (
    Columns,
    Floats,
    Integers,
    NotLoweredError,
    Operation,
    Pointwise,
    TableOf,
    between,
    lowers,
)
from augment.plan.transforms.tables import scaled, shifted
from augment.transform import Image

_HUES = 180
"""OpenCV's hue of a uint8 image is counted in steps of two degrees."""

_TURNED = ((np.arange(256) + np.arange(_HUES)[:, np.newaxis]) % _HUES).astype(np.uint8)
"""The tables of hues turned by whole steps."""


def turned(shift: float) -> NDArray[np.uint8]:
    """Fetch the table [256] of hues turned by a number of steps of two degrees.

    The original adds up and then cuts off the fraction. That is the same as cutting it off first, since hues are whole.
    """
    # Twice the remainder: that of the smallest negative shifts is rounded up to 180.
    table: NDArray[np.uint8] = _TURNED[int(shift % _HUES) % _HUES]
    return table


def look_up_hsv(image: Image, *tables: NDArray[np.uint8]) -> Image:
    """Look up hue, and then saturation and value where there are tables of them, in one round trip through HSV.

    Args:
        image: uint8 [H, W, 3].
        *tables: uint8 [256] each.
    """
    hsv = kernels.converted(image, cv2.COLOR_RGB2HSV)
    planes = kernels.split(hsv)
    for plane, table in zip(planes, tables, strict=False):
        kernels.translate(plane, table)
    return kernels.converted(cv2.merge(planes, hsv), cv2.COLOR_HSV2RGB)


def contrast_table(image: Image, factor: float) -> NDArray[np.uint8]:
    """Make the table [256] that stretches levels about the mean of the grey image (torchvision's `adjust_contrast`).

    Args:
        image: uint8 [H, W, 1 or 3].
        factor: 0 or more; 1 changes nothing.
    """
    grey = image if image.shape[2] == 1 else kernels.converted(image, cv2.COLOR_RGB2GRAY, 1)
    mean = kernels.total(grey) / grey.size
    if factor == 0:
        return np.full(256, int(mean + 0.5), np.uint8)
    return scaled(factor, mean * (1 - factor))


def adjust_saturation(image: Image, factor: float) -> Image:
    """Blend with the grey image (torchvision's `adjust_saturation`).

    A colour matrix would take half the time, but it does not round the grey image as the original does: a level of
    difference, which a hue looked up later turns into eight.

    Args:
        image: uint8 [H, W, 3].
        factor: of the image; 0 is grey, 1 changes nothing.
    """
    grey = kernels.converted(kernels.converted(image, cv2.COLOR_RGB2GRAY, 1), cv2.COLOR_GRAY2RGB)
    return grey if factor == 0 else cv2.addWeighted(image, factor, grey, 1 - factor, 0, grey)


@lowers(A.ColorJitter)
class ColorJitter(Pointwise):
    """Brightness, contrast, saturation and hue, in random order."""

    kernel = "tables, blend with grey and hue"
    draws = 8  # four factors, and four numbers whose ranks are the order

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the four factors and their order, and make the tables of brightness."""
        transform = self.transform
        limits = np.array([transform.brightness, transform.contrast, transform.saturation, transform.hue])
        factors = between(uniforms[:, :4], limits[:, 0], limits[:, 1])
        return {
            "factors": factors,
            "order": np.argsort(uniforms[:, 4:], axis=1),
            "brightness": scaled(factors[:, 0]),
        }

    def original(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give the four factors and their order."""
        names = ("brightness", "contrast", "saturation", "hue")
        return dict(zip(names, columns["factors"][row].tolist(), strict=True)) | {
            "order": columns["order"][row].tolist()
        }

    def operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Give what changes anything, in the drawn order."""
        if channels not in (1, 3):
            raise NotLoweredError(f"ColorJitter is for 1 or 3 channels, not {channels}")
        _, contrast, saturation, hue = columns["factors"][row].tolist()
        steps: list[Operation | None] = [
            columns["brightness"][row],
            None if contrast == 1 else TableOf(lambda image: contrast_table(image, contrast)),
            None if saturation == 1 or channels == 1 else lambda image: adjust_saturation(image, saturation),
            None if hue == 0 or channels == 1 else lambda image: look_up_hsv(image, turned(_HUES * hue)),
        ]
        return [step for step in (steps[place] for place in columns["order"][row].tolist()) if step is not None]


@lowers(A.HueSaturationValue)
class HueSaturationValue(Pointwise):
    """Shifts of hue (in steps of two degrees), saturation and value (in levels)."""

    kernel = "tables of hue, saturation and value"
    draws = 3

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the shifts."""
        transform = self.transform
        limits = np.array([transform.hue_shift_limit, transform.sat_shift_limit, transform.val_shift_limit])
        return {"shifts": between(uniforms, limits[:, 0], limits[:, 1])}

    def original(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give the three shifts."""
        names = ("hue_shift", "sat_shift", "val_shift")
        return dict(zip(names, columns["shifts"][row].tolist(), strict=True))

    def operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Give the round trip through HSV; of a grey image only the value is shifted, by a table."""
        saturation, value = shifted(columns["shifts"][row, 1:])
        if channels == 1:
            return [value]
        if channels != 3:
            raise NotLoweredError(f"HueSaturationValue is for 1 or 3 channels, not {channels}")
        if not columns["shifts"][row].any():
            return []
        saturation[0] = 0  # what is grey stays grey
        return [lambda image: look_up_hsv(image, turned(columns["shifts"][row, 0]), saturation, value)]
