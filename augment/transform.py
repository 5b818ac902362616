"""Albumentations transforms with a key: the original objects, made reproducible and safe for many threads.

Albumentations 2.0.8 draws from generators that its transforms own. `Compose(seed=s)` gives every transform the same
generator seed, so that two coin flips fall alike, and what one image gets depends on how many came before. Here each
transform of a pipeline gets a generator of its own for each sample, made from the sample's key and the transform's
place.
"""

import copy
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import TransformError

Image = NDArray[Any]
"""Pixels [H, W, C], uint8 in 0 to 255 or float32."""

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks a server for its newest version otherwise


class KeyedTransform:
    """An Albumentations pipeline as a pure function of an image and a key.

    Safe to call from any number of threads: each works on its own deep copy. The object given is never changed.

    Args:
        transform: an `A.Compose` or other composition, a single transform, or a sequence of them.

    Raises:
        TransformError: `transform` is something else.
    """

    def __init__(self, transform: Any) -> None:
        self._transform = _composed(transform)
        self._copies = threading.local()

    def __call__(self, image: Image, key: keys.Key) -> Image:
        """Augment one image.

        Args:
            image: [H, W, C]; it is not written to.
            key: the sample's key, shape [].

        Returns:
            [H', W', C'], of the dtype that the pipeline yields.

        Raises:
            TransformError: a transform failed on this image.
        """
        transform = self._own_copy()
        nodes = list(_nodes(transform))
        for node, own in zip(nodes, keys.fold_in(key, np.arange(len(nodes))), strict=True):
            node.random_generator, node.py_random = keys.generator(own), keys.python_random(own)
        try:
            augmented = transform(image=image)["image"]
        except Exception as error:  # a transform may raise anything at all
            raise TransformError(f"{type(error).__name__} in the augmentation: {error}") from error
        if augmented.ndim == 2:
            augmented = augmented[..., np.newaxis]
        return cast(Image, augmented)

    def to_dict(self) -> dict[str, Any]:
        """Describe the pipeline as Albumentations serialises it, or by its repr where it cannot be serialised."""
        try:
            return cast(dict[str, Any], self._transform.to_dict())
        except Exception:  # Albumentations raises different errors for what it cannot serialise (Lambda, own classes)
            return {"repr": repr(self._transform)}

    def __repr__(self) -> str:
        return f"KeyedTransform({self._transform!r})"

    def _own_copy(self) -> Any:
        if not hasattr(self._copies, "transform"):
            self._copies.transform = copy.deepcopy(self._transform)
        return self._copies.transform


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `albumentations.save` wrote.

    Args:
        path: a JSON or YAML file, told apart by its extension.

    Raises:
        TransformError: the file cannot be read, or holds no Albumentations transform.
    """
    import albumentations

    name = os.fspath(path)
    data_format = "yaml" if name.endswith((".yaml", ".yml")) else "json"
    try:
        return albumentations.load(name, data_format=cast(Any, data_format))
    except Exception as error:  # whatever stands in the file, it is the user's to mend
        raise TransformError(
            f"{name} holds no transform ({type(error).__name__}: {error}); write one with "
            f"albumentations.save(transform, path, data_format={data_format!r})"
        ) from error


def _composed(transform: Any) -> Any:
    import albumentations

    if isinstance(transform, Sequence) and not isinstance(transform, str):
        return albumentations.Compose(list(map(_composed, transform)))
    if isinstance(transform, (albumentations.BasicTransform, albumentations.BaseCompose)):
        return transform
    raise TransformError(
        f"an augmentation must be an Albumentations transform, a composition, or a list of them, got {transform!r}"
    )


def _nodes(transform: Any) -> Iterator[Any]:
    """Walk a pipeline: every composition and transform in it, parents first."""
    yield transform
    for child in getattr(transform, "transforms", ()):
        yield from _nodes(child)
