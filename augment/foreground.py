"""Estimating the foreground of an image, the object in its middle, by GrabCut.

Rother, Kolmogorov and Blake 2004, "GrabCut: interactive foreground extraction using iterated graph cuts". The margin of
the image is background; the pixels within it may be either. OpenCV draws its first clusters from its own generator,
whose state depends on earlier calls in the thread. Here the first clusters are computed from the colors alone, so that
equal images have equal masks.
"""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.errors import TransformError
from augment.transform import Image

_MARGIN = 0.08
"""Fraction of each side that is certainly background."""

_MAX_SIDE = 200
"""Longer side in pixels of the image that GrabCut sees: its time grows faster than the area."""

_MIN_FRACTION = 0.01
"""Smallest fraction of the image that counts as an object."""

_COMPONENTS = 5
"""Components of each mixture of normal distributions in OpenCV's GrabCut."""

_ITERATIONS = 4


def grabcut(image: Image) -> Image:
    """Estimate the foreground of an image.

    Args:
        image: uint8 [H, W, C] with 1 or 3 channels, or [H, W].

    Returns:
        uint8 [H, W], 1 in the foreground. If hardly any is found, the whole middle is foreground.

    Raises:
        TransformError: the image has another number of channels.
    """
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        raise TransformError(f"GrabCut needs an image of 1 or 3 channels, got {image.shape[2]}")
    height, width = image.shape[:2]
    scale = min(1.0, _MAX_SIDE / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if small.ndim == 2:
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    mask = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    inner = tuple(slice(max(1, round(side * _MARGIN)), side - max(1, round(side * _MARGIN))) for side in mask.shape)
    mask[inner] = cv2.GC_PR_FGD
    middle = mask == cv2.GC_PR_FGD
    if not middle.any():
        return np.ones((height, width), np.uint8)
    pixels = small.reshape(-1, 3).astype(np.float64)
    behind, before = _fit_mixture(pixels[~middle.ravel()]), _fit_mixture(pixels[middle.ravel()])
    cut, *_ = cv2.grabCut(small, mask, (0, 0, 1, 1), behind, before, _ITERATIONS, cv2.GC_EVAL)  # ignores the rectangle
    found = (cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)
    if found.mean() < _MIN_FRACTION:
        found = middle
    smooth = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return cast(Image, (smooth > 0.5).astype(np.uint8))


def _fit_mixture(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit a mixture of normal distributions, [1, 65] as in OpenCV: weights, means [5, 3], covariances [5, 3, 3].

    The colors [N, 3] are divided into groups of equal size along their principal axis.
    """
    centered = colors - colors.mean(axis=0)
    direction = np.linalg.eigh(centered.T @ centered)[1][:, -1]
    groups = np.array_split(np.argsort(centered @ direction, kind="stable"), _COMPONENTS)
    weights, means, covariances = np.zeros(_COMPONENTS), np.zeros((_COMPONENTS, 3)), np.zeros((_COMPONENTS, 3, 3))
    for number, group in enumerate(groups):
        if not len(group):
            continue
        own = colors[group]
        weights[number], means[number] = len(group) / len(colors), own.mean(axis=0)
        spread = own - means[number]
        covariances[number] = spread.T @ spread / len(group) + 0.01 * np.eye(3)  # as OpenCV: never singular
    return np.concatenate([weights, means.ravel(), covariances.ravel()])[np.newaxis]
