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

SIZES = ((48, 64), (300, 260))
"""(height, width) of the images: the small ones are fast, and the large one is for crops that reject them."""

_SAMPLES = 3


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

    def sample_single_leaf(
        self, seed: int, epoch: int, index: int, shape: Sequence[int], leaf_index: int
    ) -> Params: ...

    def apply(self, image: Image, params: Params, row: int) -> Image: ...


def observe(plan: _Plan) -> Witness:
    """Observe what a plan does to a few images."""
    images = [make_image(*size) for size in SIZES]
    pixels = hashlib.sha256()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an image that is not what a transform is best at
        sample_keys = keys.fold_in(keys.root(0), "witness", np.arange(_SAMPLES))
        drawn = [plan.draw(sample_keys, [size] * _SAMPLES) for size in SIZES]
        params = contents.read(drawn).digest
        for row in range(_SAMPLES):
            pixels.update(_hash_first(plan.apply, [(*pair, row) for pair in zip(images, drawn, strict=True)]))
        for leaf_index in range(len(plan.leaves)):
            single = [plan.sample_single_leaf(0, 0, leaf_index, size, leaf_index) for size in SIZES]
            pixels.update(_hash_first(plan.apply, [(*pair, 0) for pair in zip(images, single, strict=True)]))
    return Witness(contents.read(plan.transform).digest, params, pixels.hexdigest())


def _hash_first(apply: Callable[..., Image], attempts: Sequence[tuple[Any, ...]]) -> bytes:
    """Hash the first image that can be augmented, and the errors before it: a crop may reject a small image."""
    found = b""
    for arguments in attempts:
        try:
            image = apply(*arguments)
        except TransformError as error:
            found += type(error.__cause__).__name__.encode()
        else:
            return found + f"{image.dtype} {image.shape}".encode() + hashlib.sha256(image.tobytes()).digest()
    return found


def make_image(height: int, width: int) -> Image:
    """Make a picture [H, W, 3] with smooth parts and noise."""
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows * 3, columns * 2, rows + columns], axis=2)
    noise = keys.generator(keys.fold_in(keys.root(0), "witness", height)).integers(0, 48, smooth.shape)
    return (smooth + noise).astype(np.uint8)
