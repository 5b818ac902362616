"""Hue and saturation: ColorJitter and HueSaturationValue.

Both follow Albumentations 2.0.8, in the same order, so that the result is equal bit for bit. Samples skip operations
that change nothing.
"""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.plan.lowering import (
    HUES,
    Columns,
    Contrast,
    Floats,
    Integers,
    NotLoweredError,
    Operation,
    Pointwise,
    Saturation,
    ShiftHsv,
    lowers,
    scale_uniform,
)
from augment.plan.luts import get_shift_luts, make_scale_luts
from augment.transform import Image


def count_hue_steps(shift: float) -> int:
    """Return the whole steps of a shift of hue, 0 to 179.

    The original adds and then truncates. Truncating first is the same, because hues are whole numbers.
    """
    return int(shift % HUES) % HUES  # the remainder of tiny negative shifts rounds to 180


@lowers(A.ColorJitter)
class ColorJitter(Pointwise):
    """Brightness, contrast, saturation and hue, in random order."""

    kernel = "LUTs, saturation and hue"
    draws = 8  # four factors, and four numbers whose ranks are the order

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the four factors and their order, and make the LUTs of brightness."""
        transform = self.transform
        limits = np.array([transform.brightness, transform.contrast, transform.saturation, transform.hue])
        factors = scale_uniform(uniforms[:, :4], limits[:, 0], limits[:, 1])
        return {
            "factors": factors,
            "order": np.argsort(uniforms[:, 4:], axis=1),
            "brightness": make_scale_luts(factors[:, 0]),
        }

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the four factors and their order."""
        names = ("brightness", "contrast", "saturation", "hue")
        return dict(zip(names, columns["factors"][row].tolist(), strict=True)) | {
            "order": columns["order"][row].tolist()
        }

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the operations that change anything, in the drawn order."""
        if channels not in (1, 3):
            raise NotLoweredError(f"ColorJitter needs 1 or 3 channels, got {channels}")
        _, contrast, saturation, hue = columns["factors"][row].tolist()
        steps: list[Operation | None] = [
            columns["brightness"][row],
            None if contrast == 1 else Contrast(contrast),
            None if saturation == 1 or channels == 1 else Saturation(saturation),
            None if hue == 0 or channels == 1 else ShiftHsv(count_hue_steps(HUES * hue)),
        ]
        return [step for step in (steps[index] for index in columns["order"][row].tolist()) if step is not None]


@lowers(A.HueSaturationValue)
class HueSaturationValue(Pointwise):
    """Shifts of hue (in steps of two degrees), saturation and value (in levels)."""

    kernel = "LUTs of hue, saturation and value"
    draws = 3

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the shifts."""
        transform = self.transform
        limits = np.array([transform.hue_shift_limit, transform.sat_shift_limit, transform.val_shift_limit])
        return {"shifts": scale_uniform(uniforms, limits[:, 0], limits[:, 1])}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the three shifts."""
        names = ("hue_shift", "sat_shift", "val_shift")
        return dict(zip(names, columns["shifts"][row].tolist(), strict=True))

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the round trip through HSV; a gray image gets a LUT that shifts its value."""
        hue, saturation, value = columns["shifts"][row].tolist()
        if channels == 1:
            return [get_shift_luts(value)]
        if channels != 3:
            raise NotLoweredError(f"HueSaturationValue needs 1 or 3 channels, got {channels}")
        if not (hue or saturation or value):
            return []
        saturation, value = (int(min(max(shift, -255), 255)) for shift in (saturation, value))
        return [ShiftHsv(count_hue_steps(hue), saturation, value)]
