"""Resizing to a fixed size."""

import cv2

from augment.plan import kernels
from augment.plan.deferred import DeferredImage, defer_resize, materialize
from augment.transform import Image

INTERPOLATIONS = {
    "bilinear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos4": cv2.INTER_LANCZOS4,
}
"""OpenCV's interpolations by Keras's names; "area" averages when the image shrinks and so does not alias."""


def resize_deferred(
    image: Image | DeferredImage, size: tuple[int, int], interpolation: str = "bilinear"
) -> Image | DeferredImage:
    """Resize an image as `resize`, or defer that; `augment.plan.deferred.materialize_all` computes many."""
    if image.shape[:2] == size:
        return image
    deferred = defer_resize(image, size) if interpolation == "bilinear" else None
    return resize(materialize(image), size, interpolation) if deferred is None else deferred


def resize(image: Image, size: tuple[int, int], interpolation: str = "bilinear") -> Image:
    """Resize an image, without keeping its aspect ratio.

    Args:
        image: [H, W, C], uint8 or float32.
        size: (height, width) in pixels.
        interpolation: one of `INTERPOLATIONS`.

    Returns:
        [height, width, C]; the image itself if it has that size.
    """
    if image.shape[:2] == size:
        return image
    resized = kernels.allocate(size, image)
    cv2.resize(image, size[::-1], resized, interpolation=INTERPOLATIONS[interpolation])
    return resized
