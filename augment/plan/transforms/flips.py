"""Flips, transposes and right-angle rotations: pixels are reordered, not interpolated."""

from typing import Any, ClassVar

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.plan.lowering import Columns, Floats, Geometry, Integers, Steps, lowers, scale_to_integers
from augment.transform import Image


def make_d4_step(group: Integers, height: Integers, width: Integers) -> Steps:
    """Make the step of an element of the square's symmetry group (D4).

    Args:
        group: int64 [N] of bits: 1 mirrors left and right, 2 top and bottom, 4 first exchanges the axes of the input.
        height: int64 [N], of the input.
        width: int64 [N], of the input.
    """
    mirrored, flipped, transposed = ((group & bit > 0) for bit in (1, 2, 4))
    rows, columns = np.where(transposed, width, height), np.where(transposed, height, width)
    # The output's x and y, each counted from the other side if mirrored, are the input's x and y, or y and x.
    x, y = np.zeros((2, len(group), 3))
    x[:, 0], x[:, 2] = np.where(mirrored, -1, 1), np.where(mirrored, columns - 1, 0)
    y[:, 1], y[:, 2] = np.where(flipped, -1, 1), np.where(flipped, rows - 1, 0)
    matrices = np.zeros((len(group), 3, 3))
    matrices[:, 0] = np.where(transposed[:, None], y, x)
    matrices[:, 1] = np.where(transposed[:, None], x, y)
    matrices[:, 2, 2] = 1
    return Steps(matrices, rows, columns)


@lowers(A.HorizontalFlip, A.VerticalFlip, A.Transpose)
class Mirror(Geometry):
    """HorizontalFlip, VerticalFlip, Transpose: nothing is drawn."""

    kernel = "rearrange"
    _GROUP: ClassVar = {A.HorizontalFlip: 1, A.VerticalFlip: 2, A.Transpose: 4}

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Make the one step."""
        return {}, [make_d4_step(np.full(len(uniforms), self._GROUP[type(self.transform)]), height, width)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}


@lowers(A.RandomRotate90)
class RandomRotate90(Geometry):
    """A rotation by 0, 90, 180 or 270 degrees, counter-clockwise."""

    kernel = "rearrange"
    draws = 1
    _GROUP = np.array([0, 6, 3, 5])

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the number of right angles."""
        factor = scale_to_integers(uniforms[:, 0], 0, 3)
        return {"factor": factor}, [make_d4_step(self._GROUP[factor], height, width)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the number of right angles."""
        return {"factor": int(columns["factor"][row])}


@lowers(A.D4, A.SquareSymmetry)
class D4(Geometry):
    """One of the eight symmetries of the square."""

    kernel = "rearrange"
    draws = 1
    _NAMES = ("e", "h", "v", "r180", "t", "r270", "r90", "hvt")
    """Albumentations' names of the elements, by their number in `make_d4_step`."""

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the element."""
        group = scale_to_integers(uniforms[:, 0], 0, 7)
        return {"group": group}, [make_d4_step(group, height, width)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the element's name."""
        return {"group_element": self._NAMES[columns["group"][row]]}
