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
from augment.plan.lowered import Border
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
        x, y, outside = self._places(to_input, image.shape[0], image.shape[1])
        parts = np.split(image, range(_MOST_CHANNELS, image.shape[2], _MOST_CHANNELS), axis=2)
        fetch = _nearest if self.order == 0 else _linear
        fetched = [fetch(part, x, y) for part in parts]
        warped = fetched[0] if len(fetched) == 1 else np.concatenate(fetched, axis=2)
        if outside is not None:
            warped[outside] = kernels.as_pixels(self.cval, image.dtype)
        return warped

    def quick(self, image: Image, to_input: Floats) -> Image:
        """Do the same by OpenCV's warp, whose places are rounded to 1/32 of a pixel, where it knows the border."""
        if self.order != 1 or self.fill_mode not in ("nearest", "reflect") or image.shape[2] > _MOST_CHANNELS:
            return self(image, to_input)
        border = Border(FILL_MODES[self.fill_mode])
        return kernels.resample(image, to_input, image.shape[:2], cv2.INTER_LINEAR, border, 0)

    def _places(self, to_input: Floats, height: int, width: int) -> tuple[Floats, Floats, NDArray[np.bool_] | None]:
        """Give the places (x, y) in the image of all pixels, [H, W] each, and under "constant" which have none."""
        rows, columns = np.arange(height), np.arange(width)
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
        if self.fill_mode == "wrap":
            return places % (size - 1) if size > 1 else np.zeros_like(places)
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


def _nearest(image: Image, x: Floats, y: Floats) -> Image:
    return _looked_up(image, _whole(x + 0.5, y + 0.5)).reshape(image.shape)


def _linear(image: Image, x: Floats, y: Floats) -> Image:
    """Mix the four neighbours of every place, in float32; equal ones stay exactly as they are."""
    places, channels = _whole(x, y), image.shape[2]
    x -= places[..., 0]
    y -= places[..., 1]
    # One more column and row, so that the outermost pixels have neighbours; their weight is 0.
    image_plus = cv2.copyMakeBorder(image.astype(np.float32, copy=False), 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    to_right, below = _spread(x, channels), _spread(y, channels)
    upper = _mixed(_looked_up(image_plus[:-1, :-1], places), _looked_up(image_plus[:-1, 1:], places), to_right)
    lower = _mixed(_looked_up(image_plus[1:, :-1], places), _looked_up(image_plus[1:, 1:], places), to_right)
    mixed = _mixed(upper, lower, below)
    if image.dtype == np.uint8:
        mixed = cv2.convertScaleAbs(mixed)  # rounds, and nothing is negative
    return mixed.reshape(image.shape)


def _whole(x: Floats, y: Floats) -> NDArray[np.int16]:
    """Cut places off to whole pixels: [H, W, 2], as `cv2.remap` takes them."""
    return cast(NDArray[np.int16], cv2.merge([x.astype(np.int16), y.astype(np.int16)]))


def _looked_up(image: Image, places: NDArray[np.int16]) -> Image:
    """Fetch whole pixels; all places lie inside."""
    return cast(Image, cv2.remap(image, places, None, cv2.INTER_NEAREST))  # type: ignore[call-overload]  # one map


def _mixed(first: Image, second: Image, weight: Image) -> Image:
    """Mix two images of float32, in the memory of the second."""
    second -= first
    second *= weight
    second += first
    return second


def _spread(weight: Floats, channels: int) -> Image:
    single = weight.astype(np.float32)
    return cv2.merge([single] * channels)
