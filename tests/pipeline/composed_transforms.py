"""Random compositions of transforms, three deep: of all classes, with users' own transforms and functions."""

import random
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np

from augment.transform import Image


class Multiply(A.ImageOnlyTransform):
    """A user's transform that keeps its arguments under other names and draws a number of its own."""

    def __init__(self, number: int = 1, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.own_number = number

    def get_params(self) -> dict[str, Any]:
        """Draw a summand."""
        return {"summand": self.py_random.randint(0, 9)}

    def apply(self, img: Image, summand: int, **params: Any) -> Image:  # noqa: ARG002
        """Map each level."""
        return ((img.astype(int) * 3 + self.own_number + summand) % 251).astype(np.uint8)


class Shrink(A.ImageOnlyTransform):
    """A user's transform that changes the size, which nothing announces."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Drop a row."""
        return np.ascontiguousarray(img[1:])


def invert(image: Image, **params: Any) -> Image:  # noqa: ARG001
    """Invert the levels."""
    return 255 - image


def make_shift(levels: int) -> Callable[..., Image]:
    """Return a function that adds some levels, which it remembers."""
    return lambda image, **_: ((image.astype(int) + levels) % 256).astype(np.uint8)


def draw_leaf(rng: random.Random) -> Any:
    """Draw a transform: with a kernel, without one, or a user's."""
    p = rng.choice([1.0, 0.5, 0.3])
    return rng.choice(
        [
            lambda: A.HorizontalFlip(p=p),
            lambda: A.Transpose(p=p),
            lambda: A.Affine(rotate=rng.randint(5, 60), p=p),
            lambda: A.RandomCrop(10, 9, pad_if_needed=True, p=p),
            lambda: A.RandomGamma((80, 150), p=p),
            lambda: A.HueSaturationValue(p=p),
            lambda: A.RandomBrightnessContrast(brightness_by_max=False, p=p),
            lambda: A.CoarseDropout(num_holes_range=(1, 2), p=p),
            lambda: A.GaussNoise(p=p),
            lambda: A.Blur(blur_limit=(3, 5), p=p),
            lambda: A.ElasticTransform(p=p),
            lambda: A.CropAndPad(px=(-2, 2), keep_size=False, fill=(1, 2, 3), p=p),
            lambda: A.Posterize(num_bits=[(2, 3), (4, 5), (1, 7)], p=p),
            lambda: A.ChannelShuffle(p=p),
            lambda: Multiply(rng.randint(2, 9), p=p),
            lambda: Shrink(p=p),
            lambda: A.Lambda(name="invert", image=invert, p=p),
            lambda: A.Lambda(image=make_shift(rng.randint(1, 99)), p=p),
        ]
    )()


def draw_composition(rng: random.Random, depth: int = 3) -> Any:
    """Draw a composition, or a transform at the bottom."""
    if depth == 0 or (depth < 3 and rng.random() < 0.3):
        return draw_leaf(rng)
    p = rng.choice([1.0, 0.8, 0.5])
    if depth < 3 and rng.random() < 0.1:
        leaves = [Multiply(rng.randint(2, 9)), A.RandomGamma(p=1)]
        return A.SelectiveChannelTransform(leaves, channels=rng.choice([(0, 1), (0, 2), (1, 2)]), p=p)
    parts = [draw_composition(rng, depth - 1) for _ in range(rng.randint(2, 3))]
    count, replace = rng.randint(1, 3), rng.random() < 0.4
    return rng.choice(
        [
            lambda: A.Compose(parts, p=p),
            lambda: A.Sequential(parts, p=p),
            lambda: A.OneOf(parts, p=p),
            lambda: A.OneOrOther(parts[0], parts[1], p=p),
            lambda: A.SomeOf(parts, n=count, replace=replace, p=p),
            lambda: A.RandomOrder(parts, n=count, replace=replace, p=p),
            lambda: A.ReplayCompose(parts, p=p),
        ]
    )()
