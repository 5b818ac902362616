"""Albumentations transforms with a key: the original objects, reproducible and thread-safe.

Albumentations 2.0.8 draws from generators that its transforms own. `Compose(seed=s)` seeds every transform alike, so
that two coin flips have equal outcomes, and an image's result depends on the images before it. Here each transform of a
pipeline gets its own generator per sample, made from the sample's key and the transform's index in the pipeline.
"""

import copy
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.description import describe
from augment.errors import TransformError

Image = NDArray[Any]
"""Pixels [H, W, C], uint8 in 0 to 255 or float32."""


class KeyedTransform:
    """An Albumentations pipeline as a pure function of an image and a key.

    Thread-safe: each thread works on its own deep copy. The given object is never changed.

    Args:
        transform: an `A.Compose` or another composition, a single transform, or a sequence of them.

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
            [H', W', C'], in the dtype of the pipeline's result.

        Raises:
            TransformError: a transform failed on this image.
        """
        return cast(Image, self.apply_to({"image": image}, key)["image"])

    def apply_to(self, data: dict[str, Any], key: keys.Key, *, force_apply: bool = False) -> dict[str, Any]:
        """Augment an image and its other targets.

        Args:
            data: "image" and any other of Albumentations' targets.
            key: the sample's key, shape [].
            force_apply: applies a single transform regardless of its probability.

        Returns:
            The same names, augmented; the image has three dimensions.

        Raises:
            TransformError: a transform failed on this sample.
        """
        transform = self.copy_for_thread()
        # Some transforms write to their input.
        data = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in data.items()}
        nodes = list(_walk_nodes(transform))
        for node, own in zip(nodes, keys.fold_in(key, np.arange(len(nodes))), strict=True):
            node.random_generator, node.py_random = keys.generator(own), keys.python_random(own)
        try:
            augmented: dict[str, Any] = transform(**data, force_apply=force_apply)
        except Exception as error:  # a transform may raise anything
            raise TransformError(f"{type(error).__name__} in {_find_culprit(error)}: {error}") from error
        if augmented["image"].ndim == 2:
            augmented["image"] = augmented["image"][..., np.newaxis]
        return augmented

    def get_last_params(self) -> dict[str, Any]:
        """Return the parameters of a single transform's last run in this thread; {} for compositions."""
        return dict(getattr(self.copy_for_thread(), "params", {}))

    def to_dict(self) -> dict[str, Any]:
        """Describe the pipeline as Albumentations serializes it, with a digest of what that leaves out."""
        return describe(self._transform)

    def __repr__(self) -> str:
        return f"KeyedTransform({self._transform!r})"

    def copy_for_thread(self) -> Any:
        """Return this thread's copy of the transform."""
        if not hasattr(self._copies, "transform"):
            self._copies.transform = copy.deepcopy(self._transform)
        return self._copies.transform


def to_transform(transform: Any) -> Any:
    """Return a transform or composition unmodified, and a list of them as an `A.Compose`.

    Raises:
        TransformError: `transform` is something else.
    """
    import albumentations

    if isinstance(transform, Sequence) and not isinstance(transform, str):
        return albumentations.Compose(list(map(to_transform, transform)))
    if isinstance(transform, (albumentations.BasicTransform, albumentations.BaseCompose)):
        return transform
    raise TransformError(
        f"an augmentation must be an Albumentations transform, a composition, or a list of them, got {transform!r}"
    )


def _find_culprit(error: BaseException) -> str:
    """Return the name of the transform that raised an error."""
    import albumentations

    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    owners = [frame.f_locals.get("self") for frame in frames]
    names = [type(owner).__name__ for owner in owners if isinstance(owner, albumentations.BasicTransform)]
    return names[-1] if names else "the augmentation"


def _walk_nodes(transform: Any) -> Iterator[Any]:
    """Yield every composition and transform of a pipeline, parents first."""
    yield transform
    for child in getattr(transform, "transforms", ()):
        yield from _walk_nodes(child)
