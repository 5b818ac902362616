"""CropAndPad: each side is cropped or padded by a number of pixels or a fraction of the image."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.plan.lowering import (
    Columns,
    Floats,
    Geometry,
    Integers,
    NotLoweredError,
    Steps,
    lowers,
    make_stretch,
    make_translation,
    scale_to_integers,
    scale_uniform,
)
from augment.plan.transforms.pads import make_pad
from augment.transform import Image


@lowers(A.CropAndPad)
class CropAndPad(Geometry):
    """A crop, then a pad, then a resize if `keep_size` is set."""

    kernel = "crop, pad and resize"
    draws = 4

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if not isinstance(transform.fill, (int, float)) or not isinstance(transform.fill_mask, (int, float)):
            raise NotLoweredError("its fill is drawn per image")
        ranges = transform.px if transform.px is not None else transform.percent
        self._are_pixels = transform.px is not None
        self._is_shared = False
        if isinstance(ranges, (int, float)):
            ranges = [[ranges]] * 4
        elif len(ranges) == 2:
            self._is_shared = not transform.sample_independently
            ranges = [tuple(ranges)] * 4
        # The first side decides for all of them, as in the original.
        are_ranges = not isinstance(ranges[0], (int, float)) and len(ranges[0]) == 2
        if are_ranges and any(len(side) != 2 for side in ranges):
            raise NotLoweredError("its sides mix ranges and lists")
        self._ranges = [
            [side] if isinstance(side, (int, float)) else tuple(side) if are_ranges else list(side) for side in ranges
        ]
        if self._are_pixels and any(isinstance(side, tuple) and side[0] >= side[1] for side in self._ranges):
            raise NotLoweredError("its px is an empty range")

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the padding of each side; negative numbers crop."""
        top, right, bottom, left = self._draw_sides(uniforms, height, width)
        crop_top, crop_bottom = _limit_crops(np.maximum(-top, 0), np.maximum(-bottom, 0), height)
        crop_left, crop_right = _limit_crops(np.maximum(-left, 0), np.maximum(-right, 0), width)
        rows, columns = height - crop_top - crop_bottom, width - crop_left - crop_right
        pad_rows, pad_columns = (np.maximum(top, 0), np.maximum(bottom, 0)), (np.maximum(left, 0), np.maximum(right, 0))
        window = make_translation(crop_left, crop_top)
        window[(rows < 1) | (columns < 1)] = np.nan
        steps = [Steps(window, rows, columns), make_pad(rows, columns, pad_rows, pad_columns, self.transform)]
        drawn = {
            "crop": np.stack([crop_left, crop_top, width - crop_right, height - crop_bottom], axis=1),
            "is_cropped": (rows != height) | (columns != width),
            "pad": np.stack([*pad_rows, *pad_columns], axis=1),
            "result": np.stack([steps[1].height, steps[1].width], axis=1),
        }
        if self.transform.keep_size:
            flags = self.transform.interpolation, self.transform.mask_interpolation
            steps.append(Steps(make_stretch(steps[1].height, steps[1].width, height, width), height, width, *flags))
        return drawn, steps

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the window, the pad (each may be None) and the fill."""
        pad = columns["pad"][row].tolist()
        return {
            "crop_params": columns["crop"][row].tolist() if columns["is_cropped"][row] else None,
            "pad_params": pad if any(pad) else None,
            "fill": self.transform.fill,
            "fill_mask": self.transform.fill_mask,
            "result_shape": tuple(columns["result"][row].tolist()),
        }

    def _draw_sides(self, uniforms: Floats, height: Integers, width: Integers) -> list[Integers]:
        """Draw the numbers of pixels for the top, right, bottom and left side, each [N]."""
        sides = []
        for index, (side, size) in enumerate(zip(self._ranges, (height, width, height, width), strict=True)):
            uniform = uniforms[:, 0 if self._is_shared else index]
            if isinstance(side, list):
                drawn = np.asarray(side)[scale_to_integers(uniform, 0, len(side) - 1)]
            elif self._are_pixels:
                drawn = scale_to_integers(uniform, side[0], side[1] - 1)
            else:
                drawn = scale_uniform(uniform, *side)
            sides.append((drawn if self._are_pixels else np.trunc(drawn * size)).astype(np.int64))
        return sides


def _limit_crops(first: Integers, last: Integers, size: Integers) -> tuple[Integers, Integers]:
    """Reduce the crops of two opposite sides that would leave nothing, as `A.CropAndPad` does."""
    regain = size + 1
    one, two = regain - regain // 2, regain // 2
    first_lacks, last_lacks = np.maximum(one - first, 0), np.maximum(two - last, 0)
    # What one side cannot restore the other must; if neither can, only the first side's deficit moves.
    one = np.where(first_lacks > 0, first, one + last_lacks)
    two = np.where(first_lacks > 0, two + first_lacks, two - last_lacks)
    is_empty = size - first - last < 1
    kept = np.where(is_empty, first - one, first), np.where(is_empty, last - two, last)
    return np.maximum(kept[0], 0), np.maximum(kept[1], 0)
