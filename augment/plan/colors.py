"""The kernels of colors: conversions, contrast, saturation and hue.

OpenCV and lookup tables (`augment/plan/luts.py`) compute them, on uint8 images [H, W, C]. None writes to its input.
Contrast, saturation and HSV call the same functions as Albumentations 2.0.8, in the same order, so that the result is
equal bit for bit: a later transform cannot enlarge a difference. These functions are the reference for the compiled
kernels (`augment/plan/compiled.py`).
"""

import cv2
import numpy as np

from augment.plan.channels import split_channels
from augment.plan.lowering import HUES, Lut, ShiftHsv
from augment.plan.luts import get_shift_luts, make_scale_luts, translate
from augment.transform import Image


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
