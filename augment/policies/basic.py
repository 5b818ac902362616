"""The basic policies: crop, flip, rotation, colors, occlusion."""

from collections.abc import Sequence
from typing import Any

NAMES = ("none", "flip", "crop_flip", "light", "full")
"""From the weakest to the strongest."""


def make_basic(name: str, image_size: tuple[int, int]) -> Sequence[Any]:
    """Make the transforms of one of `NAMES`; see `augment.policies.policy`."""
    import albumentations as A  # noqa: N812  # its users know it by this name

    crop, flip = A.RandomResizedCrop(image_size, scale=(0.3, 1.0)), A.HorizontalFlip()
    return {
        "none": [],
        "flip": [flip],
        "crop_flip": [crop, flip],
        "light": [crop, flip, A.RandomBrightnessContrast(p=0.8)],
        "full": [
            crop,
            flip,
            A.Affine(rotate=(-30, 30), p=0.7),
            A.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.8, 1.2), hue=(-0.2, 0.2), p=0.8),
            A.CoarseDropout(p=0.5),
        ],
    }[name]
