"""Albumentations transforms with a key: the original objects, made reproducible and safe for many threads.

Albumentations 2.0.8 draws from generators that its transforms own. `Compose(seed=s)` gives every transform the same
generator seed, so that two coin flips fall alike, and what one image gets depends on how many came before. Here each
transform of a pipeline gets a generator of its own for each sample, made from the sample's key and the transform's
place.
"""

import copy
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import TransformError

Image = NDArray[Any]
"""Pixels [H, W, C], uint8 in 0 to 255 or float32."""


class KeyedTransform:
    """An Albumentations pipeline as a pure function of an image and a key.

    Safe to call from any number of threads: each works on its own deep copy. The object given is never changed.

    Args:
        transform: an `A.Compose` or other composition, a single transform, or a sequence of them.

    Raises:
        TransformError: `transform` is something else.
    """

    def __init__(self, transform: Any) -> None:
        self._transform = to_transform(transform)
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
        return cast(Image, self.apply_to({"image": image}, key)["image"])

    def apply_to(self, data: dict[str, Any], key: keys.Key, *, force_apply: bool = False) -> dict[str, Any]:
        """Augment an image and what belongs to it.

        Args:
            data: "image" and any other of Albumentations' targets.
            key: the sample's key, shape [].
            force_apply: applies a single transform whatever its own probability.

        Returns:
            The same names, augmented; the image has three dimensions.

        Raises:
            TransformError: a transform failed on this sample.
        """
        transform = self._get_thread_copy()
        # Some transforms write to what they are given.
        data = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in data.items()}
        nodes = list(_walk_nodes(transform))
        for node, own in zip(nodes, keys.fold_in(key, np.arange(len(nodes))), strict=True):
            node.random_generator, node.py_random = keys.generator(own), keys.python_random(own)
        try:
            augmented: dict[str, Any] = transform(**data, force_apply=force_apply)
        except Exception as error:  # a transform may raise anything at all
            raise TransformError(f"{type(error).__name__} in {_find_culprit(error)}: {error}") from error
        if augmented["image"].ndim == 2:
            augmented["image"] = augmented["image"][..., np.newaxis]
        return augmented

    def get_last_params(self) -> dict[str, Any]:
        """Give the parameters that a single transform drew when it ran last in this thread; {} for compositions."""
        return dict(getattr(self._get_thread_copy(), "params", {}))

    def to_dict(self) -> dict[str, Any]:
        """Describe the pipeline as Albumentations serialises it, or by its repr where it cannot be serialised."""
        try:
            return cast(dict[str, Any], self._transform.to_dict())
        except Exception:  # Albumentations raises different errors for what it cannot serialise (Lambda, own classes)
            return {"repr": ", ".join(map(_describe_node, _walk_nodes(self._transform)))}

    def __repr__(self) -> str:
        return f"KeyedTransform({self._transform!r})"

    def _get_thread_copy(self) -> Any:
        if not hasattr(self._copies, "transform"):
            self._copies.transform = copy.deepcopy(self._transform)
        return self._copies.transform


def to_transform(transform: Any) -> Any:
    """Give a transform or composition as it is, and a list of them as an `A.Compose`.

    Raises:
        TransformError: it is something else.
    """
    import albumentations

    if isinstance(transform, Sequence) and not isinstance(transform, str):
        return albumentations.Compose(list(map(to_transform, transform)))
    if isinstance(transform, (albumentations.BasicTransform, albumentations.BaseCompose)):
        return transform
    raise TransformError(
        f"an augmentation must be an Albumentations transform, a composition, or a list of them, got {transform!r}"
    )


def _describe_node(node: Any) -> str:
    try:
        return repr(node)
    except Exception:  # the repr of a transform that cannot be serialised raises as well
        return f"{type(node).__name__}(p={node.p})"


def _find_culprit(error: BaseException) -> str:
    """Name the transform in which an error arose."""
    import albumentations

    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    owners = [frame.f_locals.get("self") for frame in frames]
    names = [type(owner).__name__ for owner in owners if isinstance(owner, albumentations.BasicTransform)]
    return names[-1] if names else "the augmentation"


def _walk_nodes(transform: Any) -> Iterator[Any]:
    """Walk a pipeline: every composition and transform in it, parents first."""
    yield transform
    for child in getattr(transform, "transforms", ()):
        yield from _walk_nodes(child)
