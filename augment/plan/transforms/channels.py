"""Transforms that mix or reorder the channels of a pixel: grey, sepia, shuffles."""

from collections.abc import Callable
from typing import Any, ClassVar

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np

from augment.plan import colours
from augment.plan.lowered import Columns, Floats, Integers, MatrixOf, NotLoweredError, Operation, Pointwise, lowers
from augment.plan.transforms.tables import shuffled
from augment.transform import Image


def _luma(image: Image) -> Image:
    return colours.converted(image, cv2.COLOR_RGB2GRAY, 1)


def _lightness(image: Image) -> Image:
    return colours.split(colours.converted(image, cv2.COLOR_RGB2LAB))[0]


def _middle(image: Image) -> Image:
    """Give the middle between a pixel's lowest and highest level, rounded down."""
    lowest = highest = (planes := colours.split(image))[0]
    for plane in planes[1:]:
        lowest, highest = cv2.min(lowest, plane), cv2.max(highest, plane)
    return cv2.add(lowest, (highest - lowest) >> 1)


def _average(image: Image) -> Image:
    """Give the mean of a pixel's levels, rounded down."""
    planes = colours.split(image)
    total = planes[0].astype(np.uint16)
    for plane in planes[1:]:
        total += plane
    averages: Image = (total // len(planes)).astype(np.uint8)
    return averages


def _highest(image: Image) -> Image:
    planes = colours.split(image)
    highest = planes[0]
    for plane in planes[1:]:
        highest = cv2.max(highest, plane)
    return highest


@lowers(A.ToGray)
class ToGray(Pointwise):
    """A grey image, in as many equal channels as are asked for; an image of one channel stays as it is."""

    kernel = "grey"
    _METHODS: ClassVar[dict[str, Callable[[Image], Image]]] = {
        "weighted_average": _luma,
        "from_lab": _lightness,
        "desaturation": _middle,
        "average": _average,
        "max": _highest,
    }

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.method not in self._METHODS:
            raise NotLoweredError(f"method={transform.method!r} analyses every image")

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def original(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give no parameters: there are none."""
        return {}

    def operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Give the function."""
        if channels == 1:
            return []
        if channels != 3 and self.transform.method in ("weighted_average", "from_lab"):
            raise NotLoweredError(f"ToGray by {self.transform.method} is for 3 channels, not {channels}")
        return [self._grey]

    def channels_after(self, channels: int) -> int:
        """Tell how many channels come out."""
        return 1 if channels == 1 else int(self.transform.num_output_channels)

    def _grey(self, image: Image) -> Image:
        grey, count = self._METHODS[self.transform.method](image), self.transform.num_output_channels
        return colours.merged([grey] * count)


@lowers(A.ToSepia)
class ToSepia(Pointwise):
    """One colour matrix; an image of one channel stays as it is."""

    kernel = "colour matrix"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def original(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give no parameters: there are none."""
        return {}

    def operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Give the matrix."""
        if channels not in (1, 3):
            raise NotLoweredError(f"ToSepia is for 1 or 3 channels, not {channels}")
        return [] if channels == 1 else [MatrixOf(self.transform.sepia_transformation_matrix)]


@lowers(A.ChannelShuffle)
class ChannelShuffle(Pointwise):
    """The channels in random order."""

    kernel = "channels"
    draws = 4

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw numbers whose ranks are the order (how many of them count depends on the image)."""
        return {"order": uniforms}

    def original(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give the order; None for an image of one channel."""
        channels = image.shape[2]
        return {"channels_shuffled": None if channels == 1 else shuffled(columns["order"][row], channels)}

    def operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Give the function, where it changes anything."""
        order = shuffled(columns["order"][row], channels)
        if order == sorted(order):
            return []

        def shuffle(image: Image) -> Image:
            planes = colours.split(image)
            return colours.merged([planes[channel] for channel in order])

        return [shuffle]


@lowers(A.NoOp)
class NoOp(Pointwise):
    """Nothing: one of the operations that a policy may choose."""

    kernel = "nothing"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def original(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Give no parameters: there are none."""
        return {}

    def operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Do nothing."""
        return []
