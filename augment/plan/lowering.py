"""What the compiler knows of a transform: how its parameters are drawn, and which kernel does its work.

A lowered transform is a small class around an unmodified Albumentations object. It reads that object's own attributes,
draws the parameters of a whole batch at once from uniform numbers, and describes what they do in terms that
neighbouring transforms can be merged with: geometry as matrices, point-wise operations as tables and matrices,
occlusions as rectangles.

To lower another transform, write one class here or in a sibling file, decorate it with `@lowers(...)`, and add one row
to the table of its family in `tests/augment/plan/cases_*.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.transform import Image

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]
"""The drawn parameters of a transform: arrays whose first axis is the sample."""

_T = TypeVar("_T", bound="type[Lowered]")


class NotLoweredError(Exception):
    """A transform, or an option of it, has no kernel here; it will run as it is. The text says why."""


class Lowered(ABC):
    """One Albumentations transform, as the compiler sees it.

    Attributes:
        draws: how many uniform numbers in [0, 1) one sample needs.
        transform: the original.

    Raises:
        NotLoweredError: (from the constructor) an option has no kernel.
    """

    draws: int = 0
    kernel: ClassVar[str] = ""
    """The name of what does the work, for `Plan.explain()`."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    @abstractmethod
    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give one sample's parameters as the original's `get_params*` would have: what `transform.apply` takes.

        Args:
            columns: what `sample` drew.
            row: which sample.
            image: as it comes to this transform, [H, W, C].
        """


@dataclass(frozen=True)
class Border:
    """What a geometric step finds outside its input.

    Attributes:
        mode: an OpenCV border mode; `cv2.BORDER_CONSTANT` uses the fill.
        fill: the value, or one a channel, of images.
        fill_mask: that of masks.
    """

    mode: int = cv2.BORDER_CONSTANT
    fill: float | Sequence[float] = 0
    fill_mask: float | Sequence[float] = 0


@dataclass(frozen=True)
class Steps:
    """One geometric step of every sample of a batch: an output frame, and where its pixels come from.

    Attributes:
        to_input: float64 [N, 3, 3]: maps the centre (x, y, 1) of an output pixel to its place in the input, in pixels;
            the centre of the first pixel is (0, 0).
        height: int64 [N], of the output.
        width: int64 [N].
        interpolation: OpenCV's flag, for images; one for all, or int64 [N].
        mask_interpolation: for masks; likewise.
        border: what stands outside the input.
    """

    to_input: Floats
    height: Integers
    width: Integers
    interpolation: int | Integers = cv2.INTER_LINEAR
    mask_interpolation: int | Integers = cv2.INTER_NEAREST
    border: Border = field(default_factory=Border)


class Geometry(Lowered):
    """A transform that moves pixels: one or more steps, each a matrix and an output size."""

    kernel = "warp"

    @abstractmethod
    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> tuple[Columns, Sequence[Steps]]:
        """Draw the parameters of a batch.

        Args:
            uniforms: float64 [N, draws] in [0, 1).
            height: int64 [N], of each image as it comes to this transform.
            width: int64 [N].

        Returns:
            The columns that `to_original_params` needs, and the steps in their order. A matrix of NaN marks a sample that the
            original refuses (a crop larger than its image): the plan then runs the original, for its own error.
        """


Lut = NDArray[Any]
"""What becomes of each level: [256] for all channels or [256, C], uint8 or float32."""

Matrix = NDArray[np.float64]
"""A colour matrix [C', C] or, with an offset in the last column, [C', C + 1]; results are rounded and clipped."""


@dataclass(frozen=True, eq=False)
class ColorMatrix:
    """A colour matrix among the operations of a point-wise transform."""

    matrix: Matrix


@dataclass(frozen=True, eq=False)
class ImageLut:
    """A table that depends on the whole image, uint8 [H, W, C], among the operations of a point-wise transform."""

    make: Callable[[Image], Lut]


class Contrast(NamedTuple):
    """Levels stretched about the mean of the grey image, among the operations of a point-wise transform.

    Attributes:
        factor: 0 or more; 1 changes nothing.
    """

    factor: float


class Saturation(NamedTuple):
    """A blend with the grey image, uint8 [H, W, 3].

    Attributes:
        factor: of the image; 0 is grey, 1 changes nothing.
    """

    factor: float


class ShiftHsv(NamedTuple):
    """Shifts of hue, saturation and value of an image, uint8 [H, W, 3]; what is grey stays grey.

    Attributes:
        hue: 0 to 179 steps.
        saturation: -255 to 255 levels; the sum is clipped.
        value: likewise.
    """

    hue: int
    saturation: int = 0
    value: int = 0


HUES = 180
"""OpenCV's hue of a uint8 image is counted in steps of two degrees."""

Function = Callable[[Image], Image]
"""Whatever else needs the whole image: uint8 [H, W, C] to a new image of that size. It must not write to its input."""

Operation = Lut | ColorMatrix | ImageLut | Contrast | Saturation | ShiftHsv | Function
"""What a point-wise transform is made of."""


class Pointwise(Lowered):
    """A transform that changes pixels where they are: a sequence of operations."""

    kernel = "table"
    is_float: ClassVar[bool] = False
    """Whether the result is float32."""

    @abstractmethod
    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the parameters of a batch; arguments as those of `Geometry.sample`."""

    @abstractmethod
    def build_operations(self, columns: Columns, row: int, channels: int) -> Sequence[Operation]:
        """Give what is to be done to one sample, in order.

        Args:
            columns: what `sample` drew.
            row: which sample.
            channels: of the image, 1, 3 or 4.

        Raises:
            NotLoweredError: an image of so many channels has no kernel; the original is run.
        """

    def count_output_channels(self, channels: int) -> int:
        """Tell how many channels an image of so many has afterwards."""
        return channels


class Fill(Lowered):
    """A transform that covers rectangles."""

    kernel = "fill"

    @abstractmethod
    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the parameters of a batch; arguments as those of `Geometry.sample`."""

    @abstractmethod
    def build_rectangles(self, columns: Columns, row: int) -> Integers:
        """Give one sample's rectangles, int64 [R, 4]: left, top, right, bottom in pixels, the last two excluded."""

    @property
    def value(self) -> float | Sequence[float]:
        """The value that covers images, or one a channel."""
        return self.transform.fill  # type: ignore[no-any-return]

    @property
    def mask_value(self) -> float | Sequence[float] | None:
        """The value that covers masks; None leaves them as they are."""
        return self.transform.fill_mask  # type: ignore[no-any-return]


REGISTRY: dict[type, type[Lowered]] = {}
"""Albumentations' classes, and what lowers them."""


def lowers(*transforms: type) -> Callable[[_T], _T]:
    """Register a class as what lowers some of Albumentations' classes (exactly those, not their subclasses)."""

    def register(lowered: _T) -> _T:
        REGISTRY.update(dict.fromkeys(transforms, lowered))
        return lowered

    return register


def scale_uniform(uniform: Floats, low: float | Floats, high: float | Floats) -> Floats:
    """Stretch uniform numbers in [0, 1) to [low, high)."""
    return low + uniform * (np.asarray(high) - low)


def scale_to_integers(uniform: Floats, low: int | Integers, high: int | Integers) -> Integers:
    """Turn uniform numbers in [0, 1) into integers from `low` to `high`, both included, all equally likely."""
    count = np.asarray(high) - low + 1
    return (low + np.minimum(np.floor(uniform * count), count - 1)).astype(np.int64)


def make_identity(count: int) -> Floats:
    """Make matrices that leave everything where it is, float64 [count, 3, 3]."""
    return np.broadcast_to(np.eye(3), (count, 3, 3)).copy()


def make_translation(left: Floats | Integers, top: Floats | Integers) -> Floats:
    """Make the matrices of a crop (or a pad): output pixel (0, 0) is input pixel (left, top)."""
    matrices = make_identity(len(left))
    matrices[:, 0, 2], matrices[:, 1, 2] = left, top
    return matrices


def make_stretch(height: Integers, width: Integers, new_height: Integers, new_width: Integers) -> Floats:
    """Make the matrices of a resize from (height, width) to the new sizes: the edges of the frames coincide.

    This is the convention of `cv2.resize`: x -> (x + 0.5) * width / new_width - 0.5.
    """
    matrices = make_identity(len(height))
    for axis, (old, new) in enumerate(((width, new_width), (height, new_height))):
        scale = old / new
        matrices[:, axis, axis] = scale
        matrices[:, axis, 2] = scale * 0.5 - 0.5
    return matrices
