"""Resizing to a declared size."""

from typing import cast

import cv2
import numpy as np

from augment.transform import Image

INTERPOLATIONS = {
    "bilinear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos4": cv2.INTER_LANCZOS4,
}
"""OpenCV's interpolations by Keras's names; "area" averages where the image shrinks and so does not alias."""


def resize(image: Image, size: tuple[int, int], interpolation: str = "bilinear") -> Image:
    """Stretch an image to a size.

    Args:
        image: [H, W, C], uint8 or float32.
        size: (height, width) in pixels.
        interpolation: one of `INTERPOLATIONS`.

    Returns:
        [height, width, C]; the image itself where it has that size.
    """
    if image.shape[:2] == size:
        return image
    resized = cv2.resize(image, size[::-1], interpolation=INTERPOLATIONS[interpolation])
    return cast(Image, resized if resized.ndim == 3 else resized[..., np.newaxis])
