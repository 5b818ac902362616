"""What a plan does, as a hash: a copy that another process has built must have the same.

The contents of the transforms, attribute by attribute, are compared, and what they do to a few images: the parameters
that are drawn, and the pixels. So a copy is refused if its module, a class attribute or a global variable differs, and
also a transform that reads a global random generator, whose pixels no key reproduces.
"""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from augment import contents, keys
from augment.errors import TransformError
from augment.plan.params import Params
from augment.transform import Image

_SIZES = ((48, 64), (48, 64), (300, 260))
"""(height, width) of the images: small ones are fast, and the last one is larger than most crops."""


class Witness(NamedTuple):
    """What a plan does.

    Attributes:
        contents: digest of the transform's attributes.
        params: digest of the parameters that it draws for some keys.
        pixels: digest of the images that it makes with them, and of those that each leaf alone makes.
    """

    contents: str
    params: str
    pixels: str

    def describe_difference(self, other: "Witness") -> str:
        """Say what differs first; "" if nothing does."""
        words = ("has other attributes", "draws other parameters", "makes other pixels")
        return next((word for word, one, two in zip(words, self, other, strict=True) if one != two), "")


class _Plan(Protocol):
    transform: Any
    leaves: list[Any]

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Params: ...

    def sample_single_leaf(self, seed: int, epoch: int, index: int, shape: Sequence[int], leaf_index: int) -> Params: ...

    def apply(self, image: Image, params: Params, row: int) -> Image: ...


def observe(plan: _Plan) -> Witness:
    """Observe what a plan does to a few images."""
    pixels = hashlib.sha256()
    images = [_make_image(number, *size) for number, size in enumerate(_SIZES)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an image that is not what a transform is best at
        params = plan.draw(keys.fold_in(keys.root(0), "witness", np.arange(len(images))), _SIZES)
        drawn = contents.read(params).digest
        for row, image in enumerate(images):
            pixels.update(_hash_result(lambda image=image, row=row: plan.apply(image, params, row)))
        for leaf_index in range(len(plan.leaves)):
            pixels.update(_hash_result(lambda leaf_index=leaf_index: _apply_leaf(plan, images[0], leaf_index)))
    return Witness(contents.read(plan.transform).digest, drawn, pixels.hexdigest())


def _apply_leaf(plan: _Plan, image: Image, leaf_index: int) -> Image:
    return plan.apply(image, plan.sample_single_leaf(0, 0, leaf_index, image.shape, leaf_index), 0)


def _hash_result(make: Callable[[], Image]) -> bytes:
    """Hash an image; a crop that is larger than the image is an error, here and there."""
    try:
        image = make()
    except TransformError as error:
        return type(error.__cause__).__name__.encode()
    return f"{image.dtype} {image.shape}".encode() + hashlib.sha256(np.ascontiguousarray(image)).digest()


def _make_image(number: int, height: int, width: int) -> Image:
    """Make a picture [H, W, 3] with smooth parts and noise."""
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows * 3, columns * 2, rows + columns], axis=2)
    noise = keys.generator(keys.fold_in(keys.root(number), "witness")).integers(0, 48, smooth.shape)
    return (smooth + noise).astype(np.uint8)
