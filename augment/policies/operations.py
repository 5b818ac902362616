"""The operations that the published policies are made of, at a strength between 0 and 1.

They are those of Cubuk et al. 2019, "AutoAugment: learning augmentation strategies from data" (arXiv:1805.09501,
table 6 of its appendix), which the later policies took over. Each becomes one Albumentations transform, so that it is
compiled, explained and saved like any other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from augment.errors import TransformError

FOURTEEN = (
    *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
    *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
)
"""The operations of RandAugment and TrivialAugment."""


@dataclass(frozen=True)
class OperationRanges:
    """What the strengths of the operations mean; 0 is the first of two values, 1 the second.

    Shears, shifts and turns go in either direction, each for half of the images. Their centre is the
    image's.

    Attributes:
        shear: 0 to this, the tangent of the angle.
        rotate: 0 to this, in degrees.
        translate: 0 to this share of the image's side.
        translate_px: 0 to so many pixels instead.
        enhance: the factor of Color, Contrast, Brightness and Sharpness: 1 changes nothing, 0 leaves no colour, no
            contrast, no light, or a smoothed image.
        max_bits: a channel, in Posterize.
        min_bits: likewise, at the other end; one bit is left at least. Solarize's threshold goes from 256 down to 0.
        fill: the level of what comes into the image from outside.
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
            low: its strength; from 0 to 1, or above, where the ranges are extrapolated as far as they go.
            high: where given, each image gets a strength between the two, all equally likely.
            p: the probability that it is applied.

        Returns:
            An Albumentations transform or composition.

        Raises:
            TransformError: there is no such operation.
        """
        makers: dict[str, Callable[[float, float, float], Any]] = {
            "Identity": _make_fixed("NoOp"),
            "AutoContrast": _make_fixed("AutoContrast", method="pil"),
            "Equalize": _make_fixed("Equalize", mode="pil"),
            "Invert": _make_fixed("InvertImg"),
            "Rotate": self._make_signed(self._make_rotate),
            "ShearX": self._make_signed(self._make_shear_x),
            "ShearY": self._make_signed(self._make_shear_y),
            "TranslateX": self._make_signed(self._make_translate_x),
            "TranslateY": self._make_signed(self._make_translate_y),
            "Solarize": self._make_solarize,
            "Posterize": self._make_posterize,
            "Color": self._make_jitter("saturation"),
            "Contrast": self._make_jitter("contrast"),
            "Brightness": self._make_jitter("brightness"),
            "Sharpness": self._make_sharpness,
        }
        if name not in makers:
            raise TransformError(f"there is no operation {name!r}; there are {', '.join(makers)}")
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
        """Make an operation that goes in either direction; one range where the strengths begin at 0."""

        def make_either(low: float, high: float, p: float) -> Any:
            import albumentations as A  # noqa: N812  # its users know it by this name

            if low == 0:
                return make(-high, high, p)
            return A.OneOf([make(low, high, 1.0), make(-high, -low, 1.0)], p=p)

        return make_either

    def _make_solarize(self, low: float, high: float, p: float) -> Any:
        import albumentations as A  # noqa: N812  # its users know it by this name

        # Albumentations inverts from 255 times the threshold on: 256 cannot be said, and 255 inverts white alone.
        first, last = (min(max(256 * (1 - strength), 0) / 255, 1.0) for strength in (high, low))
        return A.Solarize(threshold_range=(first, last), p=p)

    def _make_posterize(self, low: float, high: float, p: float) -> Any:
        import albumentations as A  # noqa: N812  # its users know it by this name

        def count_bits(lost: int) -> int:
            return max(1, self.max_bits - lost)

        lost = self.max_bits - self.min_bits
        if low == high:
            bits = count_bits(round(low * lost))
            return A.Posterize(num_bits=(bits, bits), p=p)
        # Whole bits are lost, rounded down, so that the fewest come with the greatest strength alone.
        first, last = low * lost, high * lost
        numbers = range(math.floor(first), math.ceil(last))
        shares = [(min(number + 1, last) - max(number, first)) / (last - first) for number in numbers]
        if max(shares) - min(shares) < 1e-9:
            return A.Posterize(num_bits=(count_bits(numbers[-1]), count_bits(numbers[0])), p=p)
        choice = [
            A.Posterize(num_bits=(count_bits(number),) * 2, p=share)
            for number, share in zip(numbers, shares, strict=True)
        ]
        return A.OneOf(choice, p=p)

    def _to_factors(self, low: float, high: float) -> tuple[float, float]:
        first, last = self.enhance
        return first + low * (last - first), first + high * (last - first)

    def _make_jitter(self, factor: str) -> Callable[[float, float, float], Any]:
        def make(low: float, high: float, p: float) -> Any:
            import albumentations as A  # noqa: N812  # its users know it by this name

            still: dict[str, tuple[float, float]] = dict.fromkeys(("brightness", "contrast", "saturation"), (1.0, 1.0))
            return A.ColorJitter(**still | {factor: self._to_factors(low, high)}, hue=(0.0, 0.0), p=p)

        return make

    def _make_sharpness(self, low: float, high: float, p: float) -> Any:
        from augment.policies.sharpness import Sharpness

        return Sharpness(self._to_factors(low, high), p=p)


def _make_fixed(name: str, **options: Any) -> Callable[[float, float, float], Any]:
    """Make an operation that has no strength."""

    def make(low: float, high: float, p: float) -> Any:  # noqa: ARG001  # as the others
        import albumentations as A  # noqa: N812  # its users know it by this name

        return getattr(A, name)(p=p, **options)

    return make
