"""Pillow's sharpness, a blend of the image with its smoothed version. Albumentations has no such transform."""

from collections.abc import Sequence
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.checks import is_number
from augment.errors import TransformError
from augment.plan.lowering import Columns, Floats, Integers, Operation, Pointwise, lowers, scale_uniform
from augment.policies import pillow
from augment.transform import Image


class Sharpness(A.ImageOnlyTransform):  # type: ignore[misc]  # Albumentations ships no types
    """Sharpens or softens an image, as Pillow's `ImageEnhance.Sharpness`.

    Args:
        factor: range of the factor: 0 smooths the image, 1 changes nothing, 2 sharpens it as much as 0 smooths.
        p: probability that the transform is applied.

    Raises:
        TransformError: `factor` is out of range.
    """

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]
        """The constructor's arguments; the constructor checks them."""

        factor: Any

    def __init__(self, factor: tuple[float, float] = (0.1, 1.9), p: float = 0.5) -> None:
        super().__init__(p=p)
        is_pair = isinstance(factor, Sequence) and len(factor) == 2 and all(map(is_number, factor))
        if not is_pair or not 0 <= factor[0] <= factor[1]:
            raise TransformError(f"Sharpness: factor must be (low, high) with 0 <= low <= high, got {factor!r}")
        self.factor = float(factor[0]), float(factor[1])

    def get_params(self) -> dict[str, Any]:
        """Draw the factor."""
        return {"factor": self.py_random.uniform(*self.factor)}

    def apply(self, img: Image, factor: float, **params: Any) -> Image:  # noqa: ARG002  # the base class's signature
        """Sharpen an image [H, W, C], uint8 or float32 in 0 to 1."""
        return sharpen(img, factor)


@lowers(Sharpness)
class LoweredSharpness(Pointwise):
    """Sharpness: a function of the whole image."""

    kernel = "blend with a smoothed image"
    draws = 1

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:  # noqa: ARG002
        """Draw the factors."""
        return {"factor": scale_uniform(uniforms[:, 0], *self.transform.factor)}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:  # noqa: ARG002
        """Return the factor."""
        return {"factor": float(columns["factor"][row])}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:  # noqa: ARG002
        """Return the function that sharpens an image."""
        factor = float(columns["factor"][row])
        return [] if factor == 1 else [lambda image: sharpen(image, factor)]


def sharpen(image: Image, factor: float) -> Image:
    """Sharpen an image [H, W, C]: uint8 as Pillow, float32 in 0 to 1 without rounding."""
    if image.dtype == np.uint8:
        return pillow.sharpen(image, factor)
    smooth = pillow.smooth(image)
    return np.clip(smooth + np.float32(factor) * (image - smooth), 0, 1)
