"""One warp as SciPy's `ndimage.affine_transform` does it, which Keras's `ImageDataGenerator` calls.

SciPy's borders are not OpenCV's: "constant" begins sharply at the outermost pixels' centres, and "wrap" lets the first
and the last pixel coincide. So the places are computed here, folded into the image as SciPy folds them, and only looked
up by OpenCV.
"""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import kernels
from augment.plan.lowered import Border, Integers
from augment.transform import Image

FILL_MODES = {
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
}
"""What stands outside an image, by Keras's names."""

Floats = NDArray[np.float64]

_MOST_CHANNELS = 4
"""That OpenCV looks up at once."""

_STRIP = 8192
"""Pixels that are interpolated at once: what lies between stays in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Warp:
    """How pixels are fetched.

    Attributes:
        fill_mode: one of `FILL_MODES`.
        cval: the value outside, under "constant".
        order: of the interpolating spline, 0 (nearest) to 5; 2 and more are left to SciPy itself.
    """

    fill_mode: str = "nearest"
    cval: float = 0.0
    order: int = 1

    def __call__(self, image: Image, to_input: Floats) -> Image:
        """Fetch every pixel from its place in the image.

        Args:
            image: [H, W, C], uint8 or float32; it is not written to.
            to_input: [3, 3], from the centre (x, y, 1) of an output pixel to its place in the image, in pixels.

        Returns:
            A new image of the same shape and dtype. Linear interpolation is exact: OpenCV's own would round places to
            1/32 of a pixel, which is up to 4 levels at an edge from black to white.
        """
        if self.order > 1:
            return self._by_splines(image, to_input)
        fetch, source = _nearest, image
        if self.order == 1:
            fetch, source = _linear, np.pad(image, ((0, 1), (0, 1), (0, 0)), "edge")
        warped = np.empty_like(image)
        strip = max(_STRIP // image.shape[1], 1)
        for start in range(0, len(image), strip):
            rows = np.arange(start, min(start + strip, len(image)))
            x, y, outside = self._places(to_input, rows, image.shape[0], image.shape[1])
            part = warped[start : start + strip]
            for channel in range(0, image.shape[2], _MOST_CHANNELS):
                at = slice(channel, channel + _MOST_CHANNELS)
                fetch(source[..., at], x, y, part[..., at])
            if outside is not None:
                part[outside] = kernels.as_pixels(self.cval, image.dtype)
        return warped

    def quick(self, image: Image, to_input: Floats) -> Image:
        """Do the same by OpenCV's warp, whose places are rounded to 1/32 of a pixel, where it knows the border."""
        if self.order != 1 or self.fill_mode not in ("nearest", "reflect") or image.shape[2] > _MOST_CHANNELS:
            return self(image, to_input)
        border = Border(FILL_MODES[self.fill_mode])
        return kernels.resample(image, to_input, image.shape[:2], cv2.INTER_LINEAR, border, 0)

    def _places(
        self, to_input: Floats, rows: Integers, height: int, width: int
    ) -> tuple[Floats, Floats, NDArray[np.bool_] | None]:
        """Give the places (x, y) in the image of some rows' pixels, [R, W] each; under "constant", which have none."""
        columns = np.arange(width)
        # In SciPy's order of summation, so that what falls on an edge falls on the same side of it.
        x = np.add.outer(rows * to_input[0, 1], columns * to_input[0, 0])
        y = np.add.outer(rows * to_input[1, 1], columns * to_input[1, 0])
        x += to_input[0, 2]
        y += to_input[1, 2]
        outside = None
        if self.fill_mode == "constant":
            outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
        return self._folded(x, width), self._folded(y, height), outside

    def _folded(self, places: Floats, size: int) -> Floats:
        """Fold places into [0, size - 1]."""
        if self.fill_mode == "wrap" and size > 1:
            # Whole periods are taken away or added, so that what falls on the last pixel stays there.
            period = size - 1
            above, below = np.floor(places / period), np.floor(-places / period) + 1
            places = np.where(
                places < 0, places + period * below, np.where(places > period, places - period * above, places)
            )
        if self.fill_mode == "reflect":
            places = (places + 0.5) % (2 * size)
            places = np.minimum(places, 2 * size - places) - 0.5
        return np.clip(places, 0, size - 1, out=places)

    def _by_splines(self, image: Image, to_input: Floats) -> Image:
        from scipy import ndimage

        (a, b, x), (c, d, y) = to_input[:2].tolist()
        warp = [
            ndimage.affine_transform(
                plane, [[d, c], [b, a]], [y, x], order=self.order, mode=self.fill_mode, cval=self.cval
            )
            for plane in np.moveaxis(image, 2, 0)
        ]
        return np.stack(warp, axis=2)


def _nearest(image: Image, x: Floats, y: Floats, out: Image) -> None:
    out[:] = _looked_up(image, _whole(x + 0.5, y + 0.5)).reshape(out.shape)


def _linear(image: Image, x: Floats, y: Floats, out: Image) -> None:
    """Mix the four neighbours of every place, in float32; equal ones stay exactly as they are.

    The image has a column and a row more, so that its outermost pixels have neighbours; their weight is 0.
    """
    places, channels = _whole(x, y), image.shape[2]
    to_right, below = _spread(x - places[..., 0], channels), _spread(y - places[..., 1], channels)
    upper = _mixed(_looked_up(image[:-1, :-1], places), _looked_up(image[:-1, 1:], places), to_right)
    lower = _mixed(_looked_up(image[1:, :-1], places), _looked_up(image[1:, 1:], places), to_right)
    mixed = _mixed(upper, lower, below)
    if image.dtype == np.uint8:
        mixed = cv2.convertScaleAbs(mixed)  # rounds, and nothing is negative
    out[:] = mixed.reshape(out.shape)


def _whole(x: Floats, y: Floats) -> NDArray[np.int16]:
    """Cut places off to whole pixels: [H, W, 2], as `cv2.remap` takes them."""
    return cast(NDArray[np.int16], cv2.merge([x.astype(np.int16), y.astype(np.int16)]))


def _looked_up(image: Image, places: NDArray[np.int16]) -> Image:
    """Fetch whole pixels; all places lie inside."""
    return cast(Image, cv2.remap(image, places, None, cv2.INTER_NEAREST))  # type: ignore[call-overload]  # one map


def _mixed(first: Image, second: Image, weight: Image) -> Image:
    """Mix two images; float32."""
    mixed = cv2.subtract(second, first, dtype=cv2.CV_32F)
    cv2.multiply(mixed, weight, mixed)
    return cv2.add(mixed, first, mixed, dtype=cv2.CV_32F)


def _spread(weight: Floats, channels: int) -> Image:
    single = weight.astype(np.float32)
    return cv2.merge([single] * channels)
