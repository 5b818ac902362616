"""Resizing to a declared size."""

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
"""OpenCV's interpolations by Keras's names; "area" averages where the image shrinks and so does not alias."""


def resize_deferred(
    image: Image | DeferredImage, size: tuple[int, int], interpolation: str = "bilinear"
) -> Image | DeferredImage:
    """Stretch an image to a size as `resize`, or leave it to be made with others (`augment.plan.deferred.materialize_all`)."""
    if image.shape[:2] == size:
        return image
    begun = defer_resize(image, size) if interpolation == "bilinear" else None
    return resize(materialize(image), size, interpolation) if begun is None else begun


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
    stretched = kernels.allocate(size, image)
    cv2.resize(image, size[::-1], stretched, interpolation=INTERPOLATIONS[interpolation])
    return stretched
