"""AugMix as a transform: an image blended with a mixture of chains of operations, each chain a compiled plan."""

from functools import cached_property
from typing import Any, cast

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment import keys
from augment.checks import check_integer, check_number
from augment.errors import TransformError
from augment.plan.plan import Plan
from augment.policies.operations import OperationRanges
from augment.transform import Image

_OPERATIONS = (
    *("AutoContrast", "Equalize", "Posterize", "Rotate", "Solarize"),
    *("ShearX", "ShearY", "TranslateX", "TranslateY"),
)
"""The paper's operations: none of the corruptions with which robustness is measured."""

RANGES = OperationRanges(translate=1 / 3, max_bits=4, min_bits=0, fill=0)
"""The ranges of the authors' code."""

_MIN_SEVERITY = 0.1
_MAX_DEPTH = 3  # operations in a chain of random length
_WIDEST, _DEEPEST = 32, 14  # the paper has 3 and 3; each chain costs an image and its operations
_MAX_ALPHA = 1000  # with a larger parameter, the distributions are constants, and their generators overflow


class AugMix(A.ImageOnlyTransform):  # type: ignore[misc]  # Albumentations ships no types
    """Blends an image with a mixture of chains of operations; see `augment.policies.aug_mix`.

    Images are uint8 [H, W, C]. Masks, boxes and keypoints stay unchanged.

    Args:
        severity: strength of the strongest operation, above 0.1 and at most 10.
        width: chains in the mixture, 1 to 32.
        depth: operations per chain, 1 to 14; -1 draws one to three.
        alpha: parameter of the Dirichlet and Beta distributions, above 0 and at most 1000.
        p: probability that the transform is applied.

    Raises:
        TransformError: an argument is out of range.
    """

    not_lowered = "it runs its own plan per chain"  # for `Plan.explain`

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]
        """The constructor's arguments; the constructor checks them."""

        severity: Any
        width: Any
        depth: Any
        alpha: Any

    def __init__(
        self, severity: float = 3, width: int = 3, depth: int = -1, alpha: float = 1.0, p: float = 0.5
    ) -> None:
        super().__init__(p=p)
        check_number("aug_mix: severity", severity, _MIN_SEVERITY, 10, TransformError, above=True)
        check_integer("aug_mix: width", width, 1, _WIDEST, TransformError)
        if depth != -1:
            check_integer("aug_mix: depth (or -1)", depth, 1, _DEEPEST, TransformError)
        check_number("aug_mix: alpha", alpha, 0, _MAX_ALPHA, TransformError, above=True)
        self.severity, self.width, self.depth, self.alpha = severity, width, depth, alpha

    def get_params(self) -> dict[str, Any]:
        """Draw the fractions of the chains and of their mixture, and the key of their operations."""
        generator = self.random_generator
        return {
            "fractions": generator.dirichlet([self.alpha] * self.width),
            "mixture": float(generator.beta(self.alpha, self.alpha)),
            "key": int(generator.integers(2**63)),
        }

    def apply(self, img: Image, fractions: Any, mixture: float, key: int, **params: Any) -> Image:  # noqa: ARG002
        """Blend an image, uint8 [H, W, C]."""
        if img.dtype != np.uint8:
            raise TransformError(f"AugMix needs uint8 images, got {img.dtype}: put Normalize or ToFloat after it")
        image = img if img.ndim == 3 else img[..., np.newaxis]
        chain_keys = keys.fold_in(np.uint64(key), np.arange(self.width))
        chain_params = self._chain.draw(chain_keys, [image.shape] * self.width)
        blended = (1 - mixture) * image.astype(np.float32)
        for row, fraction in enumerate(fractions):
            chained = self._chain.apply(image, chain_params, row)
            blended += np.float32(mixture * fraction) * chained
        return cast(Image, np.rint(blended).astype(np.uint8).reshape(img.shape))

    @cached_property
    def _chain(self) -> Plan:
        low, high = _MIN_SEVERITY / 10, self.severity / 10

        def make_operation() -> Any:
            return A.OneOf([RANGES.make_operation(name, low, high) for name in _OPERATIONS], p=1.0)

        if self.depth > 0:
            return Plan(A.Compose([make_operation() for _ in range(self.depth)]))
        # Built from the last operation to the first, with probabilities that make all lengths equally likely.
        chain: list[Any] = []
        for before in reversed(range(_MAX_DEPTH)):
            p = 1.0 if before == 0 else (_MAX_DEPTH - before) / (_MAX_DEPTH - before + 1)
            chain = [A.Sequential([make_operation(), *chain], p=p)]
        return Plan(A.Compose(chain))
