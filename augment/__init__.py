"""Augmentation of images and texts: a pure function of the input and a key.

This package knows arrays, texts and keys, and nothing of files, datasets or TensorFlow.
"""

from augment import keys as keys
from augment import policies as policies
from augment import views as views
from augment.errors import AugmentError as AugmentError
from augment.errors import CaudalError as CaudalError
from augment.errors import TransformError as TransformError
from augment.mixing import CutMix as CutMix
from augment.mixing import MixUp as MixUp
from augment.mixing import Mosaic as Mosaic
from augment.plan.plan import Params as Params
from augment.plan.plan import Plan as Plan
from augment.plan.plan import compile as compile  # noqa: A004  # `augment.compile` says what it does
from augment.policies import policy as policy
from augment.transform import KeyedTransform as KeyedTransform
from augment.transform import load as load

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
    "views",
]


def __getattr__(name: str) -> object:
    """Import what defines Albumentations transforms when it is first asked for: Albumentations takes seconds."""
    if name == "ReplaceBackground":
        from augment.backgrounds import ReplaceBackground

        return ReplaceBackground
    raise AttributeError(f"module 'augment' has no attribute {name!r}")
