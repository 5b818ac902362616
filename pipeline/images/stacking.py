"""Stacking: finished samples become the images of one batch."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment.plan.deferred import DeferredImage, materialize_all
from augment.transform import Image
from pipeline.errors import OptionError
from pipeline.images.timer import StageTimer

ElementSpec = tuple[tuple[int | None, int | None, int], np.dtype[Any]]
"""The shape of all images (height, width, channels), None for a side that may differ, and their dtype."""


class FinishedSample(NamedTuple):
    """A sample on which only work remains that is done for several images at once.

    Attributes:
        image: [H, W, C], or the draft of it.
        label: the number of its class.
        key: its name in the source.
        held_bytes: the bytes that a draft keeps in memory: all that was decoded, though it may need a window of that.
    """

    image: Image | DeferredImage
    label: int
    key: str
    held_bytes: int = 0


class ImageStack:
    """The images of a batch, added one by one. Drafts wait to be made together, until they hold too many bytes.

    Args:
        images: the memory for them, [B, H, W, C].
        first: the key of the first sample, which has given that memory its shape.
        spec: of all images.
        timer: is told what is augmentation.
    """

    def __init__(self, images: NDArray[Any], first: str, spec: ElementSpec, timer: StageTimer) -> None:
        self._images = images
        self._first = first
        self._spec = spec
        self._timer = timer
        self._count = 0
        self._drafts: list[tuple[DeferredImage, Image]] = []
        self._held_bytes = 0

    def add(self, sample: FinishedSample) -> None:
        """Add the image of a sample.

        Raises:
            OptionError: it has another size or kind than the others.
        """
        self._check(sample)
        target = self._images[self._count]
        self._count += 1
        if not isinstance(sample.image, DeferredImage):
            target[...] = sample.image  # at once: it is in the processor's cache now
            return
        self._drafts.append((sample.image, target))
        self._held_bytes += sample.held_bytes
        if self._held_bytes > _MOST_HELD_BYTES:
            self._make_drafts()

    def stacked(self) -> NDArray[Any]:
        """Make what still waits; return the images [B, H, W, C] that were added."""
        self._make_drafts()
        return self._images[: self._count]

    def _make_drafts(self) -> None:
        if self._drafts:
            with self._timer("augment"):
                materialize_all(self._drafts)
        self._drafts, self._held_bytes = [], 0

    def _check(self, sample: FinishedSample) -> None:
        (*_, channels), dtype = self._spec
        image = sample.image
        if image.dtype != dtype or image.shape[2] != channels:
            raise OptionError(
                f"the augmentation gives images of different kinds: {sample.key} became {image.dtype} with "
                f"{image.shape[2]} channels, an earlier one {dtype} with {channels}. Transforms that change "
                "the dtype or the channels need p=1."
            )
        if image.shape != self._images.shape[1:]:
            raise OptionError(
                f"images of a batch need one size: {self._first} has {self._images.shape[1:3]}, {sample.key} has "
                f"{image.shape[:2]}. Give image_size, end the augmentation with a crop or resize, or use "
                "batch_size=None."
            )


_MOST_HELD_BYTES = 1 << 20
"""More would leave the processor's cache before the images are made."""
