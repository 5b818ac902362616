"""Pillow's color operations, equal to the level: the published policies were found with them.

Albumentations' transforms of these names differ: AutoContrast ignores level 255, Equalize counts the pixels of a level
otherwise, and blends are rounded where Pillow truncates.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
from numpy.typing import NDArray

from augment.checks import is_number
from augment.errors import TransformError
from augment.plan import colors, luts
from augment.plan.lowering import (
    Columns,
    Floats,
    ImageLut,
    Integers,
    Lut,
    NotLoweredError,
    Operation,
    Pointwise,
    lowers,
    scale_uniform,
)
from augment.transform import Image

_LEVELS = np.arange(256, dtype=np.float32)

_TO_GRAY = np.array([[19595, 38470, 7471, 32768]] * 3) / 65536
"""Pillow's RGB to gray, in three channels, with an offset that rounds; these sums are exact in float32."""

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
"""Pillow's `ImageFilter.SMOOTH`."""


class _PillowTransform(A.ImageOnlyTransform):  # type: ignore[misc]  # Albumentations ships no types
    """A function of a uint8 image; a float32 image in 0 to 1 is rounded to 8 bits first."""

    def apply(self, img: Image, **params: Any) -> Image:
        """Apply the operation to an image [H, W, C] with 1 or 3 channels, or [H, W]."""
        image = img if img.ndim == 3 else img[..., np.newaxis]
        if image.shape[2] not in (1, 3):
            raise TransformError(f"{type(self).__name__} needs an image of 1 or 3 channels, got {image.shape[2]}")
        is_uint8 = image.dtype == np.uint8
        levels = image if is_uint8 else np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        changed = self.change(levels, **params).reshape(img.shape)
        return changed if is_uint8 else cast(Image, changed / np.float32(255))

    @abstractmethod
    def change(self, image: Image, **params: Any) -> Image:
        """Apply the operation to an image, uint8 [H, W, 1 or 3]."""


class PillowAutoContrast(_PillowTransform):
    """Stretches each channel to 0 to 255: Pillow's `ImageOps.autocontrast`.

    Args:
        p: probability that the transform is applied.
    """

    def change(self, image: Image, **params: Any) -> Image:  # noqa: ARG002  # the base class's signature
        """Apply the operation."""
        return luts.apply_lut(image, make_auto_contrast_lut(image))


class PillowEqualize(_PillowTransform):
    """Equalizes each channel's histogram: Pillow's `ImageOps.equalize`.

    Args:
        p: probability that the transform is applied.
    """

    def change(self, image: Image, **params: Any) -> Image:  # noqa: ARG002  # the base class's signature
        """Apply the operation."""
        return luts.apply_lut(image, make_equalize_lut(image))


class _WithRange(_PillowTransform):
    """An operation with a random number.

    Attributes:
        name: the number's name.
        highest: its largest value.
    """

    name: ClassVar[str] = "factor"
    highest: ClassVar[float] = 1000.0

    def check_range(self, values: Any) -> tuple[float, float]:
        """Check the range of the number.

        Raises:
            TransformError: it is not (low, high) with 0 <= low <= high <= highest.
        """
        is_pair = isinstance(values, Sequence) and len(values) == 2 and all(map(is_number, values))
        if not is_pair or not 0 <= values[0] <= values[1] <= self.highest:
            raise TransformError(
                f"{type(self).__name__}: {self.name} must be (low, high) with 0 <= low <= high <= {self.highest:g}, "
                f"got {values!r}"
            )
        return float(values[0]), float(values[1])

    @property
    def limits(self) -> tuple[float, float]:
        """The range of the number."""
        return cast(tuple[float, float], getattr(self, self.name))

    def get_params(self) -> dict[str, Any]:
        """Draw the number."""
        return {self.name: self.py_random.uniform(*self.limits)}


class PillowSolarize(_WithRange):
    """Inverts the levels from a threshold upward: Pillow's `ImageOps.solarize`.

    Args:
        threshold: range of the threshold, 0 to 256; 256 inverts nothing.
        p: probability that the transform is applied.

    Raises:
        TransformError: `threshold` is out of range.
    """

    name = "threshold"
    highest = 256.0

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]
        """The constructor's arguments; the constructor checks them."""

        threshold: Any

    def __init__(self, threshold: tuple[float, float] = (128, 128), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.threshold = self.check_range(threshold)

    def change(self, image: Image, threshold: float = 128, **params: Any) -> Image:  # noqa: ARG002
        """Apply the operation."""
        return luts.apply_lut(image, make_solarize_luts(np.array([threshold]))[0])


class _Enhance(_WithRange):
    """A blend of the image with a degenerate version of it.

    Args:
        factor: range of the factor: 0 is the degenerate version, 1 changes nothing, a larger factor extrapolates.
        p: probability that the transform is applied.

    Raises:
        TransformError: `factor` is out of range.
    """

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]
        """The constructor's arguments; the constructor checks them."""

        factor: Any

    def __init__(self, factor: tuple[float, float] = (0.1, 1.9), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.factor = self.check_range(factor)


class PillowBrightness(_Enhance):
    """Blends an image with black: Pillow's `ImageEnhance.Brightness`. Arguments: see `PillowColor`."""

    def change(self, image: Image, factor: float = 1, **params: Any) -> Image:  # noqa: ARG002
        """Apply the operation."""
        return luts.apply_lut(image, make_blend_luts(np.array([factor]))[0])


class PillowContrast(_Enhance):
    """Blends an image with the mean of its gray version: Pillow's `ImageEnhance.Contrast`. See `PillowColor`."""

    def change(self, image: Image, factor: float = 1, **params: Any) -> Image:  # noqa: ARG002
        """Apply the operation."""
        return luts.apply_lut(image, make_contrast_lut(image, factor))


class PillowColor(_Enhance):
    """Blends an image with its gray version: Pillow's `ImageEnhance.Color`.

    Args:
        factor: range of the factor: 0 is gray, 1 changes nothing, a larger factor extrapolates.
        p: probability that the transform is applied.

    Raises:
        TransformError: `factor` is out of range.
    """

    def change(self, image: Image, factor: float = 1, **params: Any) -> Image:  # noqa: ARG002
        """Apply the operation."""
        return adjust_color(image, factor)


class _WithoutNumber(Pointwise):
    kernel = "LUT from the histogram"

    @staticmethod
    @abstractmethod
    def make_lut(image: Image) -> Lut:
        """Make the lookup table [256, C] for an image."""

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:  # noqa: ARG002
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:  # noqa: ARG002
        """Return no parameters."""
        return {}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:  # noqa: ARG002
        """Return the lookup table."""
        _check_channels(self, channels)
        return [ImageLut(self.make_lut)]


@lowers(PillowAutoContrast)
class LoweredAutoContrast(_WithoutNumber):
    """AutoContrast: a lookup table per channel."""

    @staticmethod
    def make_lut(image: Image) -> Lut:
        """Make the lookup table."""
        return make_auto_contrast_lut(image)


@lowers(PillowEqualize)
class LoweredEqualize(_WithoutNumber):
    """Equalize: a lookup table per channel."""

    @staticmethod
    def make_lut(image: Image) -> Lut:
        """Make the lookup table."""
        return make_equalize_lut(image)


class _WithNumber(Pointwise):
    kernel = "LUT"
    draws = 1

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:  # noqa: ARG002
        """Draw the numbers."""
        return {"number": scale_uniform(uniforms[:, 0], *self.transform.limits)}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:  # noqa: ARG002
        """Return the number."""
        return {self.transform.name: float(columns["number"][row])}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the operation."""
        _check_channels(self, channels)
        return self.build(float(columns["number"][row]), channels)

    @abstractmethod
    def build(self, number: float, channels: int) -> list[Operation]:
        """Return the operation for a number."""


@lowers(PillowSolarize)
class LoweredSolarize(_WithNumber):
    """Solarize: a lookup table."""

    def build(self, number: float, channels: int) -> list[Operation]:  # noqa: ARG002
        """Return the lookup table."""
        return [make_solarize_luts(np.array([number]))[0]]


@lowers(PillowBrightness)
class LoweredBrightness(_WithNumber):
    """Brightness: a lookup table."""

    def build(self, number: float, channels: int) -> list[Operation]:  # noqa: ARG002
        """Return the lookup table."""
        return [make_blend_luts(np.array([number]))[0]]


@lowers(PillowContrast)
class LoweredContrast(_WithNumber):
    """Contrast: a lookup table that depends on the image's mean."""

    kernel = "LUT from the mean"

    def build(self, number: float, channels: int) -> list[Operation]:  # noqa: ARG002
        """Return the lookup table."""
        return [ImageLut(lambda image: make_contrast_lut(image, number))]


@lowers(PillowColor)
class LoweredColor(_WithNumber):
    """Color: a blend with the gray image."""

    kernel = "blend with the gray image"

    def build(self, number: float, channels: int) -> list[Operation]:
        """Return the function; it does not change a gray image."""
        return [] if channels == 1 else [lambda image: adjust_color(image, number)]


def make_auto_contrast_lut(image: Image) -> Lut:
    """Make the lookup table [256, C] of `ImageOps.autocontrast` for an image, uint8 [H, W, C]."""
    luts = np.empty((256, image.shape[2]), np.uint8)
    for channel in range(image.shape[2]):
        present = np.flatnonzero(_count_levels(image, channel))
        luts[:, channel] = np.arange(256)
        if present[0] < present[-1]:
            scale = 255.0 / float(present[-1] - present[0])
            stretched = np.arange(256) * scale + -float(present[0]) * scale  # in this order, as Pillow
            luts[:, channel] = np.clip(stretched, 0, 255).astype(np.uint8)
    return luts


def make_equalize_lut(image: Image) -> Lut:
    """Make the lookup table [256, C] of `ImageOps.equalize` for an image, uint8 [H, W, C]."""
    luts = np.empty((256, image.shape[2]), np.uint8)
    for channel in range(image.shape[2]):
        counts = _count_levels(image, channel)
        present = counts[counts > 0]
        step = int(present[:-1].sum()) // 255
        below = np.cumsum(counts) - counts
        luts[:, channel] = np.minimum((step // 2 + below) // step, 255) if step else np.arange(256)
    return luts


def make_solarize_luts(thresholds: Floats) -> NDArray[np.uint8]:
    """Make the lookup tables [N, 256] of `ImageOps.solarize` for thresholds [N]."""
    levels = np.arange(256)
    return np.where(levels < thresholds[:, np.newaxis], levels, 255 - levels).astype(np.uint8)


def make_blend_luts(factors: Floats, level: int = 0) -> NDArray[np.uint8]:
    """Make the lookup tables [N, 256] of `Image.blend` with a constant level, for factors [N]."""
    luts = np.float32(level) + factors.astype(np.float32)[:, np.newaxis] * (_LEVELS - np.float32(level))
    return cast(NDArray[np.uint8], np.clip(luts, 0, 255).astype(np.uint8))


def make_contrast_lut(image: Image, factor: float) -> Lut:
    """Make the lookup table [256] of `ImageEnhance.Contrast` for an image, uint8 [H, W, 1 or 3]."""
    gray = image if image.shape[2] == 1 else _convert_to_gray(image.astype(np.float32), _TO_GRAY[:1]).astype(np.uint8)
    mean = int(colors.sum_levels(gray) / gray.size + 0.5)
    lut: Lut = make_blend_luts(np.array([factor]), mean)[0]
    return lut


def adjust_color(image: Image, factor: float) -> Image:
    """Blend an image, uint8 [H, W, 1 or 3], with its gray version, as `ImageEnhance.Color`."""
    if image.shape[2] == 1:
        return image.copy()
    levels = image.astype(np.float32)
    return _blend(levels, _convert_to_gray(levels), factor)


def sharpen(image: Image, factor: float) -> Image:
    """Blend an image, uint8 [H, W, C], with its smoothed version, as `ImageEnhance.Sharpness`."""
    return _blend(image.astype(np.float32), smooth(image).astype(np.float32), factor)


def smooth(image: Image) -> Image:
    """Smooth an image [H, W, C]; the outermost pixels, for which the filter lacks neighbors, stay unchanged."""
    smoothed = cv2.filter2D(image, -1, _SMOOTH).reshape(image.shape)
    smoothed[[0, -1]] = image[[0, -1]]
    smoothed[:, [0, -1]] = image[:, [0, -1]]
    return smoothed


def _blend(levels: NDArray[np.float32], degenerate: NDArray[np.float32], factor: float) -> Image:
    """Blend as `Image.blend`: in float32, truncated and clipped. Overwrites `levels`."""
    levels -= degenerate
    levels *= np.float32(factor)
    levels += degenerate
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def _convert_to_gray(levels: NDArray[np.float32], matrix: NDArray[np.float64] = _TO_GRAY) -> NDArray[np.float32]:
    """Convert [H, W, 3] to gray levels, whole numbers: [H, W, 3], or [H, W, 1] by one row of the matrix."""
    gray = cv2.transform(levels, matrix).reshape(*levels.shape[:2], len(matrix))
    return cast(NDArray[np.float32], np.floor(gray, out=gray))


def _count_levels(image: Image, channel: int) -> Integers:
    counts = cv2.calcHist([image], [channel], None, [256], [0, 256])
    return counts.ravel().astype(np.int64)


def _check_channels(lowered: Pointwise, channels: int) -> None:
    if channels not in (1, 3):
        raise NotLoweredError(f"{type(lowered.transform).__name__} needs 1 or 3 channels, got {channels}")
