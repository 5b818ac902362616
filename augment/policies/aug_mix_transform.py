"""AugMix as a transform: an image blended with a mixture of chains of operations, each chain a compiled plan."""

from functools import cached_property
from typing import Any, cast

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment import keys
from augment.errors import TransformError
from augment.plan.plan import Plan
from augment.policies.operations import OperationRanges
from augment.transform import Image

_OPERATIONS = (
    *("AutoContrast", "Equalize", "Posterize", "Rotate", "Solarize"),
    *("ShearX", "ShearY", "TranslateX", "TranslateY"),
)
"""Those of the paper: none that stands among the corruptions with which robustness is measured."""

RANGES = OperationRanges(translate=1 / 3, max_bits=4, min_bits=0, fill=0)
"""The ranges of the authors' code."""

_MIN_SEVERITY = 0.1
_MAX_DEPTH = 3  # operations in a chain of drawn length


class AugMix(A.ImageOnlyTransform):  # type: ignore[misc]  # Albumentations ships no types
    """Blends an image with a mixture of chains of operations; see `augment.policies.aug_mix`.

    It is for uint8 images [H, W, C]. Masks, boxes and keypoints are left as they are.

    Args:
        severity: the greatest strength of an operation, above 0.1 and up to 10.
        width: chains in the mixture.
        depth: operations in a chain; -1 draws one to three.
        alpha: of the Dirichlet and Beta distributions.
        p: the probability that it is applied.

    Raises:
        TransformError: an argument is out of range.
    """

    not_lowered = "it runs a plan of its own for each of its chains"  # for `Plan.explain`

    class InitSchema(A.BasicTransform.InitSchema):  # type: ignore[misc]
        """What the constructor takes."""

        severity: float
        width: int
        depth: int
        alpha: float

    def __init__(
        self, severity: float = 3, width: int = 3, depth: int = -1, alpha: float = 1.0, p: float = 0.5
    ) -> None:
        super().__init__(p=p)
        if not (_MIN_SEVERITY < severity <= 10 and width >= 1 and (depth >= 1 or depth == -1) and alpha > 0):
            raise TransformError(
                f"aug_mix takes a severity above {_MIN_SEVERITY} and up to 10, width >= 1, depth >= 1 or -1, and alpha > 0; "
                f"got severity={severity}, width={width}, depth={depth}, alpha={alpha}"
            )
        self.severity, self.width, self.depth, self.alpha = severity, width, depth, alpha

    def get_params(self) -> dict[str, Any]:
        """Draw the shares of the chains and of their mixture, and the key of their operations."""
        generator = self.random_generator
        return {
            "shares": generator.dirichlet([self.alpha] * self.width),
            "mixture": float(generator.beta(self.alpha, self.alpha)),
            "key": int(generator.integers(2**63)),
        }

    def apply(self, img: Image, shares: Any, mixture: float, key: int, **params: Any) -> Image:  # noqa: ARG002
        """Blend an image, uint8 [H, W, C]."""
        if img.dtype != np.uint8:
            raise TransformError(f"AugMix is for uint8 images, got {img.dtype}: let Normalize or ToFloat follow it")
        image = img if img.ndim == 3 else img[..., np.newaxis]
        chain_keys = keys.fold_in(np.uint64(key), np.arange(self.width))
        drawn = self._chain.draw(chain_keys, [image.shape] * self.width)
        blended = (1 - mixture) * image.astype(np.float32)
        for row, share in enumerate(shares):
            chained = self._chain.apply(image, drawn, row)
            blended += np.float32(mixture * share) * chained
        return cast(Image, np.rint(blended).astype(np.uint8).reshape(img.shape))

    @cached_property
    def _chain(self) -> Plan:
        low, high = _MIN_SEVERITY / 10, self.severity / 10

        def make_operation() -> Any:
            return A.OneOf([RANGES.make_operation(name, low, high) for name in _OPERATIONS], p=1.0)

        if self.depth > 0:
            return Plan(A.Compose([make_operation() for _ in range(self.depth)]))
        # From the last on: k operations are certain, and the rest follow so often that all lengths are equally likely.
        chain: list[Any] = []
        for before in reversed(range(_MAX_DEPTH)):
            certain = 1.0 if before == 0 else (_MAX_DEPTH - before) / (_MAX_DEPTH - before + 1)
            chain = [A.Sequential([make_operation(), *chain], p=certain)]
        return Plan(A.Compose(chain))
