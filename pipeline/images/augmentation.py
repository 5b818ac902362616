"""What the stages ask of an augmentation: draw for a batch, say what is needed of an image, apply."""

from collections.abc import Sequence
from typing import Any, Protocol

from augment import keys
from augment.plan.deferred import DeferredImage
from augment.plan.window import Window
from augment.transform import Image


class Augmentation(Protocol):
    """A pure function of images and keys; `augment.Plan` is one. Safe to use from any number of threads."""

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Any:
        """Draw the parameters of a batch from the samples' keys, uint64 [N], and the images' (height, width)."""
        ...

    def window(self, params: Any, row: int) -> Window | None:
        """Say which part of an image one sample needs; None where it needs the whole."""
        ...

    def apply(self, image: Image, params: Any, row: int, window: Window | None = None) -> Image:
        """Augment one image [H, W, C], or the window of it that was asked for."""
        ...

    def apply_deferred(
        self, image: Image, params: Any, row: int, window: Window | None = None
    ) -> Image | DeferredImage:
        """Augment one image as `apply`, or leave it to be made with others (`augment.plan.deferred.materialize_all`)."""
        return self.apply(image, params, row, window)
