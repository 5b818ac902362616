"""The random transforms of `ImageDataGenerator`: keyed draws per batch; one warp and lookup tables per image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from numbers import Integral
from typing import Any, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.plan import kernels, luts
from augment.plan.window import Window
from augment.transform import Image
from pipeline.images.augmentation import Augmentation
from pipeline.keras.warp import SplineWarp

Columns = Mapping[str, NDArray[Any]]
"""Drawn parameters by Keras's names, arrays [N]. NaN stands for Keras's None."""

_LEVELS = np.arange(256, dtype=np.float32)

_SLACK = 1e-3
"""Fraction of a level. The sum of OpenCV's weights is not exactly 1, which must not darken a flat area by a level."""


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The ranges of the random parameters: the arguments of `ImageDataGenerator` of these names."""

    rotation_range: float = 0
    width_shift_range: Any = 0.0
    height_shift_range: Any = 0.0
    brightness_range: Sequence[float] | None = None
    shear_range: float = 0.0
    zoom_range: Sequence[float] = (1.0, 1.0)
    channel_shift_range: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False


class FlowTransform(Augmentation, Protocol):
    """A random transform of `flow*`.

    Attributes:
        yields_float: whether uint8 images become float32.
    """

    @property
    def yields_float(self) -> bool: ...  # noqa: D102  # described above


@dataclass(frozen=True, kw_only=True)
class RandomTransform(FlowTransform):
    """The random transform of `ImageDataGenerator`.

    Attributes:
        ranges: ranges of the parameters.
        warp: warp of the geometric transforms.
        exact: interpolate at exact coordinates; else at 1/32 of a pixel if OpenCV has the border mode.
    """

    ranges: Ranges
    warp: SplineWarp
    exact: bool = True

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Columns:
        """Draw the parameters of a batch from Keras's distributions, each from its own key.

        Args:
            sample_keys: keys of the N samples, uint64 [N].
            shapes: (height, width) of the N images.
        """
        ranges = self.ranges
        height, width = np.array([shape[:2] for shape in shapes], np.float64).reshape(-1, 2).T

        def uniform(name: str, low: float, high: float) -> NDArray[np.float64]:
            return low + (high - low) * keys.uniform(sample_keys, name, 1)[:, 0]

        def symmetric(name: str, limit: float) -> NDArray[np.float64]:
            return uniform(name, -limit, limit) if limit else np.zeros(len(sample_keys))

        def shift(name: str, limits: Any, sides: NDArray[np.float64]) -> NDArray[np.float64]:
            return _draw_shifts(limits, keys.uniform(sample_keys, name, 2), sides)

        low, high = ranges.zoom_range
        is_fixed = low == 1 == high
        unset = np.full(len(sample_keys), np.nan)
        return {
            "theta": symmetric("theta", ranges.rotation_range),
            "tx": shift("tx", ranges.height_shift_range, height),
            "ty": shift("ty", ranges.width_shift_range, width),
            "shear": symmetric("shear", ranges.shear_range),
            "zx": np.ones(len(sample_keys)) if is_fixed else uniform("zx", low, high),
            "zy": np.ones(len(sample_keys)) if is_fixed else uniform("zy", low, high),
            "flip_horizontal": (uniform("flip_horizontal", 0, 1) < 0.5) & bool(ranges.horizontal_flip),
            "flip_vertical": (uniform("flip_vertical", 0, 1) < 0.5) & bool(ranges.vertical_flip),
            "channel_shift_intensity": (
                symmetric("channel_shift_intensity", ranges.channel_shift_range)
                if ranges.channel_shift_range
                else unset
            ),
            "brightness": unset if ranges.brightness_range is None else uniform("brightness", *ranges.brightness_range),
        }

    def window(self, params: Columns, row: int) -> Window | None:  # noqa: ARG002
        """Return None: the whole image is needed."""
        return None

    def apply(self, image: Image, params: Columns, row: int, window: Window | None = None) -> Image:  # noqa: ARG002
        """Transform one image.

        Args:
            image: [H, W, C], uint8, or float32 of any range; it is not changed.
            params: parameters of its batch.
            row: row of the image in them.
            window: always None.

        Returns:
            Image [H, W, C]: float32 if `yields_float`, else of the image's dtype.
        """
        return self.run(image, {name: column[row] for name, column in params.items()})

    @cached_property
    def yields_float(self) -> bool:
        """Whether uint8 images become float32: channel shifts and brightness are not whole levels."""
        shifts_levels = bool(self.ranges.channel_shift_range) or self.ranges.brightness_range is not None
        return shifts_levels or self.warp.exceeds_uint8

    def run(self, image: Image, parameters: Mapping[str, Any]) -> Image:
        """Transform one image with parameters by Keras's names; a missing parameter has no effect."""
        shift, brightness = (parameters.get(name) for name in ("channel_shift_intensity", "brightness"))
        shift, brightness = (
            None if value is None or np.isnan(value) else float(value) for value in (shift, brightness)
        )
        if brightness is not None or self.warp.exceeds_uint8:
            image = image.astype(np.float32)  # Keras truncates in the last step: no step before may round or clip
        image = self._move(image, parameters)
        if shift is not None:
            image = shift_channels(image, shift)
        if brightness is not None:
            is_approximate = not self.exact and self.warp.is_approximated(image)
            image = brighten(image, brightness, _SLACK if is_approximate else 0)
        return image

    def _move(self, image: Image, parameters: Mapping[str, Any]) -> Image:
        to_input = compute_matrix(parameters, image.shape[0], image.shape[1])
        flips = bool(parameters.get("flip_horizontal", False)), bool(parameters.get("flip_vertical", False))
        if to_input is not None and not self.exact:
            if flips[0]:  # width - 1 - x replaces x
                to_input[:, 2] += to_input[:, 0] * (image.shape[1] - 1)
                to_input[:, 0] *= -1
            if flips[1]:
                to_input[:, 2] += to_input[:, 1] * (image.shape[0] - 1)
                to_input[:, 1] *= -1
            return self.warp.warp_fast(image, to_input)
        if to_input is not None:
            image = self.warp(image, to_input)
        return _flip(image, flips) if any(flips) else image


def compute_matrix(parameters: Mapping[str, Any], height: int, width: int) -> NDArray[np.float64] | None:
    """Return Keras's matrix from output to input pixels; None if no pixel moves.

    As in Keras 3.15, "tx" (drawn from `height_shift_range`) moves along the columns, and the center of rotation is
    (height / 2, width / 2) in (x, y), which is not the image's center unless the image is square.
    """
    theta, shear = (np.deg2rad(parameters.get(name, 0)) for name in ("theta", "shear"))
    tx, ty = (parameters.get(name, 0) for name in ("tx", "ty"))
    zx, zy = (parameters.get(name, 1) for name in ("zx", "zy"))
    factors = []
    if theta != 0:
        factors.append([(np.cos(theta), -np.sin(theta), 0), (np.sin(theta), np.cos(theta), 0), (0, 0, 1)])
    if tx != 0 or ty != 0:
        factors.append([(1, 0, tx), (0, 1, ty), (0, 0, 1)])
    if shear != 0:
        factors.append([(1, -np.sin(shear), 0), (0, np.cos(shear), 0), (0, 0, 1)])
    if zx != 1 or zy != 1:
        factors.append([(zx, 0, 0), (0, zy, 0), (0, 0, 1)])
    if not factors:
        return None
    x, y = height / 2 - 0.5, width / 2 - 0.5
    # Multiplied in Keras's order, so that rounding moves no pixel across an edge.
    product = reduce(np.dot, map(np.array, factors))
    centered: NDArray[np.float64] = np.dot(
        np.dot(np.array([(1, 0, x), (0, 1, y), (0, 0, 1)]), product), np.array([(1, 0, -x), (0, 1, -y), (0, 0, 1)])
    )
    return centered


def _flip(image: Image, flips: tuple[bool, bool]) -> Image:
    if image.shape[2] > 4:  # OpenCV takes at most 4
        return np.ascontiguousarray(image[:: -1 if flips[1] else 1, :: -1 if flips[0] else 1])
    return kernels.restore_channel_axis(cv2.flip(image, -1 if all(flips) else int(flips[0])), image)


@dataclass(frozen=True)
class FloatTransform(FlowTransform):
    """A transform whose results are float32, for images of which some are uint8.

    Attributes:
        transform: the transform.
    """

    transform: FlowTransform

    @property
    def yields_float(self) -> bool:
        """True: all results are float32."""
        return True

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Any:
        """Draw the parameters of a batch; see `RandomTransform.draw`."""
        return self.transform.draw(sample_keys, shapes)

    def window(self, params: Any, row: int) -> Window | None:
        """Return the window that the transform needs."""
        return self.transform.window(params, row)

    def apply(self, image: Image, params: Any, row: int, window: Window | None = None) -> Image:
        """Transform one image: float32 [H, W, C]."""
        return self.transform.apply(image, params, row, window).astype(np.float32)


def shift_channels(image: Image, intensity: float) -> Image:
    """Add a number to all levels, and clip to the range of the image: float32."""
    if image.dtype != np.uint8:
        return np.clip(image + np.float32(intensity), image.min(), image.max())
    low, high, _, _ = cv2.minMaxLoc(image.reshape(len(image), -1))
    return luts.apply_lut(image, np.clip(_LEVELS + np.float32(intensity), low, high))


def brighten(image: Image, brightness: float, slack: float = 0) -> Image:
    """Multiply all levels as Pillow does, truncated to whole levels: float32.

    An image with levels outside 0 to 255 is stretched to that range before, and back afterwards. Transparency, the
    fourth channel, does not change. `slack` is added before levels are truncated.
    """
    low, high = image.min(), image.max()
    is_stretched = low < 0 or high > 255
    if is_stretched:  # in Keras's order, so that rounding truncates the same levels
        image = image - low
        image /= image.max() or 1
        image *= 255
    whole = np.clip(image + np.float32(slack), 0, 255).astype(np.uint8)
    table = np.clip(np.float32(brightness) * _LEVELS, 0, 255).astype(np.uint8).astype(np.float32)
    brightened = luts.apply_lut(whole, table)
    if image.shape[2] == 4:
        brightened[..., 3] = whole[..., 3]
    return brightened / 255 * (high - low) + low if is_stretched else brightened


def _draw_shifts(limits: Any, uniforms: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw shifts in pixels as Keras does: from a fraction, a number of pixels, or a list of choices."""
    if not np.any(limits):
        return np.zeros(len(uniforms))
    if _is_choice(limits):
        choices = np.arange(int(limits)) if isinstance(limits, Integral) else np.asarray(limits)
        drawn = choices[(uniforms[:, 0] * len(choices)).astype(np.int64)] * np.where(uniforms[:, 1] < 0.5, -1, 1)
    else:
        drawn = limits * (2 * uniforms[:, 0] - 1)
    return cast(NDArray[np.float64], drawn * sides if np.max(limits) < 1 else drawn)


def _is_choice(limits: Any) -> bool:
    return bool(np.ndim(limits) == 1 or (isinstance(limits, Integral) and int(limits) > 0))
