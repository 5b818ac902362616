"""Transforms and functions as users write them, in a module that other processes can import."""

import random
from dataclasses import dataclass
from enum import Enum
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np

from augment.mixing import Mixer

OFFSET = 3


class Mode(Enum):
    """A choice."""

    ADD = 1
    SUBTRACT = 2


@dataclass(frozen=True)
class Settings:
    """Some settings."""

    levels: tuple[int, ...] = (1, 2)
    mode: Mode = Mode.ADD


class Shift(A.ImageOnlyTransform):
    """Adds levels, and keeps its argument under another name, so that Albumentations' description loses it."""

    scale = 1

    def __init__(self, levels: Any = 5, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.own = levels

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:  # noqa: ARG002
        """Add the levels."""
        levels = self.own if isinstance(self.own, int) else 1
        return img + np.uint8(levels * self.scale)


class Forgetful(Shift):
    """Loses its argument when it is pickled, and not when it is copied for a thread."""

    def __reduce__(self) -> Any:
        return Forgetful, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Forgetful":
        return Forgetful(self.own)


class Global(Shift):
    """Draws from the global generator, so that no key reproduces its pixels."""

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:  # noqa: ARG002
        """Add a random level."""
        return img + np.uint8(random.randrange(200))  # noqa: S311


class Reverse(Mixer):
    """A mixer of a user, without fields."""

    def mix(self, images: Any, key: Any) -> tuple[Any, Any]:  # noqa: ARG002
        """Reverse the batch."""
        return images[::-1].copy(), np.eye(len(images))[::-1]


def darken(image: np.ndarray, **params: Any) -> np.ndarray:  # noqa: ARG001
    """Lower all levels."""
    return image // 2 + np.uint8(OFFSET)


def make_pipeline() -> Any:
    """Make a pipeline of all that Albumentations describes incompletely, or not at all."""
    boxes = A.BboxParams("pascal_voc", label_fields=["labels"], filter_invalid_bboxes=True)
    return A.Compose(
        [
            A.SelectiveChannelTransform([A.GaussNoise(p=1)], channels=(0, 1)),
            A.OneOf([Shift(9), Shift({"b", "a", "c"}), A.ReplayCompose([Shift(2), A.Blur()], save_key="own")]),
            A.Lambda(image=darken, name="darken", p=0.7),
            A.Compose([A.Rotate(p=1), A.SomeOf([A.VerticalFlip(), A.Blur(p=1)], n=2, replace=True)], bbox_params=boxes),
            A.RandomOrder([Shift(np.arange(2000)), A.OneOrOther(A.Transpose(p=1), Shift(Settings()), p=0.3)], n=2),
        ],
        additional_targets={"second": "image"},
        mask_interpolation=0,
        seed=3,
    )
