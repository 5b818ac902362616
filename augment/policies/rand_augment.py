"""RandAugment: several operations, drawn per image, at one strength."""

from typing import Any

from augment.checks import check_integer, check_number
from augment.errors import TransformError
from augment.policies.operations import FOURTEEN, OperationRanges, check_fill

MAX_STRENGTH = 3
"""The largest magnitude in multiples of `maximum`: 30 of 10, as in the authors' code."""


def rand_augment(n: int = 2, m: float = 9, *, maximum: float = 10, fill: float = 128) -> Any:
    """Make RandAugment: each image gets `n` of fourteen operations, drawn with replacement, all at magnitude `m`.

    Cubuk, Zoph, Shlens and Le 2019, "RandAugment: practical automated data augmentation with a reduced search space"
    (arXiv:1909.13719). Its magnitudes are on AutoAugment's scale, on which 10 is the end of each range: shear 0.3,
    rotate 30 degrees, translate 150/331 of a side, factors 0.1 to 1.9, 8 to 4 bits, solarize from 256 down to 0; a
    magnitude above 10 extrapolates the range. The paper gives no direction for posterize and solarize: here a greater
    magnitude is stronger. (torchvision has the same operations on a scale of 30, and its factors are 1 minus or plus
    0.9 times the strength: its magnitude 9 is 3 here.)

    Args:
        n: operations per image, 1 to 14; one operation may be drawn twice. 1 to 3 in the paper.
        m: their magnitude, 0 to 3 times `maximum`. 4 to 28 in the paper.
        maximum: the magnitude at which the ranges end, above 0 and at most 1000: 30 for torchvision's scale.
        fill: level of the pixels outside the image, 0 to 255; 128 in the authors' code.

    Returns:
        An `albumentations.Compose`.

    Raises:
        TransformError: an argument is out of range.
    """
    import albumentations as A  # noqa: N812  # its users know it by this name

    check_integer("rand_augment: n", n, 1, len(FOURTEEN), TransformError)
    check_number("rand_augment: maximum", maximum, 0, 1000, TransformError, above=True)
    check_number("rand_augment: m", m, 0, MAX_STRENGTH * maximum, TransformError)
    check_fill("rand_augment", fill)
    ranges = OperationRanges(fill=fill)
    return A.Compose(
        [A.OneOf([ranges.make_operation(name, m / maximum) for name in FOURTEEN], p=1.0) for _ in range(n)]
    )
