"""Warp as SciPy's `ndimage.affine_transform` does, which Keras's `ImageDataGenerator` calls.

SciPy's border modes are not OpenCV's: "constant" begins sharply at the centers of the outermost pixels, and "wrap" lets
the first and the last pixel coincide. So the coordinates are computed here, and folded into the image as SciPy does.
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
"""Border modes by Keras's names."""

Floats = NDArray[np.float64]

_MAX_CHANNELS = 4
"""The most channels that OpenCV's warp takes."""

_MAX_SIDE = 32766
"""The most pixels of a side that OpenCV's warp takes."""

_STRIP = 16384
"""Pixels per interpolation, so that intermediate arrays stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class SplineWarp:
    """A warp with a border mode and an interpolating spline.

    Attributes:
        fill_mode: one of `FILL_MODES`.
        cval: level outside the image for "constant".
        order: order of the spline, 0 (nearest) to 5; SciPy computes 2 to 5.
    """

    fill_mode: str = "nearest"
    cval: float = 0.0
    order: int = 1

    def __call__(self, image: Image, to_input: Floats) -> Image:
        """Warp an image.

        Args:
            image: [H, W, C], uint8 or float32; it is not changed.
            to_input: matrix [3, 3] from the center (x, y, 1) of an output pixel to input coordinates, in pixels.

        Returns:
            A new image of the same shape and dtype. Linear interpolation is exact: OpenCV's rounds coordinates to 1/32
            of a pixel, which is up to 8 levels between black and white.
        """
        if self.order > 1:
            return self._warp_by_splines(image, to_input)
        height, width, _ = image.shape
        interpolate, pixels = (_interpolate, _pad_neighbors(image)) if self.order else (_select_nearest, image)
        pixels = pixels.reshape(-1, pixels.shape[2])
        warped = np.empty_like(image)
        strip = max(_STRIP // width, 1)
        for start in range(0, height, strip):
            rows = np.arange(start, min(start + strip, height))
            x, y, outside = self._compute_coordinates(to_input, rows, height, width)
            part = warped[start : start + strip]
            interpolate(pixels, x, y, part)
            if outside is not None:
                part[outside] = kernels.to_pixels(self.cval, image.dtype)
        return warped

    @property
    def exceeds_uint8(self) -> bool:
        """Whether a warped uint8 image may have levels outside 0 to 255, which Keras keeps: a spline overshoots."""
        return self.order > 1 or (self.fill_mode == "constant" and not 0 <= self.cval <= 255)

    def is_approximated(self, image: Image) -> bool:
        """Return whether `warp_fast` rounds coordinates for an image of this shape."""
        is_supported = self.order == 1 and self.fill_mode in ("nearest", "reflect")
        return is_supported and image.shape[2] <= _MAX_CHANNELS and max(image.shape) <= _MAX_SIDE

    def warp_fast(self, image: Image, to_input: Floats) -> Image:
        """Warp by OpenCV, which rounds coordinates to 1/32 of a pixel, if it has the border mode; else exactly."""
        if not self.is_approximated(image):
            return self(image, to_input)
        border = Border(FILL_MODES[self.fill_mode])
        return kernels.resample(image, to_input, image.shape[:2], cv2.INTER_LINEAR, border, 0)

    def _compute_coordinates(
        self, to_input: Floats, rows: Integers, height: int, width: int
    ) -> tuple[Floats, Floats, NDArray[np.bool_] | None]:
        """Return the input coordinates (x, y) of some rows' pixels, [R, W] each; for "constant", which are outside."""
        columns = np.arange(width)
        # Summed in SciPy's order, so that rounding moves no pixel across an edge.
        x = np.add.outer(rows * to_input[0, 1], columns * to_input[0, 0])
        y = np.add.outer(rows * to_input[1, 1], columns * to_input[1, 0])
        x += to_input[0, 2]
        y += to_input[1, 2]
        outside = None
        if self.fill_mode == "constant":
            outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
        return self._fold(x, width), self._fold(y, height), outside

    def _fold(self, coordinates: Floats, size: int) -> Floats:
        """Fold coordinates into [0, size - 1]."""
        if self.fill_mode == "wrap" and size > 1:
            # Whole periods are added or subtracted, so that the last pixel's own coordinate stays.
            period = size - 1
            above, below = np.floor(coordinates / period), np.floor(-coordinates / period) + 1
            inside = np.where(coordinates > period, coordinates - period * above, coordinates)
            coordinates = np.where(coordinates < 0, coordinates + period * below, inside)
        if self.fill_mode == "reflect":
            coordinates = (coordinates + 0.5) % (2 * size)
            coordinates = np.minimum(coordinates, 2 * size - coordinates) - 0.5
        return np.clip(coordinates, 0, size - 1, out=coordinates)

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


def _select_nearest(pixels: Image, x: Floats, y: Floats, out: Image) -> None:
    """Write the pixel nearest to each coordinate."""
    out[:] = _take(pixels, np.floor(x + 0.5) + np.floor(y + 0.5) * out.shape[1])


def _pad_neighbors(image: Image) -> Image:
    """Pad an image with neighbors of its last row and column, whose weight is 0: [H + 1, W + 1, C].

    Three channels become four: NumPy copies 16 bytes three times as fast as 12.
    """
    padded = kernels.restore_channel_axis(cv2.copyMakeBorder(image, 0, 1, 0, 1, cv2.BORDER_REPLICATE), image)
    return cv2.cvtColor(padded, cv2.COLOR_RGB2RGBA) if image.shape[2] == 3 else padded


def _interpolate(pixels: Image, x: Floats, y: Floats, out: Image) -> None:
    """Interpolate linearly between the four neighbors of each coordinate, in float32; equal neighbors stay equal."""
    stride, channels = out.shape[1] + 1, pixels.shape[1]
    left, above = np.floor(x), np.floor(y)
    to_right, below = _spread(x - left, channels), _spread(y - above, channels)
    above *= stride
    above += left
    first, pixels = above.astype(np.intp), pixels.astype(np.float32, copy=False)
    upper, right, lower, opposite = (_take(pixels[offset:], first) for offset in (0, 1, stride, stride + 1))
    mixed = _mix(_mix(upper, right, to_right), _mix(lower, opposite, to_right), below)
    if out.dtype == np.uint8:
        mixed = cv2.convertScaleAbs(mixed)  # rounds; no value is negative
    if out.shape[2] == 3:
        cv2.cvtColor(mixed, cv2.COLOR_RGBA2RGB, out)
    else:
        out[:] = mixed.reshape(out.shape)


def _take(pixels: Image, rows: NDArray[Any]) -> Image:
    """Return whole pixels by their rows, all of which exist."""
    return pixels.take(rows.astype(np.intp, copy=False), axis=0, mode="clip")


def _mix(first: Image, second: Image, weight: Image) -> Image:
    """Interpolate between two images; the result replaces the second."""
    second -= first
    second *= weight
    second += first
    return second


def _spread(weight: Floats, channels: int) -> Image:
    single = weight.astype(np.float32)
    return single[..., np.newaxis] if channels == 1 else cv2.merge([single] * channels)
