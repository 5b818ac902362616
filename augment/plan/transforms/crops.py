"""Crops: windows of the image, some of them resized."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
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
    make_translation,
    scale_to_integers,
    scale_uniform,
)
from augment.plan.transforms.affine import read_border
from augment.plan.transforms.pads import name_sides, split_padding, to_pad_params
from augment.plan.transforms.resizes import choose_resize_flags, make_resize
from augment.transform import Image


def place_windows(fraction: Floats, size: Integers, window: Integers) -> Integers:
    """Place windows along an axis, at `fraction` in [0, 1) of the range; all positions are equally likely.

    As `albumentations.augmentations.crops.functional.get_crop_coords`.
    """
    return ((size - window + 1) * fraction).astype(np.int64)


def to_crop_coords(columns: Columns, row: int) -> tuple[int, int, int, int]:
    """Return a drawn window in Albumentations' order: (x_min, y_min, x_max, y_max)."""
    left, top, height, width = (int(columns[name][row]) for name in ("left", "top", "height", "width"))
    return left, top, left + width, top + height


def is_valid_window(window: Columns, height: Integers, width: Integers) -> NDArray[np.bool_]:
    """Return which windows are not empty and lie within their images, as the originals require, [N]."""
    top, left, rows, columns = (window[name] for name in ("top", "left", "height", "width"))
    within: NDArray[np.bool_] = (
        (top >= 0) & (left >= 0) & (top + rows <= height) & (left + columns <= width) & (rows > 0) & (columns > 0)
    )
    return within


class _Window(Geometry):
    """A window of the image; subclasses draw its position and size."""

    kernel = "crop"

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the window."""
        return {"crop_coords": to_crop_coords(columns, row)}

    @staticmethod
    def _make_crop(window: Columns, height: Integers, width: Integers) -> Steps:
        """Make the step of windows; one that the original rejects (empty, or outside the image) gets NaN."""
        top, left, rows, columns = (window[name] for name in ("top", "left", "height", "width"))
        matrices = make_translation(left, top)
        matrices[~is_valid_window(window, height, width)] = np.nan
        return Steps(matrices, rows, columns)


@lowers(A.RandomCropFromBorders)
class RandomCropFromBorders(_Window):
    """Each side loses a random fraction."""

    draws = 4

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.crop_left == 1 or transform.crop_top == 1:
            raise NotLoweredError("it may crop the whole image, which is an error")

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw the window's four sides."""
        transform = self.transform
        left, right = self._draw_side(uniforms[:, :2], width, transform.crop_left, transform.crop_right)
        top, bottom = self._draw_side(uniforms[:, 2:], height, transform.crop_top, transform.crop_bottom)
        window = {"top": top, "left": left, "height": bottom - top, "width": right - left}
        return window, [self._make_crop(window, height, width)]

    @staticmethod
    def _draw_side(uniforms: Floats, size: Integers, before: float, after: float) -> tuple[Integers, Integers]:
        first = scale_to_integers(uniforms[:, 0], 0, (before * size).astype(np.int64))
        least = np.maximum(first + 1, ((1 - after) * size).astype(np.int64))
        return first, scale_to_integers(uniforms[:, 1], least, size)


class _ResizedWindow(_Window):
    """A window of the image, resized to a fixed size."""

    kernel = "crop and resize"

    def _make_steps(self, window: Columns, height: Integers, width: Integers) -> list[Steps]:
        rows, columns = window["height"], window["width"]
        new_rows, new_columns = (np.full(len(rows), side) for side in self.transform.size)
        is_downscale = (rows > new_rows) | (columns > new_columns)
        flags = choose_resize_flags(self.transform, is_downscale, mask_is_always_area=True)
        crop = self._make_crop(window, height, width)
        # The resize is a separate step, so that the decoder can crop.
        sizes = np.maximum(rows, 1), np.maximum(columns, 1)
        return [crop, make_resize(*sizes, (new_rows, new_columns), flags)]


@lowers(A.RandomSizedCrop)
class RandomSizedCrop(_ResizedWindow):
    """A window of random height and position, resized."""

    draws = 3

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw height and position; a window larger than the image is cut to it."""
        rows = scale_to_integers(uniforms[:, 0], *self.transform.min_max_height)
        columns = np.minimum((rows * self.transform.w2h_ratio).astype(np.int64), width)
        rows = np.minimum(rows, height)
        top, left = place_windows(uniforms[:, 1], height, rows), place_windows(uniforms[:, 2], width, columns)
        window = {"top": top, "left": left, "height": rows, "width": columns}
        return window, self._make_steps(window, height, width)


@lowers(A.RandomResizedCrop)
class RandomResizedCrop(_ResizedWindow):
    """A window of random area, aspect ratio and position, resized."""

    _TRIES = 10
    draws = 2 * _TRIES + 2

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.ratio[0] <= 0:
            raise NotLoweredError("its ratio must be above 0")

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Draw ten windows; use the first that fits, or else the largest centered one."""
        transform, tries = self.transform, uniforms[:, 2:].reshape(len(uniforms), self._TRIES, 2)
        area = scale_uniform(tries[..., 0], *(scale * (height * width)[:, None] for scale in transform.scale))
        ratio = np.exp(scale_uniform(tries[..., 1], *np.log(transform.ratio)))
        columns, rows = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (columns > 0) & (columns <= width[:, None]) & (rows > 0) & (rows <= height[:, None])
        first = np.argmax(fits, axis=1)[:, None]
        rows, columns = (np.take_along_axis(sides, first, 1)[:, 0].astype(np.int64) for sides in (rows, columns))
        found = fits.any(axis=1)
        centered_rows, centered_columns = self._compute_largest(height, width)
        rows, columns = np.where(found, rows, centered_rows), np.where(found, columns, centered_columns)
        window = {
            "top": np.where(found, place_windows(uniforms[:, 0], height, rows), (height - rows) // 2),
            "left": np.where(found, place_windows(uniforms[:, 1], width, columns), (width - columns) // 2),
            "height": rows,
            "width": columns,
        }
        return window, self._make_steps(window, height, width)

    def _compute_largest(self, height: Integers, width: Integers) -> tuple[Integers, Integers]:
        lowest, highest = self.transform.ratio
        ratio = width / height
        rows = np.where(ratio < lowest, np.rint(width / lowest), height)
        columns = np.where(ratio > highest, np.rint(height * highest), width)
        return rows.astype(np.int64), columns.astype(np.int64)


class _PaddedWindow(Geometry):
    """A window of an image that is padded first if it is too small; one step does both."""

    kernel = "crop"

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self.draws = 2 if transform.pad_if_needed and transform.pad_position == "random" else 0

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the window in the padded image, and the pad (or None)."""
        pad = to_pad_params(columns, row)
        return {"crop_coords": to_crop_coords(columns, row), "pad_params": pad if any(pad.values()) else None}

    def _make_pad(self, uniforms: Floats, lacking: tuple[Integers, Integers]) -> Columns:
        """Split the missing (height, width) of the window between the sides."""
        if not self.transform.pad_if_needed:
            return name_sides(*((np.zeros_like(total),) * 2 for total in lacking))
        numbers = uniforms[:, -2:].T if self.transform.pad_position == "random" else np.zeros((2, len(uniforms)))
        return name_sides(
            *(
                split_padding(total, number, self.transform.pad_position, word)
                for total, number, word in zip(lacking, numbers, ("bottom", "right"), strict=True)
            )
        )

    def _make_crop(
        self, window: Columns, pad: Columns, height: Integers, width: Integers
    ) -> tuple[Columns, list[Steps]]:
        top, left, rows, columns = (window[name] for name in ("top", "left", "height", "width"))
        matrices = make_translation(left - pad["pad_left"], top - pad["pad_top"])
        padded = height + pad["pad_top"] + pad["pad_bottom"], width + pad["pad_left"] + pad["pad_right"]
        matrices[~is_valid_window(window, *padded)] = np.nan
        return {**window, **pad}, [Steps(matrices, rows, columns, border=read_border(self.transform))]


@lowers(A.Crop)
class Crop(_PaddedWindow):
    """A fixed window."""

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Make the one step; the window is fixed in the padded image, and so moves in the image."""
        transform, count = self.transform, len(uniforms)
        right, bottom = np.full(count, transform.x_max), np.full(count, transform.y_max)
        window = {
            "top": np.full(count, transform.y_min),
            "left": np.full(count, transform.x_min),
            "height": bottom - transform.y_min,
            "width": right - transform.x_min,
        }
        lacking = np.maximum(bottom - height, 0), np.maximum(right - width, 0)
        pad = dict(self._make_pad(uniforms, lacking))
        if transform.pad_if_needed:
            pad |= {"pad_bottom": lacking[0], "pad_right": lacking[1]}  # Albumentations pads only there, too
        return self._make_crop(window, pad, height, width)


@lowers(A.CenterCrop, A.RandomCrop)
class SizedCrop(_PaddedWindow):
    """CenterCrop, RandomCrop: a window of fixed size."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self._is_random = type(transform) is A.RandomCrop
        self.draws += 2 * self._is_random

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, list[Steps]]:
        """Place the window."""
        rows, columns = np.full(len(uniforms), self.transform.height), np.full(len(uniforms), self.transform.width)
        lacking = np.maximum(rows - height, 0), np.maximum(columns - width, 0)
        pad = self._make_pad(uniforms, lacking)
        whole = (height, width) if not self.transform.pad_if_needed else (height + lacking[0], width + lacking[1])
        if self._is_random:
            top, left = place_windows(uniforms[:, 0], whole[0], rows), place_windows(uniforms[:, 1], whole[1], columns)
        else:
            top, left = (whole[0] - rows) // 2, (whole[1] - columns) // 2
        window = {"top": top, "left": left, "height": rows, "width": columns}
        return self._make_crop(window, pad, height, width)
