"""Lowering: how a transform's parameters are drawn, and which kernel runs it.

A lowered transform is a small class around an unmodified Albumentations object. It reads that object's attributes,
draws the parameters of a whole batch at once from uniform numbers, and describes their effect in terms that can be
merged with neighboring transforms: geometry as matrices, point-wise operations as lookup tables (LUTs) and matrices,
occlusions as rectangles.

To lower another transform, write one class in `transforms/`, decorate it with `@lowers(...)`, and add one case to its
family in `tests/augment/plan/cases_*.py`.
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
"""The parameters of a transform, by name: arrays whose first axis is the sample."""

_T = TypeVar("_T", bound="type[Lowered]")


class NotLoweredError(Exception):
    """A transform, or an option of it, has no kernel; it will run unmodified. The text says why."""


class Lowered(ABC):
    """One Albumentations transform, as the compiler sees it.

    Attributes:
        draws: the number of uniform numbers in [0, 1) that one sample needs.
        transform: the original.

    Raises:
        NotLoweredError: (from the constructor) an option has no kernel.
    """

    draws: int = 0
    kernel: ClassVar[str] = ""
    """The name of the kernel, for `Plan.explain()`."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    @abstractmethod
    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return one sample's parameters as the original's `get_params*` would: the arguments of `transform.apply`.

        Args:
            columns: the parameters that `sample` drew.
            row: the row of the sample.
            image: the image at this transform, [H, W, C].
        """


@dataclass(frozen=True)
class Border:
    """What a geometric step reads outside its input.

    Attributes:
        mode: an OpenCV border mode; `cv2.BORDER_CONSTANT` uses the fill.
        fill: the value for images, or one per channel.
        fill_mask: the value for masks.
    """

    mode: int = cv2.BORDER_CONSTANT
    fill: float | Sequence[float] = 0
    fill_mask: float | Sequence[float] = 0


@dataclass(frozen=True)
class Steps:
    """One geometric step of every sample of a batch: the size of the output, and where its pixels come from.

    Attributes:
        to_input: float64 [N, 3, 3], maps the center (x, y, 1) of an output pixel to a point of the input, in pixels;
            the center of the first pixel is (0, 0).
        height: int64 [N], of the output.
        width: int64 [N], of the output.
        interpolation: OpenCV's flag for images; one for all, or int64 [N].
        mask_interpolation: the flag for masks; one for all, or int64 [N].
        border: what is read outside the input.
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
            height: int64 [N], of each image at this transform.
            width: int64 [N], of each image at this transform.

        Returns:
            The columns that `to_original_params` needs, and the steps in order. A matrix of NaN marks a sample that the
            original rejects (a crop larger than its image): the plan then runs the original, which raises its error.
        """


Lut = NDArray[Any]
"""A lookup table, the result of each level: [256] for all channels or [256, C], uint8 or float32."""

Matrix = NDArray[np.float64]
"""A color matrix [C', C] or, with an offset in the last column, [C', C + 1]; results are rounded and clipped."""


@dataclass(frozen=True, eq=False)
class ColorMatrix:
    """A color matrix among the operations of a point-wise transform."""

    matrix: Matrix


@dataclass(frozen=True, eq=False)
class ImageLut:
    """A lookup table computed from the whole image, uint8 [H, W, C], among the operations of a point-wise transform."""

    make: Callable[[Image], Lut]


class Contrast(NamedTuple):
    """Levels stretched around the mean of the gray image, among the operations of a point-wise transform.

    Attributes:
        factor: 0 or more; 1 changes nothing.
    """

    factor: float


class Saturation(NamedTuple):
    """A blend with the gray image, uint8 [H, W, 3].

    Attributes:
        factor: the weight of the image; 0 is gray, 1 changes nothing.
    """

    factor: float


class ShiftHsv(NamedTuple):
    """Shifts of hue, saturation and value of an image, uint8 [H, W, 3]; gray pixels stay gray.

    Attributes:
        hue: 0 to 179 steps.
        saturation: -255 to 255 levels; the sum is clipped.
        value: -255 to 255 levels; the sum is clipped.
    """

    hue: int
    saturation: int = 0
    value: int = 0


HUES = 180
"""OpenCV counts the hue of a uint8 image in steps of two degrees."""

Function = Callable[[Image], Image]
"""Any other function of the whole image: uint8 [H, W, C] to a new image of that size; it leaves its input unchanged."""

Operation = Lut | ColorMatrix | ImageLut | Contrast | Saturation | ShiftHsv | Function
"""What a point-wise transform consists of."""


class Pointwise(Lowered):
    """A transform that changes each pixel in its position: a sequence of operations."""

    kernel = "LUT"
    is_float: ClassVar[bool] = False
    """Whether the result is float32."""
    is_by_channel: bool = False
    """Whether each channel has parameters of its own: they are for images of equally many channels."""

    @abstractmethod
    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the parameters of a batch; arguments as in `Geometry.sample`."""

    @abstractmethod
    def build_operations(self, columns: Columns, row: int, channels: int) -> Sequence[Operation]:
        """Return the operations for one sample, in order.

        Args:
            columns: the parameters that `sample` drew.
            row: the row of the sample.
            channels: the number of channels of the image.

        Raises:
            NotLoweredError: there is no kernel for this number of channels; the original runs.
        """

    def count_output_channels(self, channels: int) -> int:
        """Return the number of channels of the result."""
        return channels


class Fill(Lowered):
    """A transform that fills rectangles."""

    kernel = "fill"

    @abstractmethod
    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the parameters of a batch; arguments as in `Geometry.sample`."""

    @abstractmethod
    def build_rectangles(self, columns: Columns, row: int) -> Integers:
        """Return one sample's rectangles, int64 [R, 4]: left, top, right, bottom in pixels, the last two excluded."""

    @property
    def value(self) -> float | Sequence[float]:
        """The value for images, or one per channel."""
        return self.transform.fill  # type: ignore[no-any-return]

    @property
    def mask_value(self) -> float | Sequence[float] | None:
        """The value for masks; None leaves them unchanged."""
        return self.transform.fill_mask  # type: ignore[no-any-return]


REGISTRY: dict[type, type[Lowered]] = {}
"""The lowering of each Albumentations class."""


def lowers(*transforms: type) -> Callable[[_T], _T]:
    """Register a class as the lowering of some Albumentations classes (exactly those, not their subclasses)."""

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
    """Make identity matrices, float64 [count, 3, 3]."""
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
