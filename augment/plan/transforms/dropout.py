"""Occlusions: rectangles filled with a constant."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import TransformError
from augment.plan.lowering import (
    Columns,
    Fill,
    Floats,
    Integers,
    NotLoweredError,
    lowers,
    scale_to_integers,
    scale_uniform,
)
from augment.plan.transforms.crops import place_windows
from augment.transform import Image


class _Holes(Fill):
    """Rectangles drawn for a batch.

    The columns are `holes`, int64 [N, R, 4]; `used`, bool [N, R], which of them a sample has; and `fits`, bool [N],
    which samples the original accepts.
    """

    requirement = ""
    """What the original requires of an image, for the error message."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if isinstance(transform.fill, str):
            raise NotLoweredError(f"fill={transform.fill!r} is not a constant")

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the holes (and a seed, which constant fills ignore)."""
        return {"holes": self.build_rectangles(columns, row), "seed": 0}

    def build_rectangles(self, columns: Columns, row: int) -> Integers:
        """Return one sample's holes.

        Raises:
            TransformError: the image is too small for them, as for the original.
        """
        if not columns["fits"][row]:
            raise TransformError(f"{type(self.transform).__name__}: the image is too small: {self.requirement}")
        holes: Integers = columns["holes"][row][columns["used"][row]]
        return holes


def _stack_corners(left: Integers, top: Integers, right: Integers, bottom: Integers) -> Integers:
    return np.stack(np.broadcast_arrays(left, top, right, bottom), axis=-1)


@lowers(A.CoarseDropout)
class CoarseDropout(_Holes):
    """Some rectangles, with sides in pixels or in fractions of the image's."""

    requirement = "it must be at least as large as the holes"

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self._max = int(transform.num_holes_range[1])
        self.draws = 1 + 4 * self._max

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the number, the sides and the positions of the holes."""
        transform, parts = self.transform, uniforms[:, 1:].reshape(len(uniforms), 4, self._max)
        used = np.arange(self._max) < scale_to_integers(uniforms[:, 0], *transform.num_holes_range)[:, np.newaxis]
        height, width = height[:, np.newaxis], width[:, np.newaxis]
        # Only the heights decide whether sides are in pixels, as in the original.
        in_pixels = transform.hole_height_range[1] >= 1
        rows, fit_rows = self._make_sides(parts[:, 0], transform.hole_height_range, height, in_pixels)
        columns, fit_columns = self._make_sides(parts[:, 1], transform.hole_width_range, width, in_pixels)
        fits = (fit_rows & fit_columns)[:, 0] & ((rows <= height) & (columns <= width) | ~used).all(axis=1)
        top, left = place_windows(parts[:, 2], height, rows), place_windows(parts[:, 3], width, columns)
        return {"holes": _stack_corners(left, top, left + columns, top + rows), "used": used, "fits": fits}

    @staticmethod
    def _make_sides(
        uniforms: Floats, limits: tuple[float, float], side: Integers, in_pixels: bool
    ) -> tuple[Integers, NDArray[np.bool_]]:
        """Draw the holes' sides; also returns which images can have them, [N, 1]."""
        if not in_pixels:
            return (side * scale_uniform(uniforms, *limits)).astype(np.int64), np.ones(side.shape, bool)
        lowest, highest = int(limits[0]), (np.minimum(limits[1], side) + 1).astype(np.int64) - 1
        return scale_to_integers(uniforms, lowest, highest), highest >= lowest


@lowers(A.Erasing)
class Erasing(_Holes):
    """One rectangle of random area and aspect ratio; none if no area in the range can have such a ratio."""

    draws = 4

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw area, aspect ratio and position."""
        lowest, highest = self.transform.ratio
        area, square_rows, square_columns = height * width, height * height, width * width
        smallest = area * self.transform.scale[0]
        largest = np.minimum(area * self.transform.scale[1], np.minimum(lowest * square_rows, square_columns / highest))
        erased = scale_uniform(uniforms[:, 0], smallest, largest)
        with np.errstate(divide="ignore", invalid="ignore"):  # an area or a ratio of 0 erases nothing
            tightest, widest = np.maximum(lowest, erased / square_rows), np.minimum(highest, square_columns / erased)
            used = (largest >= smallest) & (tightest <= widest)
            ratio = scale_uniform(uniforms[:, 1], tightest, widest)
            rows, columns = np.rint(np.sqrt(erased / ratio)), np.rint(np.sqrt(erased * ratio))
        rows, columns = (np.where(used, np.nan_to_num(side), 0).astype(np.int64) for side in (rows, columns))
        top = scale_to_integers(uniforms[:, 2], 0, height - rows)
        left = scale_to_integers(uniforms[:, 3], 0, width - columns)
        holes = _stack_corners(left, top, left + columns, top + rows)[:, np.newaxis]
        return {"holes": holes, "used": used[:, np.newaxis], "fits": np.ones(len(used), bool)}


@lowers(A.XYMasking)
class XYMasking(_Holes):
    """Some bars from edge to edge: `x` vertical, `y` horizontal."""

    requirement = "it must be at least as long as the longest mask"

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self._max = int(transform.num_masks_x[1]), int(transform.num_masks_y[1])
        self.draws = 2 + 2 * sum(self._max)

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the number, the lengths and the positions of the bars of each axis."""
        transform = self.transform
        vertical, horizontal = np.split(uniforms[:, 2:], [2 * self._max[0]], axis=1)
        height, width = height[:, np.newaxis], width[:, np.newaxis]
        left, right, used_x = self._draw_bars(
            uniforms[:, 0], vertical, transform.num_masks_x, transform.mask_x_length, width
        )
        top, bottom, used_y = self._draw_bars(
            uniforms[:, 1], horizontal, transform.num_masks_y, transform.mask_y_length, height
        )
        zero = np.zeros_like(height)
        holes = [_stack_corners(left, zero, right, height), _stack_corners(zero, top, width, bottom)]
        fits = (transform.mask_x_length[1] <= width) & (transform.mask_y_length[1] <= height)
        return {"holes": np.concatenate(holes, axis=1), "used": np.hstack([used_x, used_y]), "fits": fits[:, 0]}

    @staticmethod
    def _draw_bars(
        number: Floats, uniforms: Floats, numbers: tuple[int, int], lengths: tuple[int, int], side: Integers
    ) -> tuple[Integers, Integers, NDArray[np.bool_]]:
        """Draw the bars of one axis: their starts, their ends, and which of them are used."""
        used = np.arange(numbers[1]) < scale_to_integers(number, *numbers)[:, np.newaxis]
        length = scale_to_integers(uniforms[:, ::2], *lengths)
        start = place_windows(uniforms[:, 1::2], side, length)
        return start, start + length, used


@lowers(A.GridDropout)
class GridDropout(_Holes):
    """One hole in each cell of a grid. The number of cells depends on the image."""

    draws = 1  # this number seeds those of the cells

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.unit_size_range is not None and transform.holes_number_xy is None:
            lowest, highest = transform.unit_size_range
            if lowest == highest:
                raise NotLoweredError(f"unit_size_range={transform.unit_size_range} is empty: its end is excluded")
            self.requirement = f"its sides must be at least {highest} pixels"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the grid and the holes' positions in its cells."""
        key = (uniforms[:, 0] * 2.0**53).astype(np.uint64)  # all its random bits
        (rows, columns), fits = self._draw_grid(keys.uniform(key, "unit", 1)[:, 0], height, width)
        y, cell_rows = self._draw_cells(key, "rows", height, rows)
        x, cell_columns = self._draw_cells(key, "columns", width, columns)
        hole_rows, hole_columns = (
            self._make_sides(cell_rows)[:, :, np.newaxis],
            self._make_sides(cell_columns)[:, np.newaxis],
        )
        y, x, height, width = y[:, :, np.newaxis], x[:, np.newaxis], height[:, None, None], width[:, None, None]
        if self.transform.random_offset:
            # One key per row of cells: a cell's numbers must not depend on the largest grid of the batch.
            shape = (len(key), y.shape[1], x.shape[2])
            row_keys = keys.fold_in(key[:, np.newaxis], np.arange(shape[1])).ravel()
            down, along = (keys.uniform(row_keys, name, shape[2]).reshape(shape) for name in ("down", "along"))
            top = y + place_windows(down, cell_rows[:, :, np.newaxis], hole_rows)
            left = x + place_windows(along, cell_columns[:, np.newaxis], hole_columns)
        else:
            top, left = y + self.transform.shift_xy[1], x + self.transform.shift_xy[0]
        top, left = (np.clip(edge, 0, end) for edge, end in ((top, height - hole_rows), (left, width - hole_columns)))
        holes = _stack_corners(left, top, np.minimum(left + hole_columns, width), np.minimum(top + hole_rows, height))
        return {
            "holes": holes,
            "used": (cell_rows > 0)[:, :, np.newaxis] & (cell_columns > 0)[:, np.newaxis],
            "fits": fits,
        }

    def _draw_grid(
        self, uniform: Floats, height: Integers, width: Integers
    ) -> tuple[tuple[Integers, Integers], NDArray[np.bool_]]:
        """Draw the numbers of rows and columns of cells; also returns which images can have them."""
        transform, fits = self.transform, np.ones(len(height), bool)
        if transform.holes_number_xy:
            rows, columns = transform.holes_number_xy  # the original uses x for the rows
            return (np.full_like(height, rows), np.full_like(height, columns)), fits
        if transform.unit_size_range:
            lowest, highest = transform.unit_size_range
            unit = scale_to_integers(uniform, lowest, highest - 1)
            return (height // unit, width // unit), np.minimum(height, width) >= highest
        return (height // np.maximum(2, height // 10), width // np.maximum(2, width // 10)), fits

    @staticmethod
    def _draw_cells(key: keys.Key, name: str, side: Integers, count: Integers) -> tuple[Integers, Integers]:
        """Cut a side into `count` [N] almost equal intervals in random order: starts and lengths, [N, largest count].

        As `albumentations.augmentations.geometric.functional.split_uniform_grid`.
        """
        numbers = keys.uniform(key, name, int(max(1, count.max())))
        inside = np.arange(numbers.shape[1]) < count[:, np.newaxis]
        numbers = np.where(inside, numbers, 2.0)
        rank = np.argsort(np.argsort(numbers, axis=1), axis=1)
        shortest, longer = np.divmod(side, np.maximum(count, 1))
        lengths = np.where(inside, shortest[:, np.newaxis] + (rank < longer[:, np.newaxis]), 0)
        return np.cumsum(lengths, axis=1) - lengths, lengths

    def _make_sides(self, cells: Integers) -> Integers:
        """Return the holes' sides: a fraction of the cell's, at least one pixel, at most one less than the cell."""
        sides: Integers = np.minimum(np.maximum(cells * self.transform.ratio, 1), cells - 1).astype(np.int64)
        return sides
