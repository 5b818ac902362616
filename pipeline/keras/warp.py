"""One warp as SciPy's `ndimage.affine_transform` does it, which Keras's `ImageDataGenerator` calls.

SciPy's borders are not OpenCV's: "constant" begins sharply at the outermost pixels' centres, and "wrap" lets the first
and the last pixel coincide. So the places are computed here, folded into the image as SciPy folds them, and only looked
up by OpenCV.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import kernels
from augment.plan.lowering import Border, Integers
from augment.transform import Image

FILL_MODES = {
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
}
"""What stands outside an image, by Keras's names."""

Floats = NDArray[np.float64]

_MAX_CHANNELS = 4
"""Of an image that OpenCV's warp takes."""

_MAX_SIDE = 32766
"""Likewise."""

_STRIP = 16384
"""Pixels that are interpolated at once: what lies between stays in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class SplineWarp:
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
            1/32 of a pixel, which is up to 8 levels between black and white.
        """
        if self.order > 1:
            return self._warp_by_splines(image, to_input)
        height, width, _ = image.shape
        fetch, pixels = (_fetch_linear, _pad_neighbors(image)) if self.order else (_fetch_nearest, image)
        pixels = pixels.reshape(-1, pixels.shape[2])
        warped = np.empty_like(image)
        strip = max(_STRIP // width, 1)
        for start in range(0, height, strip):
            rows = np.arange(start, min(start + strip, height))
            x, y, outside = self._compute_coordinates(to_input, rows, height, width)
            part = warped[start : start + strip]
            fetch(pixels, x, y, part)
            if outside is not None:
                part[outside] = kernels.to_pixels(self.cval, image.dtype)
        return warped

    def warp_fast(self, image: Image, to_input: Floats) -> Image:
        """Do the same by OpenCV's warp, whose places are rounded to 1/32 of a pixel, where it knows the border."""
        is_known = self.order == 1 and self.fill_mode in ("nearest", "reflect")
        if not is_known or image.shape[2] > _MAX_CHANNELS or max(image.shape) > _MAX_SIDE:
            return self(image, to_input)
        border = Border(FILL_MODES[self.fill_mode])
        return kernels.resample(image, to_input, image.shape[:2], cv2.INTER_LINEAR, border, 0)

    def _compute_coordinates(
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
        return self._fold(x, width), self._fold(y, height), outside

    def _fold(self, places: Floats, size: int) -> Floats:
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

    def _warp_by_splines(self, image: Image, to_input: Floats) -> Image:
        from scipy import ndimage

        (a, b, x), (c, d, y) = to_input[:2].tolist()
        warp = [
            ndimage.affine_transform(
                plane, [[d, c], [b, a]], [y, x], order=self.order, mode=self.fill_mode, cval=self.cval
            )
            for plane in np.moveaxis(image, 2, 0)
        ]
        return np.stack(warp, axis=2)


def _fetch_nearest(pixels: Image, x: Floats, y: Floats, out: Image) -> None:
    """Fetch the nearest pixel of every place."""
    out[:] = _take(pixels, np.floor(x + 0.5) + np.floor(y + 0.5) * out.shape[1])


def _pad_neighbors(image: Image) -> Image:
    """Give the outermost pixels neighbours, whose weight will be 0: [H + 1, W + 1, C].

    Three channels become four: NumPy fetches 16 bytes three times as fast as 12.
    """
    larger = kernels.restore_channel_axis(cv2.copyMakeBorder(image, 0, 1, 0, 1, cv2.BORDER_REPLICATE), image)
    return cv2.cvtColor(larger, cv2.COLOR_RGB2RGBA) if image.shape[2] == 3 else larger


def _fetch_linear(pixels: Image, x: Floats, y: Floats, out: Image) -> None:
    """Mix the four neighbours of every place, in float32. Equal ones stay exactly as they are."""
    stride, channels = out.shape[1] + 1, pixels.shape[1]
    left, above = np.floor(x), np.floor(y)
    to_right, below = _spread(x - left, channels), _spread(y - above, channels)
    above *= stride
    above += left
    places, pixels = above.astype(np.intp), pixels.astype(np.float32, copy=False)
    upper, right, lower, opposite = (_take(pixels[offset:], places) for offset in (0, 1, stride, stride + 1))
    mixed = _mix(_mix(upper, right, to_right), _mix(lower, opposite, to_right), below)
    if out.dtype == np.uint8:
        mixed = cv2.convertScaleAbs(mixed)  # it rounds, and nothing is negative
    if out.shape[2] == 3:
        cv2.cvtColor(mixed, cv2.COLOR_RGBA2RGB, out)
    else:
        out[:] = mixed.reshape(out.shape)


def _take(pixels: Image, places: NDArray[Any]) -> Image:
    """Fetch whole pixels by their numbers; all exist."""
    return pixels.take(places.astype(np.intp, copy=False), axis=0, mode="clip")


def _mix(first: Image, second: Image, weight: Image) -> Image:
    """Mix two images, into the second one."""
    second -= first
    second *= weight
    second += first
    return second


def _spread(weight: Floats, channels: int) -> Image:
    single = weight.astype(np.float32)
    return single[..., np.newaxis] if channels == 1 else cv2.merge([single] * channels)
