"""Structural similarity of two images."""

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.transform import Image

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def structural_similarity(one: Image, other: Image) -> float:
    """Compare two images by their luma.

    Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural similarity",
    with its window (a Gaussian of 11 x 11 pixels and deviation 1.5) and constants, averaged over all positions at which
    the window is inside the image; smaller images use a smaller window.

    Args:
        one: uint8 [H, W, 1 or 3].
        other: of the same size.

    Returns:
        From -1 to 1; 1 for equal images only.

    Raises:
        ValueError: their sizes differ.
    """
    if one.shape[:2] != other.shape[:2]:
        raise ValueError(f"images must have the same size, got {one.shape[:2]} and {other.shape[:2]}")
    x, y = _to_luma(one), _to_luma(other)
    window = min(_WINDOW, *(side - 1 + side % 2 for side in x.shape))

    def local(values: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred = cv2.GaussianBlur(values, (window, window), _SIGMA)
        edge = window // 2
        return np.asarray(blurred[edge : values.shape[0] - edge, edge : values.shape[1] - edge])

    mean_x, mean_y = local(x), local(y)
    variance_x, variance_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    covariance = local(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return float((luminance * structure).mean())


def _to_luma(image: Image) -> NDArray[np.float64]:
    gray = image if image.shape[2] == 1 else cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)
    return np.asarray(gray.reshape(image.shape[:2]), np.float64)
