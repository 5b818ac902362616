"""Resizes: the whole image at another size."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan.lowering import (
    Columns,
    Floats,
    Geometry,
    Integers,
    NotLoweredError,
    Steps,
    lowers,
    make_stretch,
    scale_to_integers,
    scale_uniform,
)
from augment.transform import Image


def choose_resize_flags(
    transform: Any, is_downscale: NDArray[np.bool_], *, mask_is_always_area: bool = False
) -> tuple[int | Integers, int | Integers]:
    """Choose the interpolations of images and masks: by area if `area_for_downscale` requires it.

    Args:
        transform: the original.
        is_downscale: bool [N].
        mask_is_always_area: whether enlarged masks use it, too, as in RandomResizedCrop.
    """
    image, mask, area = transform.interpolation, transform.mask_interpolation, transform.area_for_downscale
    if area is None:
        return image, mask
    by_area = np.where(is_downscale, cv2.INTER_AREA, image)
    if area == "image":
        return by_area, mask
    return by_area, cv2.INTER_AREA if mask_is_always_area else np.where(is_downscale, cv2.INTER_AREA, mask)


def make_resize(
    height: Integers, width: Integers, size: tuple[Integers, Integers], flags: tuple[int | Integers, int | Integers]
) -> Steps:
    """Make the step of a resize; a size of 0, which OpenCV rejects, gets NaN."""
    rows, columns = size
    matrices = make_stretch(height, width, np.maximum(rows, 1), np.maximum(columns, 1))
    matrices[(rows < 1) | (columns < 1)] = np.nan
    return Steps(matrices, rows, columns, *flags)


@lowers(A.Resize)
class Resize(Geometry):
    """A resize to a fixed size."""

    kernel = "resize"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Make the one step."""
        transform = self.transform
        flags = choose_resize_flags(transform, (transform.height < height) | (transform.width < width))
        size = np.full(len(uniforms), transform.height), np.full(len(uniforms), transform.width)
        return {}, [make_resize(height, width, size, flags)]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}


@lowers(A.RandomScale)
class RandomScale(Geometry):
    """A resize by a random factor."""

    kernel = "resize"
    draws = 1

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the factor."""
        scale = scale_uniform(uniforms[:, 0], *self.transform.scale_limit) + 1
        size = (height * scale).astype(np.int64), (width * scale).astype(np.int64)
        return {"scale": scale}, [make_resize(height, width, size, choose_resize_flags(self.transform, scale < 1))]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the factor."""
        return {"scale": float(columns["scale"][row])}


@lowers(A.SmallestMaxSize, A.LongestMaxSize)
class MaxSize(Geometry):
    """SmallestMaxSize, LongestMaxSize: a resize that keeps the aspect ratio and sets the length of one side."""

    kernel = "resize"

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.max_size is None and transform.max_size_hw == (None, None):
            raise NotLoweredError("its max_size_hw has no size")
        self.draws = 1 if isinstance(transform.max_size, (list, tuple)) else 0

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Compute the factor; from a list of sizes, one is drawn."""
        scale = self._compute_scale(uniforms, height, width)
        size = (np.maximum(np.rint(side * scale), 1).astype(np.int64) for side in (height, width))
        rows, columns = size
        return {"scale": scale}, [
            make_resize(height, width, (rows, columns), choose_resize_flags(self.transform, scale < 1))
        ]

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the factor."""
        return {"scale": float(columns["scale"][row])}

    def _compute_scale(self, uniforms: Floats, height: Integers, width: Integers) -> Floats:
        transform = self.transform
        is_longest = type(transform) is A.LongestMaxSize
        if transform.max_size is not None:
            sizes = np.atleast_1d(transform.max_size)
            size = sizes[scale_to_integers(uniforms[:, 0], 0, len(sizes) - 1)] if self.draws else sizes[0]
            return np.asarray(size / (np.maximum if is_longest else np.minimum)(height, width))
        most_rows, most_columns = transform.max_size_hw
        if most_columns is None:
            return np.asarray(most_rows / height)
        if most_rows is None:
            return np.asarray(most_columns / width)
        return np.asarray((np.minimum if is_longest else np.maximum)(most_rows / height, most_columns / width))
