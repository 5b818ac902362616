"""Stacking finished samples to the images of one batch."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment.plan.deferred import DeferredImage, materialize_all
from augment.transform import Image
from pipeline.errors import OptionError
from pipeline.images.timer import StageTimer

ElementSpec = tuple[tuple[int | None, int | None, int], np.dtype[Any]]
"""The shape of all images (height, width, channels), with None for a side that may differ, and their dtype."""


class FinishedSample(NamedTuple):
    """An augmented sample; its deferred image is materialized together with others.

    Attributes:
        image: [H, W, C], or a deferred image.
        label: the index of its class.
        key: its key in the source.
        held_bytes: the bytes that a deferred image keeps in memory: all decoded pixels, even if it needs a window only.
    """

    image: Image | DeferredImage
    label: int
    key: str
    held_bytes: int = 0


class ImageStack:
    """The images of a batch, added one by one. Deferred images are materialized together, or when they hold 1 MiB.

    Args:
        images: the memory for them, [B, H, W, C].
        first: the key of the first sample, whose image has determined that shape.
        spec: the shape and dtype of all images.
        timer: times the materialization as augmentation.
    """

    def __init__(self, images: NDArray[Any], first: str, spec: ElementSpec, timer: StageTimer) -> None:
        self._images = images
        self._shape = images.shape[1:] if images.shape[-1] == spec[0][2] else ()  # else no image fits
        self._first = first
        self._spec = spec
        self._timer = timer
        self._count = 0
        self._deferred: list[tuple[DeferredImage, Image]] = []
        self._held_bytes = 0

    def add(self, sample: FinishedSample) -> None:
        """Add the image of a sample.

        Raises:
            OptionError: it differs from the others in size, dtype or channels.
        """
        image = sample.image
        if image.shape != self._shape or image.dtype != self._spec[1]:
            self._raise_mismatch(sample)
        if not isinstance(image, DeferredImage):
            self._images[self._count] = image  # now, while it is in the processor's cache
            self._count += 1
            return
        self._deferred.append((image, self._images[self._count]))
        self._count += 1
        self._held_bytes += sample.held_bytes
        if self._held_bytes > _MOST_HELD_BYTES:
            self._materialize()

    def to_array(self) -> NDArray[Any]:
        """Materialize what is deferred, and return the added images [B, H, W, C]."""
        self._materialize()
        return self._images[: self._count]

    def _materialize(self) -> None:
        if self._deferred:
            with self._timer("augment"):
                materialize_all(self._deferred)
        self._deferred, self._held_bytes = [], 0

    def _raise_mismatch(self, sample: FinishedSample) -> None:
        (*_, channels), dtype = self._spec
        image = sample.image
        if image.dtype != dtype or image.shape[2] != channels:
            raise OptionError(
                f"the augmentation returns images of different kinds: {sample.key} became {image.dtype} with "
                f"{image.shape[2]} channels, an earlier one {dtype} with {channels}; transforms that change "
                "the dtype or the channels need p=1"
            )
        raise OptionError(
            f"images of a batch need one size: {self._first} has {self._shape[:2]}, {sample.key} has "
            f"{image.shape[:2]}; set image_size, end the augmentation with a crop or resize, or use "
            "batch_size=None"
        )


_MOST_HELD_BYTES = 1 << 20
"""More would leave the processor's cache before the images are materialized."""
