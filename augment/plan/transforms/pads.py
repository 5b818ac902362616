"""Pads: the image in a larger frame."""

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
    make_translation,
    scale_to_integers,
)
from augment.plan.transforms.affine import read_border
from augment.transform import Image

AxisPadding = tuple[Integers, Integers]
"""The padding before and after the image along an axis, each int64 [N], in pixels."""


def split_padding(total: Integers, uniform: Floats, position: str, before: str) -> AxisPadding:
    """Split a pad between the two sides of an axis.

    As `albumentations.augmentations.geometric.functional.adjust_padding_by_position`.

    Args:
        total: int64 [N].
        uniform: float64 [N], for random positions.
        position: Albumentations' name of the image's position.
        before: the word in it that puts the image at the end of this axis, "bottom" or "right".
    """
    if position == "random":
        first = scale_to_integers(uniform, 0, total)
    elif position == "center":
        first = total // 2
    else:
        first = total if before in position else np.zeros_like(total)
    return first, total - first


def make_pad(height: Integers, width: Integers, rows: AxisPadding, columns: AxisPadding, transform: Any) -> Steps:
    """Make the step of a pad around frames of (height, width)."""
    return Steps(
        make_translation(-columns[0], -rows[0]),
        height + rows[0] + rows[1],
        width + columns[0] + columns[1],
        border=read_border(transform),
    )


def name_sides(rows: AxisPadding, columns: AxisPadding) -> Columns:
    """Return the sides by their Albumentations names."""
    return {"pad_top": rows[0], "pad_bottom": rows[1], "pad_left": columns[0], "pad_right": columns[1]}


def to_pad_params(columns: Columns, row: int) -> dict[str, int]:
    """Return a drawn pad as Albumentations' parameters."""
    return {name: int(columns[name][row]) for name in ("pad_top", "pad_bottom", "pad_left", "pad_right")}


@lowers(A.Pad)
class Pad(Geometry):
    """A pad of fixed width."""

    kernel = "pad"

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if np.min(transform.padding) < 0:
            raise NotLoweredError("its padding is negative, which is an error")

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Make the one step."""
        padding = self.transform.padding
        if isinstance(padding, int):
            left = top = right = bottom = padding
        elif len(padding) == 2:
            (left, top), (right, bottom) = padding, padding
        else:
            left, top, right, bottom = padding
        count = len(uniforms)
        rows, columns = (np.full(count, top), np.full(count, bottom)), (np.full(count, left), np.full(count, right))
        return name_sides(rows, columns), [make_pad(height, width, rows, columns, self.transform)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the four sides."""
        return to_pad_params(columns, row)


@lowers(A.PadIfNeeded)
class PadIfNeeded(Geometry):
    """A pad up to a minimum size, or to multiples of a number."""

    kernel = "pad"

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self.draws = 2 if transform.position == "random" else 0

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Compute the sides; a random position is drawn."""
        transform = self.transform
        sides = []
        for axis, (size, least, divisor, word) in enumerate(
            (
                (height, transform.min_height, transform.pad_height_divisor, "bottom"),
                (width, transform.min_width, transform.pad_width_divisor, "right"),
            )
        ):
            total = np.maximum(least - size, 0) if least is not None else -size % divisor
            uniform = uniforms[:, axis] if self.draws else np.zeros(len(uniforms))
            sides.append(split_padding(total, uniform, transform.position, word))
        rows, columns = sides
        return name_sides(rows, columns), [make_pad(height, width, rows, columns, transform)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the four sides."""
        return to_pad_params(columns, row)
