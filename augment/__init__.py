"""Augmentation of images and texts: a pure function of the input and a key.

This package handles arrays, texts and keys. It does not depend on datasets or TensorFlow.
"""

import os
from typing import TYPE_CHECKING

from augment.lazy import make_getattr

if TYPE_CHECKING:
    from augment import keys as keys
    from augment import policies as policies
    from augment import text as text
    from augment import views as views
    from augment.backgrounds import ReplaceBackground as ReplaceBackground
    from augment.errors import AugmentError as AugmentError
    from augment.errors import CaudalError as CaudalError
    from augment.errors import TransformError as TransformError
    from augment.mixing import CutMix as CutMix
    from augment.mixing import MixUp as MixUp
    from augment.mixing import Mosaic as Mosaic
    from augment.plan.params import Params as Params
    from augment.plan.plan import Plan as Plan
    from augment.plan.plan import compile as compile  # noqa: A004  # public as `augment.compile`
    from augment.policies import policy as policy
    from augment.serialization import load as load
    from augment.transform import KeyedTransform as KeyedTransform

__all__ = [
    "AugmentError",
    "CaudalError",
    "CutMix",
    "KeyedTransform",
    "MixUp",
    "Mosaic",
    "Params",
    "Plan",
    "ReplaceBackground",
    "TransformError",
    "compile",
    "keys",
    "load",
    "policies",
    "policy",
    "text",
    "views",
]

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise Albumentations asks a server for its newest version

__getattr__ = make_getattr(
    __name__,
    {
        "AugmentError": "augment.errors",
        "CaudalError": "augment.errors",
        "CutMix": "augment.mixing",
        "KeyedTransform": "augment.transform",
        "MixUp": "augment.mixing",
        "Mosaic": "augment.mixing",
        "Params": "augment.plan.params",
        "Plan": "augment.plan.plan",
        "ReplaceBackground": "augment.backgrounds",  # imports Albumentations: seconds
        "TransformError": "augment.errors",
        "compile": "augment.plan.plan",
        "keys": "augment.keys",
        "load": "augment.serialization",
        "policies": "augment.policies",
        "policy": "augment.policies",
        "text": "augment.text",
        "views": "augment.views",
    },
)


def __dir__() -> list[str]:
    return __all__
