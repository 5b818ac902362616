"""Views: several fixed windows of an image, for training on all of them or for test-time augmentation (TTA).

A view is a window of the image or of its mirror image. It depends on the image's size only; nothing is random.
The functions here take one image. `Loader(views="ten_crop")` and `training.evaluate(views="ten_crop")` take names.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from augment import call_syntax
from augment.checks import check_bool, check_integer, check_number, is_integer
from augment.errors import AugmentError, TransformError
from augment.transform import Image

Size = tuple[int, int]
"""(height, width) in pixels."""

MAX_TILES = 100
"""Largest number of tiles per side."""


class View(NamedTuple):
    """A window of an image, or of the flipped image.

    Attributes:
        top: the window's first row in the (flipped) image.
        left: the window's first column.
        height: the window's height in pixels.
        width: the window's width in pixels.
        flip: "horizontal" exchanges left and right first, "vertical" exchanges top and bottom, "" does nothing.
    """

    top: int
    left: int
    height: int
    width: int
    flip: Literal["", "horizontal", "vertical"] = ""

    def crop(self, image: Image) -> Image:
        """Return the window of an image [H, W, C]: a view of its memory, or a copy if it is flipped."""
        if self.flip == "horizontal":
            image = image[:, ::-1]
        if self.flip == "vertical":
            image = image[::-1]
        window = image[self.top : self.top + self.height, self.left : self.left + self.width]
        return np.ascontiguousarray(window) if self.flip else window  # OpenCV rejects negative strides


class Views(ABC):
    """A fixed set of views of every image."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of views per image."""

    @abstractmethod
    def windows(self, size: Size, out: Size | None = None) -> list[View]:
        """Return the views of an image.

        Args:
            size: the image's size.
            out: the size that the views are resized to; crops have its aspect ratio. None keeps the image's ratio.
        """


@dataclass(frozen=True)
class Flip(Views):
    """Two views: the image and its mirror image.

    Attributes:
        vertical: exchange top and bottom instead of left and right.
    """

    vertical: bool = False

    def __post_init__(self) -> None:
        check_bool("flip: vertical", self.vertical)

    def __len__(self) -> int:
        return 2

    def windows(self, size: Size, out: Size | None = None) -> list[View]:  # noqa: ARG002  # whole images
        """Return the two views."""
        return [View(0, 0, *size), View(0, 0, *size, "vertical" if self.vertical else "horizontal")]


@dataclass(frozen=True)
class FiveCrop(Views):
    """Five views: the corners (top left, top right, bottom left, bottom right) and the center.

    Attributes:
        scale: the crops' sides as a fraction of the largest window with their aspect ratio. 0.875 is 224 of 256
            (Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks").
    """

    scale: float = 0.875

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def __len__(self) -> int:
        return 5

    def windows(self, size: Size, out: Size | None = None) -> list[View]:
        """Return the five views."""
        return five_windows(size, _compute_largest_window(size, out, self.scale))


@dataclass(frozen=True)
class TenCrop(Views):
    """Ten views: those of `FiveCrop`, and the same five windows of the flipped image.

    Attributes:
        scale: see `FiveCrop`.
        vertical: exchange top and bottom instead of left and right.
    """

    scale: float = 0.875
    vertical: bool = False

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        check_bool("ten_crop: vertical", self.vertical)

    def __len__(self) -> int:
        return 10

    def windows(self, size: Size, out: Size | None = None) -> list[View]:
        """Return the ten views."""
        return ten_windows(size, _compute_largest_window(size, out, self.scale), vertical=self.vertical)


@dataclass(frozen=True)
class Grid(Views):
    """n x n views: the tiles of the image, row by row.

    Attributes:
        n: tiles along each side, 1 to 100.
    """

    n: int = 2

    def __post_init__(self) -> None:
        check_integer("grid: n (tiles per side)", self.n, 1, MAX_TILES)

    def __len__(self) -> int:
        return self.n**2

    def windows(self, size: Size, out: Size | None = None) -> list[View]:  # noqa: ARG002  # tiles keep their shape
        """Return the tiles; their sides differ by at most one pixel."""
        if min(size) < self.n:
            raise TransformError(f"cannot cut an image of {size[0]} x {size[1]} pixels into {self.n} x {self.n} tiles")
        rows, columns = ([side * number // self.n for number in range(self.n + 1)] for side in size)
        return [
            View(top, left, bottom - top, right - left)
            for top, bottom in pairwise(rows)
            for left, right in pairwise(columns)
        ]


@dataclass(frozen=True)
class MultiScale(Views):
    """One view per scale: centered windows, which are then resized to one size.

    Attributes:
        scales: the windows' sides as fractions of the largest window with their aspect ratio.
    """

    scales: Sequence[float] = (1.0, 0.875, 0.75)

    def __post_init__(self) -> None:
        if not isinstance(self.scales, Sequence) or not len(self.scales):
            raise AugmentError(f"multi_scale: scales must be a list of at least one number, got {self.scales!r}")
        for scale in self.scales:
            _check_scale(scale)

    def __len__(self) -> int:
        return len(self.scales)

    def windows(self, size: Size, out: Size | None = None) -> list[View]:
        """Return the windows in the order of the scales."""
        return [_center_window(size, _compute_largest_window(size, out, scale)) for scale in self.scales]


def five_windows(size: Size, crop: Size) -> list[View]:
    """Return the crops of torchvision's `FiveCrop`: top left, top right, bottom left, bottom right, center.

    Raises:
        TransformError: the crop is larger than the image, or not (height, width).
    """
    if not isinstance(crop, Sequence) or len(crop) != 2 or not all(map(is_integer, crop)):
        raise TransformError(f"size must be (height, width) in whole pixels, got {crop!r}")
    (height, width), (rows, columns) = size, crop
    if rows > height or columns > width or min(crop) < 1:
        raise TransformError(f"a crop of {rows} x {columns} pixels does not fit an image of {height} x {width}")
    corners = [(0, 0), (0, width - columns), (height - rows, 0), (height - rows, width - columns)]
    return [*(View(top, left, rows, columns) for top, left in corners), _center_window(size, crop)]


def ten_windows(size: Size, crop: Size, *, vertical: bool = False) -> list[View]:
    """Return the crops of torchvision's `TenCrop`: the five crops, then the five crops of the flipped image.

    The sixth is the top left corner of the flipped image, which shows the top right corner of the original.
    """
    five = five_windows(size, crop)
    return five + [view._replace(flip="vertical" if vertical else "horizontal") for view in five]


def flip(image: Image, *, vertical: bool = False) -> Image:
    """Return an image [H, W, C] and its mirror image, [2, H, W, C]."""
    return _stack_views(image, Flip(vertical).windows(_get_size(image)))


def five_crop(image: Image, size: Size) -> Image:
    """Return the crops of an image [H, W, C] at its corners and center, [5, height, width, C]; see `five_windows`."""
    return _stack_views(image, five_windows(_get_size(image), size))


def ten_crop(image: Image, size: Size, *, vertical: bool = False) -> Image:
    """Return the five crops of an image [H, W, C] and its mirror image, [10, height, width, C]; see `ten_windows`."""
    return _stack_views(image, ten_windows(_get_size(image), size, vertical=vertical))


def grid(image: Image, n: int = 2) -> list[Image]:
    """Cut an image [H, W, C] into n x n tiles, row by row; their sides differ by at most one pixel."""
    return [view.crop(image) for view in Grid(n).windows(_get_size(image))]


def multi_scale(image: Image, scales: Sequence[float] = (1.0, 0.875, 0.75)) -> list[Image]:
    """Return centered windows of an image [H, W, C]; their sides are these fractions of the image's sides."""
    return [view.crop(image) for view in MultiScale(scales).windows(_get_size(image))]


VIEWS_BY_NAME: dict[str, Callable[..., Views]] = {
    "flip": Flip,
    "five_crop": FiveCrop,
    "ten_crop": TenCrop,
    "grid": Grid,
    "multi_scale": MultiScale,
}
"""The sets of views by name."""


def parse_views(given: "str | Views") -> Views:
    """Make a set of views from its name, with optional arguments: "ten_crop", "grid(3)", "ten_crop(scale=0.9)".

    Raises:
        TransformError: the name is unknown, or its arguments are wrong.
    """
    if isinstance(given, Views):
        return given
    if not isinstance(given, str):
        names = ", ".join(VIEWS_BY_NAME)
        raise TransformError(f"views must be a name ({names}) or an augment.views.Views, got {given!r}")
    return call_syntax.evaluate_call(given, VIEWS_BY_NAME, "set of views", "arguments as in grid(3)")


def _compute_largest_window(size: Size, out: Size | None, scale: float) -> Size:
    """Return the size of the largest window of an image with the aspect ratio of `out`, scaled."""
    (height, width), (rows, columns) = size, out or size
    largest = min(height, width * rows / columns), min(width, height * columns / rows)
    return max(1, round(largest[0] * scale)), max(1, round(largest[1] * scale))


def _center_window(size: Size, crop: Size) -> View:
    # Python rounds halves to even numbers, as torchvision's center_crop does.
    return View(round((size[0] - crop[0]) / 2), round((size[1] - crop[1]) / 2), *crop)


def _check_scale(scale: float) -> None:
    check_number("scale", scale, 0, 1, above=True)


def _get_size(image: Image) -> Size:
    if image.ndim != 3:
        raise TransformError(f"image must be [H, W, C], got shape {list(image.shape)}")
    return image.shape[0], image.shape[1]


def _stack_views(image: Image, windows: Sequence[View]) -> Image:
    return np.stack([view.crop(image) for view in windows])
