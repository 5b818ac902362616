"""Transforms that map each level by itself: each is one lookup table (LUT).

The LUTs of a whole batch are computed at once. They round and clip as Albumentations 2.0.8 does (albucore computes in
float32 and truncates), so that the result is exact to the bit.
"""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.plan import colors
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
    scale_to_integers,
    scale_uniform,
)
from augment.plan.luts import get_shift_luts, make_scale_luts
from augment.transform import Image


def shuffle_channels(numbers: Floats, channels: int) -> list[int]:
    """Put channels in random order, by the ranks of random numbers in [0, 1).

    Args:
        numbers: float64 [4], enough for nearly all images; for more channels, the first seeds more numbers.
        channels: the number of channels of the image.
    """
    if channels > len(numbers):
        numbers = keys.uniform((numbers[:1] * 2.0**53).astype(np.uint64), "channels", channels)[0]
    order: list[int] = np.argsort(numbers[:channels]).tolist()
    return order


def get_max_level(image: Image) -> float:
    """Return the highest value of an image: 255, or 1 if an earlier transform made it float."""
    return 255 if image.dtype == np.uint8 else 1.0


@lowers(A.RandomBrightnessContrast)
class RandomBrightnessContrast(Pointwise):
    """Level * alpha + beta; beta is a fraction of 255, or of the image's mean."""

    draws = 2

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw contrast, and brightness as a fraction; make the LUTs unless they depend on the image's mean."""
        alpha = 1 + scale_uniform(uniforms[:, 0], *self.transform.contrast_limit)
        fraction = scale_uniform(uniforms[:, 1], *self.transform.brightness_limit)
        drawn: dict[str, NDArray[Any]] = {"alpha": alpha, "fraction": fraction}
        if self.transform.brightness_by_max:
            drawn["lut"] = make_scale_luts(*self._limit_range(alpha, fraction * 255, 255))
        return drawn

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return alpha and beta, the latter in levels."""
        maximum = get_max_level(image)
        whole = maximum if self.transform.brightness_by_max else np.mean(image)
        alpha, beta = self._limit_range(columns["alpha"][row], columns["fraction"][row] * whole, maximum)
        return {"alpha": float(alpha), "beta": float(beta)}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT, or the function that makes it from the image's mean."""
        if self.transform.brightness_by_max:
            return [columns["lut"][row]]

        def make_lut(image: Image) -> Lut:
            beta = columns["fraction"][row] * (colors.sum_levels(image) / image.size)
            return make_scale_luts(*self._limit_range(columns["alpha"][row], beta, 255))

        return [ImageLut(make_lut)]

    def _limit_range(self, alpha: Floats, beta: Floats, maximum: float) -> tuple[Floats, Floats]:
        """Limit both so that nothing is clipped, if `ensure_safe_range` is set.

        As `albumentations.augmentations.pixel.functional.get_safe_brightness_contrast_params`.
        """
        if not self.transform.ensure_safe_range:
            return alpha, beta
        positive = alpha > 0
        safe_beta = np.where(positive, np.clip(beta, 0, maximum), np.minimum(beta, maximum))
        lowest, highest = -safe_beta / maximum, (maximum - safe_beta) / maximum
        return np.where(positive, np.minimum(alpha, highest), np.maximum(alpha, lowest)), safe_beta


@lowers(A.RandomGamma)
class RandomGamma(Pointwise):
    """The power of a level; gamma is drawn in hundredths."""

    draws = 1
    # Summed as in the original: the sums differ from multiples of 1 / 255 in their last bits.
    _FRACTIONS = np.arange(0, 256.0 / 255, 1.0 / 255)[:256]

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw gamma."""
        return {"gamma": scale_uniform(uniforms[:, 0], *self.transform.gamma_limit) / 100.0}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return gamma."""
        return {"gamma": float(columns["gamma"][row])}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT; made here, because powers are slow and only some samples use them."""
        return [(self._FRACTIONS ** columns["gamma"][row] * 255).astype(np.uint8)]


@lowers(A.InvertImg)
class InvertImg(Pointwise):
    """255 - level."""

    _LUT = np.arange(255, -1, -1, dtype=np.uint8)

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT."""
        return [self._LUT]


@lowers(A.Solarize)
class Solarize(Pointwise):
    """255 - level, from a threshold upwards."""

    draws = 1

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the threshold, a fraction of 255."""
        threshold = scale_uniform(uniforms[:, 0], *self.transform.threshold_range)
        levels = np.arange(256)
        lut = np.where(levels >= threshold[:, np.newaxis] * 255, 255 - levels, levels).astype(np.uint8)
        return {"threshold": threshold, "lut": lut}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the threshold."""
        return {"threshold": float(columns["threshold"][row])}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT."""
        return [columns["lut"][row]]


@lowers(A.Posterize)
class Posterize(Pointwise):
    """A random number of the highest bits of a level, for all channels or for each."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self.is_by_channel = isinstance(transform.num_bits, list)
        self._ranges = np.array(transform.num_bits if self.is_by_channel else [transform.num_bits], np.int64)
        self.draws = len(self._ranges)

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the number of bits."""
        bits = scale_to_integers(uniforms, self._ranges[:, 0], self._ranges[:, 1])
        kept = 256 - 2 ** (8 - bits)
        lut = (np.arange(256)[:, np.newaxis] & kept[:, np.newaxis]).astype(np.uint8)
        return {"bits": bits, "lut": lut if self.is_by_channel else lut[..., 0]}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the number of bits, or a list of them.

        Raises:
            ValueError: the number of channels differs from that of `num_bits`. (The original fails if there are fewer
                channels, and returns uninitialized memory if there are more.)
        """
        if self.is_by_channel and image.shape[2] != len(self._ranges):
            raise ValueError(f"num_bits has {len(self._ranges)} values, but the image has {image.shape[2]} channels")
        bits = columns["bits"][row].tolist()
        return {"num_bits": bits if self.is_by_channel else bits[0]}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT."""
        if self.is_by_channel and channels != len(self._ranges):
            raise NotLoweredError(f"num_bits has {len(self._ranges)} values, but the image has {channels} channels")
        return [columns["lut"][row]]


@lowers(A.RGBShift)
class RGBShift(Pointwise):
    """Level + shift, one shift per channel, truncated to whole levels."""

    draws = 3

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the shifts, as fractions."""
        low, high = np.array(self.transform.noise_params["ranges"]).T
        return {"shift": scale_uniform(uniforms, low, high)}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the shift of each channel, in levels.

        Raises:
            ValueError: as the original: there are more channels than shifts.
        """
        channels = image.shape[2]
        if channels > 3:
            raise ValueError(f"Not enough ranges provided. Expected {channels}, got 3")
        return {"noise_map": columns["shift"][row][:channels] * get_max_level(image)}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT of each channel; a gray image uses the first."""
        if channels > 3:
            raise NotLoweredError(f"RGBShift needs at most 3 channels, got {channels}")
        return [get_shift_luts(columns["shift"][row][:channels] * 255).T]


@lowers(A.ChannelDropout)
class ChannelDropout(Pointwise):
    """Some channels become a constant."""

    draws = 5  # the number, and the order in which channels are chosen

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self._fill = np.empty(1, np.uint8)
        self._fill[:] = transform.fill  # as the original's assignment converts it

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw the number of channels, and numbers whose ranks are the order in which channels are chosen."""
        return {
            "count": scale_to_integers(uniforms[:, 0], *self.transform.channel_drop_range),
            "order": uniforms[:, 1:],
        }

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the dropped channels.

        Raises:
            ValueError: as the original: an image has too few channels.
        """
        return {"channels_to_drop": self._choose_dropped(columns, row, image.shape[2])}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT of each channel."""
        if channels <= self.transform.channel_drop_range[1]:
            raise NotLoweredError(f"ChannelDropout could drop all of {channels} channels")
        lut = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], channels, axis=1)
        lut[:, self._choose_dropped(columns, row, channels)] = self._fill
        return [lut]

    def _choose_dropped(self, columns: Columns, row: int, channels: int) -> list[int]:
        if channels <= self.transform.channel_drop_range[1]:
            raise ValueError("Can not drop all channels in ChannelDropout.")
        return shuffle_channels(columns["order"][row], channels)[: columns["count"][row]]
