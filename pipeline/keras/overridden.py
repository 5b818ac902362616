"""Call the methods that a subclass of `ImageDataGenerator` overrides, per image, as Keras does.

Keras's iterators call the generator's `get_random_transform`, `apply_transform` and `standardize` for each image. Users
override them to add a crop, a cut-out, or another normalization.
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
from pipeline.keras.normalizer import Normalizer
from pipeline.keras.transform import FlowTransform


@dataclass(frozen=True)
class OverriddenTransform(FlowTransform):
    """A generator's own methods as an augmentation.

    Attributes:
        get: called as `get_random_transform(img_shape)`, with a `seed` below 2^32 if it takes one.
        transform: called as `apply_transform(x, transform_parameters)` with a float32 image, as in Keras.
        channels: number of channels of the images.
        channels_first: whether the methods get images [C, H, W].
    """

    get: Callable[..., Mapping[str, Any]]
    transform: Callable[[NDArray[Any], Mapping[str, Any]], NDArray[Any]]
    channels: int
    channels_first: bool

    @property
    def yields_float(self) -> bool:
        """True: the methods get and return float32."""
        return True

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> list[Mapping[str, Any]]:
        """Call the generator's draw for each image; see `RandomTransform.draw`."""
        seeds = (sample_keys % np.uint64(2**32)).tolist()
        return [
            self.get(self._shape(*shape[:2]), **({"seed": seed} if self._takes_seed else {}))
            for seed, shape in zip(seeds, shapes, strict=True)
        ]

    def window(self, params: list[Mapping[str, Any]], row: int) -> Window | None:  # noqa: ARG002
        """Return None: the whole image is needed."""
        return None

    def apply(self, image: Image, params: list[Mapping[str, Any]], row: int, window: Window | None = None) -> Image:  # noqa: ARG002
        """Transform one image by the generator's method: float32 [H, W, C]."""
        x = np.ascontiguousarray(np.moveaxis(image, -1, 0) if self.channels_first else image, np.float32)
        x = x.copy() if x is image else x  # the method may write to it
        shape = x.shape
        transformed = np.asarray(self.transform(x, params[row]), np.float32)
        if transformed.shape != shape:
            raise OptionError(
                f"`apply_transform` must keep the image shape {shape}, got {transformed.shape}; resize to that shape"
            )
        return np.ascontiguousarray(np.moveaxis(transformed, 0, -1)) if self.channels_first else transformed

    def _shape(self, height: int, width: int) -> tuple[int, int, int]:
        return (self.channels, height, width) if self.channels_first else (height, width, self.channels)

    @property
    def _takes_seed(self) -> bool:
        parameters = inspect.signature(self.get).parameters.values()
        return any(parameter.name == "seed" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


@dataclass(frozen=True, eq=False, kw_only=True)
class OverriddenNormalizer(Normalizer):
    """Normalizes by a generator's own `standardize`.

    Attributes:
        own: called with a floating-point image in the axis order of `data_format`; returns one of the same shape.
    """

    own: Callable[[NDArray[Any]], NDArray[Any]]

    def batch(self, images: NDArray[Any]) -> NDArray[Any]:
        """Normalize a batch, image by image; see `Normalizer.batch`."""
        finished = self._move_channels(images).astype(self._working)
        for row in range(len(finished)):
            finished[row] = self.own(finished[row])
        return finished.astype(self.dtype, copy=False)
