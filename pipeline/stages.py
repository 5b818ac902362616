"""The stages of a dataset: from a position in an epoch to a batch.

`Stages.sample` is the list of what happens to one sample, in order; `Stages.batch` draws the samples and stacks them.
A batch is a pure function of the epoch and its first position: nothing here remembers what came before, so any thread
may compute any batch at any time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from augment.errors import TransformError
from augment.transform import Image, KeyedTransform
from pipeline.cache import PixelCache
from pipeline.decode import CHANNELS, Decoder, with_channels
from pipeline.errors import (
    AugmentationError,
    DecodeError,
    OptionError,
    ReadError,
    SampleError,
    TooManyErrorsError,
)
from pipeline.ledger import Ledger
from pipeline.order import Indices, Order
from pipeline.resize import resize
from pipeline.sources.base import Sample, Source


class Batch(NamedTuple):
    """A batch of samples.

    Attributes:
        images: [B, H, W, C].
        labels: int32 [B], float32 [B, classes] or float32 [B, 1], as the label mode says.
        keys: the samples' keys, bytes [B].
    """

    images: NDArray[Any]
    labels: NDArray[Any]
    keys: NDArray[np.object_]


class Row(NamedTuple):
    """One finished sample."""

    image: Image
    label: int
    key: str


@dataclass(frozen=True, kw_only=True)
class Stages:
    """What a loader does to each sample.

    Attributes:
        order: gives the position of each sample in an epoch.
        members: the samples of the source that take part, int64; None for all.
        source: reads a sample (from memory, where it is cached there).
        decoder: decodes it.
        pixel_cache: keeps what is decoded, in one size; None for no such cache.
        augment: transforms it; None for no augmentation.
        augment_key: the key that augmentation keys are folded from, shape [].
        image_size: what it is resized to at last, (height, width); None keeps the size.
        interpolation: how.
        label_mode: "int", "categorical", "binary" or None.
        ledger: takes down the bad samples, or raises.
        replaces: whether the next good sample takes a bad one's place.
    """

    order: Order
    members: Indices | None
    source: Source
    decoder: Decoder
    pixel_cache: PixelCache | None
    augment: KeyedTransform | None
    augment_key: keys.Key
    image_size: tuple[int, int] | None
    interpolation: str
    label_mode: str | None
    ledger: Ledger
    replaces: bool

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        """Make a batch of the samples at positions start to stop of an epoch; bad ones are left out or replaced.

        Raises:
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: there are more bad samples than allowed.
            OptionError: the images have different sizes or kinds and cannot be one batch.
        """
        rows = list(self._good(epoch, start, stop))
        return Batch(
            self._stacked(rows),
            encode_labels(
                np.array([row.label for row in rows], np.int64), self.label_mode, len(self.source.class_names)
            ),
            np.array([row.key.encode("utf-8", "surrogateescape") for row in rows], object),
        )

    def sample(self, index: int, key: keys.Key) -> Row:
        """Make one sample: read, decode, augment, resize, label.

        Args:
            index: of the sample in its source.
            key: of its augmentation, shape [].

        Raises:
            SampleError: the sample is bad.
        """
        image, sample = self._decoded(index)
        image = self._augmented(image, sample, key)
        if self.image_size is not None:
            image = resize(image, self.image_size, self.interpolation)
        return Row(image, self._label(sample), sample.key)

    @cached_property
    def image_spec(self) -> tuple[tuple[int | None, int | None, int], np.dtype[Any]]:
        """The shape (height, width, channels) and dtype of all images; a side is None where it may differ.

        What comes out of an augmentation can only be seen by running it: the first good sample is made for this.

        Raises:
            SampleError: that sample is bad, and `on_error` is "raise".
            TooManyErrorsError: no sample is good, or too many are bad.
        """
        row = next((row for start in range(len(self.order)) for row in self._good(0, start, start + 1)), None)
        if row is None:
            raise TooManyErrorsError(f"none of the {len(self.order)} samples is good; the last: {self.ledger.rows[-1]}")
        height, width = self.image_size or (None, None)
        return (height, width, row.image.shape[2]), row.image.dtype

    def _good(self, epoch: int, start: int, stop: int) -> Iterator[Row]:
        """Yield the samples at some positions; in place of a bad one, nothing, or the next good one of this shard."""
        indices, sample_keys = self._drawn(epoch, np.arange(start, stop))
        for place, (index, key) in enumerate(zip(indices.tolist(), sample_keys, strict=True)):
            try:
                yield self.sample(index, key)
            except SampleError as error:
                self.ledger.record(error)
                if self.replaces:
                    yield self._substitute(epoch, start + place)

    def _substitute(self, epoch: int, position: int) -> Row:
        for ahead in range(1, len(self.order)):
            indices, sample_keys = self._drawn(epoch, [(position + ahead) % len(self.order)])
            try:
                return self.sample(int(indices[0]), sample_keys[0])
            except SampleError as error:
                self.ledger.record(error)
        raise TooManyErrorsError(f"all {len(self.order)} samples are bad; the last: {self.ledger.rows[-1]}")

    def _drawn(self, epoch: int, positions: ArrayLike) -> tuple[Indices, keys.Key]:
        """Give the samples at some positions of an epoch, and the keys of their augmentation."""
        indices = self.order(epoch, positions)
        if self.members is not None:
            indices = self.members[indices]
        return indices, keys.fold_in(self.augment_key, epoch, indices)

    def _decoded(self, index: int) -> tuple[Image, Sample]:
        if self.pixel_cache is not None and (image := self.pixel_cache.get(index)) is not None:
            return image, self.source.peek(index)
        sample = self.source.read(index)
        image = self._decode(sample)
        if self.pixel_cache is not None:
            image = resize(image, self.pixel_cache.shape[:2], self.interpolation)
            self.pixel_cache.put(index, image)
        return image, sample

    def _decode(self, sample: Sample) -> Image:
        if sample.encoded is None:
            assert sample.pixels is not None  # noqa: S101  # a sample holds one or the other
            return with_channels(sample.pixels, CHANNELS[self.decoder.color_mode])
        try:
            return self.decoder(sample.encoded)
        except ValueError as error:
            raise DecodeError(sample.key, str(error)) from None

    def _augmented(self, image: Image, sample: Sample, key: keys.Key) -> Image:
        if self.augment is None:
            return image
        try:
            return self.augment(image, key)
        except TransformError as error:
            raise AugmentationError(sample.key, f"{error} (on an image of shape {image.shape})") from error

    def _stacked(self, rows: Sequence[Row]) -> NDArray[Any]:
        shape, dtype = self.image_spec
        if not rows:
            return np.zeros((0, *(side or 0 for side in shape)), dtype)
        first = rows[0]
        for row in rows:
            if row.image.dtype != dtype or row.image.shape[2] != shape[2]:
                raise OptionError(
                    f"the augmentation gives images of different kinds: {row.key} became {row.image.dtype} with "
                    f"{row.image.shape[2]} channels, an earlier one {dtype} with {shape[2]}. Transforms that change "
                    "the dtype or the channels need p=1."
                )
            if row.image.shape != first.image.shape:
                raise OptionError(
                    f"images of a batch need one size: {first.key} has {first.image.shape[:2]}, {row.key} has "
                    f"{row.image.shape[:2]}. Give image_size, end the augmentation with a crop or resize, or use "
                    "batch_size=None."
                )
        return np.stack([row.image for row in rows])

    def _label(self, sample: Sample) -> int:
        if self.label_mode is not None and not 0 <= sample.label < len(self.source.class_names):
            described = "no label" if sample.label < 0 else f"the label {sample.label}"
            raise ReadError(sample.key, f"has {described}, but there are {len(self.source.class_names)} classes")
        return sample.label


def encode_labels(labels: NDArray[np.int64], label_mode: str | None, classes: int) -> NDArray[Any]:
    """Write labels as a label mode wants them.

    Returns:
        int32 [B] for "int" and None, float32 [B, classes] for "categorical", float32 [B, 1] for "binary".
    """
    if label_mode == "categorical":
        return np.eye(classes, dtype=np.float32)[labels]
    if label_mode == "binary":
        return labels.astype(np.float32)[:, np.newaxis]
    return labels.astype(np.int32)
