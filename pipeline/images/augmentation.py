"""The interface of an augmentation: draw the parameters of a batch, name the window that it needs, apply."""

from collections.abc import Sequence
from typing import Any, Protocol

from augment import keys
from augment.plan.deferred import DeferredImage, materialize
from augment.plan.window import Window
from augment.transform import Image


class Augmentation(Protocol):
    """A pure function of images and keys, such as `augment.Plan`. Any number of threads may use it."""

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Any:
        """Draw the parameters of a batch from the samples' keys, uint64 [N], and the images' (height, width)."""
        ...

    def window(self, params: Any, row: int) -> Window | None:
        """Return the part of an image that one sample needs; None if it needs the whole."""
        ...

    def apply(self, image: Image, params: Any, row: int, window: Window | None = None) -> Image:
        """Augment one image [H, W, C], or the requested window of it."""
        ...

    def apply_deferred(
        self, image: Image | DeferredImage, params: Any, row: int, window: Window | None = None
    ) -> Image | DeferredImage:
        """Augment one image as `apply`, or defer that; `augment.plan.deferred.materialize_all` computes many."""
        return self.apply(materialize(image), params, row, window)
