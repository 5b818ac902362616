"""Transforms that mix or reorder the channels of a pixel: gray, sepia, shuffles."""

from collections.abc import Callable
from typing import Any, ClassVar

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np

from augment.plan import colors
from augment.plan.channels import merge_channels, split_channels
from augment.plan.lowering import ColorMatrix, Columns, Floats, Integers, NotLoweredError, Operation, Pointwise, lowers
from augment.plan.transforms.levels import shuffle_channels
from augment.transform import Image


def _to_luma(image: Image) -> Image:
    return colors.convert_color(image, cv2.COLOR_RGB2GRAY, 1)


def _to_lightness(image: Image) -> Image:
    return split_channels(colors.convert_color(image, cv2.COLOR_RGB2LAB))[0]


def _to_mid_level(image: Image) -> Image:
    """Return the mean of a pixel's lowest and highest level, rounded down."""
    lowest = highest = (planes := split_channels(image))[0]
    for plane in planes[1:]:
        lowest, highest = cv2.min(lowest, plane), cv2.max(highest, plane)
    return cv2.add(lowest, (highest - lowest) >> 1)


def _to_average(image: Image) -> Image:
    """Return the mean of a pixel's levels, rounded down."""
    planes = split_channels(image)
    total = planes[0].astype(np.uint16)
    for plane in planes[1:]:
        total += plane
    averages: Image = (total // len(planes)).astype(np.uint8)
    return averages


def _to_max(image: Image) -> Image:
    planes = split_channels(image)
    highest = planes[0]
    for plane in planes[1:]:
        highest = cv2.max(highest, plane)
    return highest


@lowers(A.ToGray)
class ToGray(Pointwise):
    """A gray image, in `num_output_channels` equal channels; an image of one channel stays unchanged."""

    kernel = "grayscale"
    _METHODS: ClassVar[dict[str, Callable[[Image], Image]]] = {
        "weighted_average": _to_luma,
        "from_lab": _to_lightness,
        "desaturation": _to_mid_level,
        "average": _to_average,
        "max": _to_max,
    }

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.method not in self._METHODS:
            raise NotLoweredError(f"method={transform.method!r} analyzes every image")

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the function."""
        if channels == 1:
            return []
        if channels != 3 and self.transform.method in ("weighted_average", "from_lab"):
            raise NotLoweredError(f"ToGray by {self.transform.method} needs 3 channels, got {channels}")
        return [self._to_gray]

    def count_output_channels(self, channels: int) -> int:
        """Return the number of channels of the result."""
        return 1 if channels == 1 else int(self.transform.num_output_channels)

    def _to_gray(self, image: Image) -> Image:
        gray, count = self._METHODS[self.transform.method](image), self.transform.num_output_channels
        return merge_channels([gray] * count)


@lowers(A.ToSepia)
class ToSepia(Pointwise):
    """One color matrix; an image of one channel stays unchanged."""

    kernel = "color matrix"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the matrix."""
        if channels not in (1, 3):
            raise NotLoweredError(f"ToSepia needs 1 or 3 channels, got {channels}")
        return [] if channels == 1 else [ColorMatrix(self.transform.sepia_transformation_matrix)]


@lowers(A.ChannelShuffle)
class ChannelShuffle(Pointwise):
    """The channels in random order."""

    kernel = "channels"
    draws = 4
    is_by_channel = True

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw numbers whose ranks are the order (an image uses one per channel)."""
        return {"order": uniforms}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return the order; None for an image of one channel."""
        channels = image.shape[2]
        return {"channels_shuffled": None if channels == 1 else shuffle_channels(columns["order"][row], channels)}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the function if it changes anything."""
        order = shuffle_channels(columns["order"][row], channels)
        if order == sorted(order):
            return []

        def shuffle(image: Image) -> Image:
            planes = split_channels(image)
            return merge_channels([planes[channel] for channel in order])

        return [shuffle]


@lowers(A.NoOp)
class NoOp(Pointwise):
    """No operation: one of those that a policy may choose."""

    kernel = "nothing"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Do nothing."""
        return []
