"""TrivialAugment: one operation, drawn per image, at a random strength."""

from dataclasses import replace
from typing import Any

from augment.policies.operations import FOURTEEN, OperationRanges, check_fill

WIDE = OperationRanges(shear=0.99, rotate=135.0, translate_px=32, enhance=(0.01, 2.0), min_bits=2, fill=0)
"""The ranges of TrivialAugment (Wide)."""


def trivial_augment(*, fill: float = 0) -> Any:
    """Make TrivialAugment (Wide): each image gets one of fourteen operations, at any strength of its range.

    Müller and Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation" (arXiv:2103.10158),
    with the wide ranges: shear 0.99, rotate 135 degrees, translate 32 pixels, factors 0.01 to 2, 8 to 2 bits, solarize
    from 256 down to 0. The paper draws one of 31 equidistant strengths; here the strength is drawn from the whole
    range, except for bits and pixels, which are whole numbers.

    Args:
        fill: level of the pixels outside the image, 0 to 255; 0 in the authors' code.

    Returns:
        An `albumentations.Compose`.

    Raises:
        TransformError: `fill` is out of range.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    check_fill("trivial_augment", fill)
    ranges = replace(WIDE, fill=fill)
    return A.Compose([A.OneOf([_make_operation(ranges, name) for name in FOURTEEN], p=1.0)])


def _make_operation(ranges: OperationRanges, name: str) -> Any:
    import albumentations as A  # noqa: N812  # its users know it by this name

    if name != "Posterize":
        return ranges.make_operation(name, 0.0, 1.0)
    # Of the 31 strengths, five each lose 0, 1, ..., 5 bits, and the greatest one loses 6.
    return A.OneOf(
        [ranges.make_operation(name, 0.0, 1.0, p=30 / 31), ranges.make_operation(name, 1.0, p=1 / 31)], p=1.0
    )
