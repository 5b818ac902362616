"""What `flow*` do where a subclass of `ImageDataGenerator` has methods of its own: call them, image by image, as Keras.

Keras's iterators call `get_random_transform`, `apply_transform` and `standardize` of the generator for each image, so
that people override one of them: to add a crop, a cut-out, or another normalization. The plan knows nothing of that.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.plan.window import Window
from augment.transform import Image
from pipeline.errors import OptionError
from pipeline.images.augmentation import Augmentation
from pipeline.keras.normalizer import Normalizer


@dataclass(frozen=True)
class OverriddenTransform(Augmentation):
    """A generator's own methods as an augmentation.

    Attributes:
        get: called as `get_random_transform(img_shape)`, with a `seed` below 2^32 where it takes one.
        transform: called as `apply_transform(x, transform_parameters)` with float32, as in Keras.
        channels: of the images.
        channels_first: whether the methods see images [C, H, W].
    """

    get: Callable[..., Mapping[str, Any]]
    transform: Callable[[NDArray[Any], Mapping[str, Any]], NDArray[Any]]
    channels: int
    channels_first: bool

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> list[Mapping[str, Any]]:
        """Let the generator draw for each image; see `RandomTransform.draw`."""
        seeds = (sample_keys % np.uint64(2**32)).tolist()
        return [
            self.get(self._shape(*shape[:2]), **({"seed": seed} if self._takes_seed else {}))
            for seed, shape in zip(seeds, shapes, strict=True)
        ]

    def window(self, params: list[Mapping[str, Any]], row: int) -> Window | None:  # noqa: ARG002  # it needs all
        """Say that the whole image is needed."""
        return None

    def apply(self, image: Image, params: list[Mapping[str, Any]], row: int, window: Window | None = None) -> Image:  # noqa: ARG002
        """Let the generator transform one image: float32 [H, W, C]."""
        given = np.ascontiguousarray(np.moveaxis(image, -1, 0) if self.channels_first else image, np.float32)
        given = given.copy() if given is image else given  # it may be written to
        transformed = np.asarray(self.transform(given, params[row]), np.float32)
        if transformed.shape != given.shape:
            raise OptionError(
                f"apply_transform must keep the shape of the image: it made {transformed.shape} of {given.shape}"
            )
        return np.ascontiguousarray(np.moveaxis(transformed, 0, -1)) if self.channels_first else transformed

    def _shape(self, height: int, width: int) -> tuple[int, int, int]:
        return (self.channels, height, width) if self.channels_first else (height, width, self.channels)

    @property
    def _takes_seed(self) -> bool:
        parameters = inspect.signature(self.get).parameters.values()
        return any(one.name == "seed" or one.kind is one.VAR_KEYWORD for one in parameters)


@dataclass(frozen=True, eq=False, kw_only=True)
class OverriddenNormalizer(Normalizer):
    """Normalizes by a generator's own `standardize`.

    Attributes:
        own: called with an image of floating point, as `data_format` says; gives one of the same shape.
    """

    own: Callable[[NDArray[Any]], NDArray[Any]]

    def batch(self, images: NDArray[Any]) -> NDArray[Any]:
        """Normalize a batch, each image by itself; see `Normalizer.batch`."""
        finished = self._move_channels(images).astype(self._working)
        for row in range(len(finished)):
            finished[row] = self.own(finished[row])
        return finished.astype(self.dtype, copy=False)
