"""The operations of the published policies, at a strength between 0 and 1.

They are the operations of Cubuk et al. 2019, "AutoAugment: learning augmentation strategies from data"
(arXiv:1805.09501, table 6 of its appendix); the later policies use the same. Each becomes one Albumentations
transform, which is compiled, explained and saved like any other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from augment.checks import check_number
from augment.errors import TransformError

FOURTEEN = (
    *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
    *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
)
"""The operations of RandAugment and TrivialAugment."""


def check_fill(policy: str, fill: Any) -> None:
    """Check the level of the pixels outside the image.

    Raises:
        TransformError: `fill` is not a number from 0 to 255.
    """
    check_number(f"{policy}: fill", fill, 0, 255, TransformError)


@dataclass(frozen=True)
class OperationRanges:
    """The ranges of the operations: strength 0 is the first value of a range, strength 1 the last.

    Shears, translations and rotations have a random sign, each for half of the images. Their center is the image's
    center.

    Attributes:
        shear: largest tangent of the shear angle.
        rotate: largest angle in degrees.
        translate: largest translation as a fraction of the image's side.
        translate_px: largest translation in pixels; replaces `translate`.
        enhance: factors of Color, Contrast, Brightness and Sharpness: 1 changes nothing; 0 removes color or contrast,
            makes the image black, or smooths it.
        max_bits: bits per channel that Posterize keeps at strength 0.
        min_bits: bits per channel that Posterize keeps at strength 1; at least one bit is kept. Solarize's threshold
            goes from 256 down to 0.
        fill: level of the pixels outside the image.
    """

    shear: float = 0.3
    rotate: float = 30.0
    translate: float = 150 / 331
    translate_px: int | None = None
    enhance: tuple[float, float] = (0.1, 1.9)
    max_bits: int = 8
    min_bits: int = 4
    fill: float = 128

    def make_operation(self, name: str, low: float, high: float | None = None, p: float = 1.0) -> Any:
        """Make one operation.

        Args:
            name: one of `FOURTEEN`, or "Invert".
            low: its strength, from 0 to 1. Strengths above 1 extrapolate the ranges.
            high: if given, each image draws a strength from `low` to `high`.
            p: probability that the operation is applied.

        Returns:
            An Albumentations transform or composition.

        Raises:
            TransformError: the operation is unknown.
        """
        makers: dict[str, Callable[[float, float, float], Any]] = {
            "Identity": _make_fixed("NoOp"),
            "AutoContrast": _make_pillow("PillowAutoContrast"),
            "Equalize": _make_pillow("PillowEqualize"),
            "Invert": _make_fixed("InvertImg"),
            "Rotate": self._make_signed(self._make_rotate),
            "ShearX": self._make_signed(self._make_shear_x),
            "ShearY": self._make_signed(self._make_shear_y),
            "TranslateX": self._make_signed(self._make_translate_x),
            "TranslateY": self._make_signed(self._make_translate_y),
            "Solarize": self._make_solarize,
            "Posterize": self._make_posterize,
            "Color": self._make_enhance("PillowColor"),
            "Contrast": self._make_enhance("PillowContrast"),
            "Brightness": self._make_enhance("PillowBrightness"),
            "Sharpness": self._make_sharpness,
        }
        if name not in makers:
            raise TransformError(f"unknown operation {name!r}; choose from {', '.join(makers)}")
        return makers[name](low, low if high is None else high, p)

    def _make_affine(self, p: float, **options: Any) -> Any:
        import albumentations as A  # noqa: N812  # its users know it by this name

        return A.Affine(fill=self.fill, p=p, **options)

    def _make_rotate(self, low: float, high: float, p: float) -> Any:
        return self._make_affine(p, rotate=(low * self.rotate, high * self.rotate))

    def _make_shear_x(self, low: float, high: float, p: float) -> Any:
        return self._make_affine(p, shear={"x": self._to_angles(low, high), "y": (0.0, 0.0)})

    def _make_shear_y(self, low: float, high: float, p: float) -> Any:
        return self._make_affine(p, shear={"x": (0.0, 0.0), "y": self._to_angles(low, high)})

    def _to_angles(self, low: float, high: float) -> tuple[float, float]:
        first, last = (math.degrees(math.atan(strength * self.shear)) for strength in (low, high))
        return first, last

    def _make_translate_x(self, low: float, high: float, p: float) -> Any:
        return self._make_translate("x", low, high, p)

    def _make_translate_y(self, low: float, high: float, p: float) -> Any:
        return self._make_translate("y", low, high, p)

    def _make_translate(self, axis: str, low: float, high: float, p: float) -> Any:
        if self.translate_px is None:
            shifts = {"x": (0.0, 0.0), "y": (0.0, 0.0)} | {axis: (low * self.translate, high * self.translate)}
            return self._make_affine(p, translate_percent=shifts)
        pixels = round(low * self.translate_px), round(high * self.translate_px)
        return self._make_affine(p, translate_px={"x": (0, 0), "y": (0, 0)} | {axis: pixels})

    @staticmethod
    def _make_signed(make: Callable[[float, float, float], Any]) -> Callable[[float, float, float], Any]:
        """Make an operation with a random sign; a single range if the strengths begin at 0."""

        def make_either(low: float, high: float, p: float) -> Any:
            import albumentations as A  # noqa: N812  # its users know it by this name

            if low == 0:
                return make(-high, high, p)
            return A.OneOf([make(low, high, 1.0), make(-high, -low, 1.0)], p=p)

        return make_either

    def _make_solarize(self, low: float, high: float, p: float) -> Any:
        from augment.policies.pillow import PillowSolarize

        first, last = (min(max(256 * (1 - strength), 0.0), 256.0) for strength in (high, low))
        return PillowSolarize(threshold=(first, last), p=p)

    def _make_posterize(self, low: float, high: float, p: float) -> Any:
        import albumentations as A  # noqa: N812  # its users know it by this name

        def count_bits(lost: int) -> int:
            return max(1, self.max_bits - lost)

        lost = self.max_bits - self.min_bits
        if low == high:
            bits = count_bits(round(low * lost))
            return A.Posterize(num_bits=(bits, bits), p=p)
        # The number of lost bits is rounded down, so that only the greatest strength leaves the fewest bits.
        first, last = low * lost, high * lost
        numbers = range(math.floor(first), math.ceil(last))
        weights = [(min(number + 1, last) - max(number, first)) / (last - first) for number in numbers]
        if max(weights) - min(weights) < 1e-9:
            return A.Posterize(num_bits=(count_bits(numbers[-1]), count_bits(numbers[0])), p=p)
        choice = [
            A.Posterize(num_bits=(count_bits(number),) * 2, p=weight)
            for number, weight in zip(numbers, weights, strict=True)
        ]
        return A.OneOf(choice, p=p)

    def _to_factors(self, low: float, high: float) -> tuple[float, float]:
        first, last = self.enhance
        return first + low * (last - first), first + high * (last - first)

    def _make_enhance(self, name: str) -> Callable[[float, float, float], Any]:
        def make(low: float, high: float, p: float) -> Any:
            from augment.policies import pillow

            return getattr(pillow, name)(factor=self._to_factors(low, high), p=p)

        return make

    def _make_sharpness(self, low: float, high: float, p: float) -> Any:
        from augment.policies.sharpness import Sharpness

        return Sharpness(self._to_factors(low, high), p=p)


def _make_fixed(name: str) -> Callable[[float, float, float], Any]:
    """Make an operation without a strength."""

    def make(low: float, high: float, p: float) -> Any:  # noqa: ARG001  # the signature of all operations
        import albumentations as A  # noqa: N812  # its users know it by this name

        return getattr(A, name)(p=p)

    return make


def _make_pillow(name: str) -> Callable[[float, float, float], Any]:
    """Make one of Pillow's operations without a strength."""

    def make(low: float, high: float, p: float) -> Any:  # noqa: ARG001  # the signature of all operations
        from augment.policies import pillow

        return getattr(pillow, name)(p=p)

    return make
