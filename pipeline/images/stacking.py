"""Stacking finished samples to the images of one batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment.plan.deferred import DeferredImage, materialize_all
from augment.transform import Image
from pipeline.errors import DecodeError, OptionError, SampleError
from pipeline.images.timer import StageTimer

ElementSpec = tuple[tuple[int | None, int | None, int], np.dtype[Any]]
"""The shape of all images (height, width, channels), with None for a side that may differ, and their dtype."""


class FinishedSample(NamedTuple):
    """An augmented sample.

    Attributes:
        image: [H, W, C], or a deferred image, which `materialize_samples` computes.
        label: the index of its class.
        key: its key in the source.
        held_bytes: the bytes that a deferred image keeps in memory: those of the encoded image, or all decoded pixels,
            even if it needs a window only.
    """

    image: Image | DeferredImage
    label: int
    key: str
    held_bytes: int = 0


Reserve = Callable[[int, tuple[int, int, int], np.dtype[Any]], Image]
"""Returns memory for the image of a sample, by the number of samples before it that have not been added, its shape and
its dtype."""


def allocate(ahead: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Image:  # noqa: ARG001  # a `Reserve`
    """Return memory of its own for the image of a sample."""
    return np.empty(shape, dtype)


def materialize_samples(
    finished: Iterable[FinishedSample | SampleError], reserve: Reserve, timer: StageTimer
) -> Iterator[FinishedSample | SampleError]:
    """Yield samples in order, with their images computed; a sample that cannot be decoded becomes its error.

    Deferred images are computed together: one call of the compiled kernels for those that hold 1 MiB.

    Args:
        finished: the samples.
        reserve: returns the memory for their images.
        timer: times the computation as augmentation.
    """
    waiting: list[FinishedSample | SampleError] = []
    held_bytes = 0
    for item in finished:
        is_deferred = isinstance(item, FinishedSample) and isinstance(item.image, DeferredImage)
        if not is_deferred and not waiting:
            yield item  # now, while it is in the processor's cache
            continue
        waiting.append(item)
        held_bytes += 0 if isinstance(item, SampleError) else item.held_bytes
        if held_bytes > _MOST_HELD_BYTES:
            yield from _materialize(waiting, reserve, timer)
            waiting, held_bytes = [], 0
    yield from _materialize(waiting, reserve, timer)


def _materialize(
    waiting: list[FinishedSample | SampleError], reserve: Reserve, timer: StageTimer
) -> list[FinishedSample | SampleError]:
    works: list[tuple[DeferredImage, Image]] = []
    numbers = []
    for number, item in enumerate(waiting):
        if isinstance(item, FinishedSample) and isinstance(image := item.image, DeferredImage):
            works.append((image, reserve(number, image.shape, image.dtype)))
            numbers.append(number)
    if not works:
        return waiting
    with timer("augment"):
        errors = materialize_all(works)
    for at, number in enumerate(numbers):
        item = waiting[number]
        assert isinstance(item, FinishedSample)  # noqa: S101  # for the type checker
        error = errors.get(at)
        waiting[number] = item._replace(image=works[at][1]) if error is None else DecodeError(item.key, str(error))
    return waiting


_MOST_HELD_BYTES = 1 << 20
"""More would leave the processor's cache before the images are computed."""


class ImageStack:
    """The images of a batch, added one by one.

    The first that is added determines the size of all; one that is reserved may turn out to be damaged.

    Args:
        most: the maximum number of images.
        get_spec: returns the shape and dtype of all images.
        empty: allocates the memory.
    """

    def __init__(
        self,
        most: int,
        get_spec: Callable[[], ElementSpec],
        empty: Callable[[Sequence[int], np.dtype[Any]], NDArray[Any]],
    ) -> None:
        self._most = most
        self._get_spec = get_spec
        self._empty = empty
        self._images: NDArray[Any] | None = None
        self._rows: list[Image] = []
        self._first = ""
        self._count = 0

    def reserve(self, ahead: int, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Image:
        """Return the memory of the image that is `ahead` places behind those that were added; see `Reserve`."""
        if self._images is None and None in self._get_spec()[0]:
            return np.empty(shape, dtype)
        self._start(shape)
        row = self._rows[self._count + ahead]
        return row if row.shape == shape and row.dtype == dtype else np.empty(shape, dtype)

    def add(self, sample: FinishedSample) -> None:
        """Add the image of a sample, which is not deferred.

        Raises:
            OptionError: it differs from the others in size, dtype or channels.
        """
        image = sample.image
        assert isinstance(image, np.ndarray)  # noqa: S101  # for the type checker
        self._first = self._first or sample.key
        self._start(image.shape)
        row = self._rows[self._count]
        if image is not row:  # else it was computed there
            if image.shape != row.shape or image.dtype != row.dtype:
                self._raise_mismatch(sample)
            row[...] = image
        self._count += 1

    def to_array(self) -> NDArray[Any]:
        """Return the added images [B, H, W, C]."""
        if self._images is not None:
            return self._images[: self._count]
        shape, dtype = self._get_spec()
        return np.zeros((0, *(side or 0 for side in shape)), dtype)

    def _start(self, shape: Sequence[int]) -> None:
        if self._images is None:
            (*_, channels), dtype = self._get_spec()
            self._images = self._empty((self._most, *shape[:2], channels), dtype)
            self._rows = list(self._images)

    def _raise_mismatch(self, sample: FinishedSample) -> None:
        (*_, channels), dtype = self._get_spec()
        image = sample.image
        if image.dtype != dtype or image.shape[2] != channels:
            raise OptionError(
                f"the augmentation returns images of different kinds: {sample.key} became {image.dtype} with "
                f"{image.shape[2]} channels, an earlier one {dtype} with {channels}; transforms that change "
                "the dtype or the channels need p=1"
            )
        raise OptionError(
            f"images of a batch need one size: {self._first} has {self._rows[0].shape[:2]}, {sample.key} has "
            f"{image.shape[:2]}; set image_size, end the augmentation with a crop or resize, or use "
            "batch_size=None"
        )
