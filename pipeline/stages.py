"""The stages of a dataset: from a position in an epoch to a batch.

`Stages.samples` is the list of what happens to samples, in order; `Stages.batch` draws and stacks them.
A batch is a pure function of the epoch and its first position: nothing here remembers what came before, so any thread
may compute any batch at any time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import TransformError
from augment.mixing import Mixer
from augment.plan.draft import Draft, finish
from augment.plan.plan import Window
from augment.transform import Image
from pipeline.augmentation import Augmentation
from pipeline.buffers import Buffers
from pipeline.cache import PixelCache
from pipeline.decode import CHANNELS, Decoder, with_channels
from pipeline.draw import Draw
from pipeline.errors import AugmentationError, DecodeError, OptionError, SampleError, TooManyErrorsError
from pipeline.labels import checked_label, encode_labels
from pipeline.multiple import Multiple
from pipeline.order import Indices
from pipeline.resize import resize, resize_later
from pipeline.sources.base import Sample
from pipeline.taken import Request, Taken, decoded, requests

ElementSpec = tuple[tuple[int | None, int | None, int], np.dtype[Any]]
"""The shape of all images (height, width, channels), None for a side that may differ, and their dtype."""


_MOST_HELD = 1 << 20
"""Bytes of the images that wait to be made together: more would leave the processor's cache before."""


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
    """One sample, finished but for what is done to several images at once.

    Attributes:
        image: [H, W, C], or the draft of it.
        label: the number of its class.
        key: its name in the source.
        held_bytes: of the pixels that a draft is to be made of; a window of them keeps all of them.
    """

    image: Image | Draft
    label: int
    key: str
    held_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Stages(Draw[Row]):
    """What a loader of images does to each sample; `Draw` describes the attributes that are not listed here.

    Attributes:
        source: reads a sample (from memory, where it is cached there).
        decoder: decodes it.
        pixel_cache: keeps what is decoded, in one size; None for no such cache.
        plan: augments it; None for no augmentation.
        image_size: what it is resized to at last, (height, width); None keeps the size.
        interpolation: how.
        multiple: how each sample becomes several.
        mix: mixes the samples of a batch; None for no such thing.
        empty: gives the memory for a batch of images, by its shape and dtype.
        known_spec: the `element_spec`, where it is known; None for what the first good sample has.
    """

    decoder: Decoder
    pixel_cache: PixelCache | None
    plan: Augmentation | None
    image_size: tuple[int, int] | None
    interpolation: str
    multiple: Multiple = field(default_factory=Multiple)
    mix: Mixer | None = None
    empty: Callable[[Sequence[int], np.dtype[Any]], NDArray[Any]] = field(default_factory=lambda: Buffers().empty)
    known_spec: ElementSpec | None = None

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        """Make a batch of the samples at positions start to stop of an epoch; bad ones are left out or replaced.

        Raises:
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: there are more bad samples than allowed.
            OptionError: the images have different sizes or kinds and cannot be one batch.
        """
        images: NDArray[Any] | None = None
        drafts: list[tuple[Draft, Image]] = []
        held, first = 0, ""
        labels: list[int] = []
        sample_keys: list[bytes] = []
        for row in self.good(epoch, start, stop):
            if images is None:
                images = self.empty((stop - start, *row.image.shape), self.element_spec[1])
                first = row.key
            self._check(row, images, first)
            if isinstance(row.image, Draft):
                drafts.append((row.image, images[len(labels)]))
                held += row.held_bytes
                if held > _MOST_HELD:
                    self._finish(drafts)
                    drafts, held = [], 0
            else:
                images[len(labels)] = row.image  # at once: it is in the processor's cache now
            labels.append(row.label)
            sample_keys.append(row.key.encode("utf-8", "surrogateescape"))
        if drafts:
            self._finish(drafts)
        return self._mixed(
            Batch(
                self._no_images() if images is None else images[: len(labels)],
                encode_labels(labels, self.label_mode, len(self.source.class_names)),
                np.array(sample_keys, object),
            ),
            epoch,
            start,
        )

    @property
    def per_sample(self) -> int:
        """How often each sample of the source stands in an epoch: as so many copies and views."""
        return len(self.multiple)

    def augment_keys(self, epoch: int, indices: Indices, which: Indices) -> keys.Key:
        """Give the keys of the augmentation of some samples, uint64 [N]: each copy and view has its own."""
        return self.multiple.fold(super().augment_keys(epoch, indices, which), which)

    def samples(self, indices: Indices, which: Indices, sample_keys: keys.Key) -> Iterator[Row | SampleError]:
        """Make samples: read, plan, decode, augment, resize, label.

        Args:
            indices: int64 [N], of the samples in their source.
            which: int64 [N], of a sample's copies and views.
            sample_keys: uint64 [N], of their augmentation.

        Yields:
            Each sample in turn, or what is wrong with it.
        """
        taken = self._all_taken(indices.tolist(), which.tolist())
        good = [place for place, item in enumerate(taken) if isinstance(item, Taken)]
        items = [item for item in taken if isinstance(item, Taken)]
        params = self._params(sample_keys[good], [item.size for item in items])
        rows = enumerate(requests(items, self.decoder, self.window_of(params)))
        whole: tuple[Sample, Image] | None = None  # the image of which the last view was taken
        for item in taken:
            if isinstance(item, SampleError):
                yield item
                continue
            row, request = next(rows)
            try:
                if item.view is not None:
                    if whole is None or whole[0] is not item.sample:
                        whole = (item.sample, decoded(item, request, self.decoder))
                    item = item._replace(image=item.view.of(whole[1]))  # its pixels are known now
                yield self._finished(item, request, params, row)
            except SampleError as error:
                yield error

    def window_of(self, params: Any) -> Callable[[int], Window | None]:
        """Say which part of each sample its augmentation needs, by its row in the parameters; None for all of it."""
        return (lambda _: None) if self.plan is None or params is None else partial(self.plan.window, params)

    @cached_property
    def element_spec(self) -> ElementSpec:
        """The shape (height, width, channels) and dtype of all images; a side is None where it may differ.

        What comes out of an augmentation can only be seen by running it: the first good sample is made for this.

        Raises:
            SampleError: that sample is bad, and `on_error` is "raise".
            TooManyErrorsError: no sample is good, or too many are bad.
        """
        if self.known_spec is not None:
            return self.known_spec
        row = next((row for start in range(len(self.order)) for row in self.good(0, start, start + 1)), None)
        if row is None:
            raise TooManyErrorsError(f"none of the {len(self.order)} samples is good; the last: {self.ledger.rows[-1]}")
        height, width = self.image_size or (None, None)
        return (height, width, row.image.shape[2]), row.image.dtype

    def _mixed(self, batch: Batch, epoch: int, start: int) -> Batch:
        if self.mix is None or not len(batch.images):
            return batch
        index, count = self.order.shard
        # The place of the batch's first sample in the order of all shards: these do not mix alike.
        key = keys.fold_in(self.augment_key, "mix", epoch, start * count + index)
        images, labels = self.mix(batch.images, None if self.label_mode is None else batch.labels, key)
        return Batch(images, batch.labels if labels is None else labels, batch.keys)

    def _all_taken(self, indices: Sequence[int], which: Sequence[int]) -> list[Taken | SampleError]:
        """Read samples, each once however many of its copies and views there are."""
        if len(self.multiple) == 1 and self.multiple.views is None:
            return [self._taken(index) for index in indices]
        read = {index: self._taken(index) for index in dict.fromkeys(indices)}
        return [self._view(read[index], number) for index, number in zip(indices, which, strict=True)]

    def _view(self, item: Taken | SampleError, which: int) -> Taken | SampleError:
        """Note the view that is to be taken of a sample's image."""
        if isinstance(item, SampleError):
            return item
        try:
            return item._replace(view=self.multiple.view(which, item.size, self.image_size))
        except TransformError as error:
            return AugmentationError(item.sample.key, str(error))

    def _taken(self, index: int) -> Taken | SampleError:
        """Read a sample, and its header; its pixels where they need no decoding."""
        try:
            if self.pixel_cache is not None and (image := self.pixel_cache.get(index)) is not None:
                return Taken(self.source.peek(index), None, image)
            sample = self.source.read(index)
            if sample.encoded is None:
                assert sample.pixels is not None  # noqa: S101  # a sample holds one or the other
                return Taken(sample, None, with_channels(sample.pixels, CHANNELS[self.decoder.color_mode]))
            header = self.decoder.header(sample.encoded)
            if self.pixel_cache is None:
                return Taken(sample, header, None)
            image = resize(self.decoder(sample.encoded, header), self.pixel_cache.shape[:2], self.interpolation)
            self.pixel_cache.put(index, image)
            return Taken(sample, None, image)
        except SampleError as error:
            return error
        except ValueError as error:
            return DecodeError(sample.key, str(error))

    def _params(self, sample_keys: keys.Key, sizes: Sequence[tuple[int, int]]) -> Any:
        return None if self.plan is None or not sizes else self.plan.draw(sample_keys, sizes)

    def _finished(self, item: Taken, request: Request, params: Any, row: int) -> Row:
        pixels = decoded(item, request, self.decoder)
        image: Image | Draft = pixels
        if self.plan is not None and params is not None:
            try:
                image = self.plan.draft(pixels, params, row, request.window)
            except TransformError as error:
                raise AugmentationError(item.sample.key, f"{error} (on an image of {item.size})") from error
        if self.image_size is not None:
            image = resize_later(image, self.image_size, self.interpolation)
        return Row(image, self._label(item.sample), item.sample.key, pixels.nbytes)

    def _finish(self, drafts: Sequence[tuple[Draft, Image]]) -> None:
        """Make the images of which drafts are there."""
        finish(drafts)

    def _check(self, row: Row, images: NDArray[Any], first: str) -> None:
        """Refuse an image that does not fit into its batch."""
        shape, dtype = self.element_spec
        if row.image.dtype != dtype or row.image.shape[2] != shape[2]:
            raise OptionError(
                f"the augmentation gives images of different kinds: {row.key} became {row.image.dtype} with "
                f"{row.image.shape[2]} channels, an earlier one {dtype} with {shape[2]}. Transforms that change "
                "the dtype or the channels need p=1."
            )
        if row.image.shape != images.shape[1:]:
            raise OptionError(
                f"images of a batch need one size: {first} has {images.shape[1:3]}, {row.key} has "
                f"{row.image.shape[:2]}. Give image_size, end the augmentation with a crop or resize, or use "
                "batch_size=None."
            )

    def _no_images(self) -> NDArray[Any]:
        shape, dtype = self.element_spec
        return np.zeros((0, *(side or 0 for side in shape)), dtype)

    def _label(self, sample: Sample) -> int:
        return sample.label if self.label_mode is None else checked_label(sample, self.source.class_names)
