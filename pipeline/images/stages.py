"""The stages of a dataset: from a position in an epoch to a batch.

`Stages.samples` lists the steps of each sample in order; `Stages.batch` selects and stacks samples.
A batch is a pure function of the epoch and its first position: nothing here remembers earlier batches, so any thread
may compute any batch at any time.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import TransformError
from augment.mixing import Mixer
from augment.plan.deferred import DeferredImage
from augment.plan.encoded import UndecodableError
from augment.plan.window import Window
from augment.transform import Image
from pipeline.errors import AugmentationError, DecodeError, SampleError, TooManyErrorsError
from pipeline.images.augmentation import Augmentation
from pipeline.images.cache import PixelCache
from pipeline.images.decode import CHANNELS, Decoder, convert_channels
from pipeline.images.decode_requests import (
    DecodedSample,
    DecodeRequest,
    ReadSample,
    ViewDecoder,
    decode,
    decode_requests,
    defer_decoding,
    map_good,
)
from pipeline.images.repeats import Repeats
from pipeline.images.resize import resize, resize_deferred
from pipeline.images.stacking import ElementSpec, FinishedSample, ImageStack, Reserve, allocate, materialize_samples
from pipeline.images.timer import StageTimer, no_timer
from pipeline.memory.batch_buffers import Buffers
from pipeline.sampling.labels import check_label, encode_labels
from pipeline.sampling.order import Indices
from pipeline.sampling.sampler import Sampler
from pipeline.sources.base import Sample, read_sample, read_samples


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


@dataclass(frozen=True, kw_only=True)
class Stages(Sampler[FinishedSample]):
    """The stages of a loader of images; `Sampler` describes the attributes that are not listed here.

    Attributes:
        source: reads a sample, from memory if it is cached there.
        decoder: decodes it.
        pixel_cache: keeps decoded images in one size; None for no such cache.
        plan: augments it; None for no augmentation.
        image_size: the final size, (height, width); None keeps the size.
        interpolation: of the resize to that size.
        repetition: the copies and views of each sample.
        mix: mixes the samples of a batch; None for no mixing.
        empty: allocates the memory for a batch of images, by its shape and dtype.
        timer: times the stages.
        known_spec: the `element_spec`, if known; None takes it from the first good sample.
        defers_decoding: whether images are decoded together with their augmentation, in one call for many. A timer then
            sees no "decode".
    """

    decoder: Decoder
    pixel_cache: PixelCache | None
    plan: Augmentation | None
    image_size: tuple[int, int] | None
    interpolation: str
    repetition: Repeats = field(default_factory=Repeats)
    mix: Mixer | None = None
    empty: Callable[[Sequence[int], np.dtype[Any]], NDArray[Any]] = field(default_factory=lambda: Buffers().empty)
    timer: StageTimer = no_timer
    known_spec: ElementSpec | None = None
    defers_decoding: bool = True

    def samples(
        self, indices: Indices, repeat_index: Indices, sample_keys: keys.Key, reserve: Reserve = allocate
    ) -> Iterator[FinishedSample | SampleError]:
        """Yield finished samples: read all, draw the parameters of all, then decode, augment and label one by one.

        What the native module does is deferred, and done by one call for some of them, each from its bytes to its final
        pixels while these are in the processor's cache. The error of a sample takes its position in all further steps.

        Args:
            indices: int64 [N], the samples' indices in their source.
            repeat_index: int64 [N], the samples' repeat indices.
            sample_keys: uint64 [N], the keys of their augmentation.
            reserve: returns the memory for an image.

        Yields:
            Each sample in order, or its error.
        """
        read = self.read_all(indices.tolist(), repeat_index.tolist())
        params = self.draw_params(read, sample_keys)
        requests = self.decode_requests(read, params)
        decoded = self.decode(requests)
        return materialize_samples(self.augment_and_label(decoded, params), reserve, self.timer)

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        """Return a batch of the samples at positions start to stop of an epoch; bad ones are skipped or replaced.

        Raises:
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: there are more bad samples than allowed.
            OptionError: the images differ in size, dtype or channels.
        """
        with self.timer("batch"):
            return self._mix_batch(self._compute_batch(epoch, start, stop), epoch, start)

    @property
    def repeats(self) -> int:
        """The number of samples per image and epoch: its copies and views."""
        return len(self.repetition)

    def augment_keys(self, epoch: int, indices: Indices, repeat_index: Indices) -> keys.Key:
        """Return the keys of the samples' augmentation, uint64 [N]; each copy and view has its own."""
        return self.repetition.fold(super().augment_keys(epoch, indices, repeat_index), repeat_index)

    @cached_property
    def element_spec(self) -> ElementSpec:
        """The shape (height, width, channels) and dtype of all images; a side that may differ is None.

        Only running an augmentation shows what it returns: this computes the first good sample.

        Raises:
            SampleError: that sample is bad, and `on_error` is "raise".
            TooManyErrorsError: no sample is good, or too many are bad.
        """
        if self.known_spec is not None:
            return self.known_spec
        good = (sample for start in range(len(self.order)) for sample in self.iter_good(0, start, start + 1))
        first = next(good, None)
        if first is None:
            raise TooManyErrorsError(
                f"all {len(self.order)} samples are bad; the last: {self.error_log.bad_samples[-1]}"
            )
        height, width = self.image_size or (None, None)
        return (height, width, first.image.shape[2]), first.image.dtype

    def read_all(self, indices: Sequence[int], repeat_index: Sequence[int]) -> list[ReadSample | SampleError]:
        """Read samples [N]; the copies and views of one image read it once."""
        with self.timer("read"):
            if self.repeats == 1 and self.repetition.views is None:
                return self._read_samples(indices)
            unique = list(dict.fromkeys(indices))
            read = dict(zip(unique, self._read_samples(unique), strict=True))
        return [self._add_view(read[index], repeat) for index, repeat in zip(indices, repeat_index, strict=True)]

    def draw_params(self, read: Sequence[ReadSample | SampleError], sample_keys: keys.Key) -> Any:
        """Draw the augmentation parameters of the good samples, given the keys [N] of all; None for no augmentation."""
        if self.plan is None:
            return None
        good = [row for row, item in enumerate(read) if isinstance(item, ReadSample)]
        sizes = [item.size for item in read if isinstance(item, ReadSample)]
        return self.plan.draw(sample_keys[good], sizes) if good else None

    def decode_requests(
        self, read: Sequence[ReadSample | SampleError], params: Any
    ) -> Iterator[DecodeRequest | SampleError]:
        """Yield decode requests: of a JPEG, only the window that its augmentation needs."""
        return decode_requests(read, self._window_of(params))

    def decode(self, requests: Iterable[DecodeRequest | SampleError]) -> Iterator[DecodedSample | SampleError]:
        """Yield the samples with their pixels."""
        return map_good(self._decode if self.repetition.views is None else ViewDecoder(self._pixels), requests)

    def augment_and_label(
        self, decoded: Iterable[DecodedSample | SampleError], params: Any
    ) -> Iterator[FinishedSample | SampleError]:
        """Yield the samples augmented, resized to their final size, and with the indices of their classes."""
        return map_good(partial(self._augment_and_label, params), decoded)

    def _read_samples(self, indices: Sequence[int]) -> list[ReadSample | SampleError]:
        """Read samples and their headers, or their pixels if they need no decoding."""
        if self.pixel_cache is None:
            return [self._read_header(sample) for sample in read_samples(self.source, indices)]
        return [self._read_cached(index, self.pixel_cache) for index in indices]

    def _read_header(self, sample: Sample | SampleError) -> ReadSample | SampleError:
        if isinstance(sample, SampleError):
            return sample
        if sample.encoded is None:
            assert sample.pixels is not None  # noqa: S101  # a sample holds one or the other
            return ReadSample(sample, None, convert_channels(sample.pixels, CHANNELS[self.decoder.color_mode]))
        try:
            return ReadSample(sample, self.decoder.header(sample.encoded), None)
        except ValueError as error:
            return DecodeError(sample.key, str(error))

    def _read_cached(self, index: int, cache: PixelCache) -> ReadSample | SampleError:
        if (image := cache.get(index)) is not None:
            return ReadSample(self.source.peek(index), None, image)
        item = self._read_header(read_sample(self.source, index))
        if isinstance(item, SampleError) or item.header is None:
            return item
        try:
            with self.timer("decode"):
                image = decode(DecodeRequest(item, 0), self.decoder)
        except DecodeError as error:
            return error
        image = resize(image, cache.shape[:2], self.interpolation)
        cache.put(index, image)
        return ReadSample(item.sample, None, image)

    def _add_view(self, item: ReadSample | SampleError, repeat_index: int) -> ReadSample | SampleError:
        """Set the view that one of a sample's repeats shows."""
        if isinstance(item, SampleError):
            return item
        try:
            return item._replace(view=self.repetition.view(repeat_index, item.size, self.image_size))
        except TransformError as error:
            return AugmentationError(item.sample.key, str(error))

    def _window_of(self, params: Any) -> Callable[[int], Window | None]:
        """Return a function from a sample's row in the parameters to the window that its augmentation needs."""
        return (lambda _: None) if self.plan is None or params is None else partial(self.plan.window, params)

    def _decode(self, request: DecodeRequest) -> DecodedSample:
        deferred = defer_decoding(request, self.decoder) if self.defers_decoding else None
        return DecodedSample(request, self._pixels(request) if deferred is None else deferred)

    def _pixels(self, request: DecodeRequest) -> Image:
        if request.item.image is not None:
            return request.item.image
        with self.timer("decode"):
            return decode(request, self.decoder)

    def _augment_and_label(self, params: Any, decoded: DecodedSample) -> FinishedSample:
        sample = decoded.request.item.sample
        image = self._augment(params, decoded)
        label = sample.label if self.label_mode is None else check_label(sample, self.source.class_names)
        is_encoded = isinstance(image, DeferredImage) and image.is_encoded
        held_bytes = len(sample.encoded or b"") if is_encoded else math.prod(decoded.image.shape)
        return FinishedSample(image, label, sample.key, held_bytes)

    def _augment(self, params: Any, decoded: DecodedSample) -> Image | DeferredImage:
        request, image = decoded
        if params is None and self.image_size in (None, image.shape[:2]):
            return image
        with self.timer("augment"):
            try:
                if self.plan is not None and params is not None:
                    image = self.plan.apply_deferred(image, params, request.params_row, request.window)
                return image if self.image_size is None else resize_deferred(image, self.image_size, self.interpolation)
            except UndecodableError as error:
                raise DecodeError(request.item.sample.key, str(error)) from None
            except TransformError as error:
                message = f"{error} (on an image of {request.item.size})"
                raise AugmentationError(request.item.sample.key, message) from error

    def _compute_batch(self, epoch: int, start: int, stop: int) -> Batch:
        stack = ImageStack(stop - start, lambda: self.element_spec, self.empty)
        labels: list[int] = []
        sample_keys: list[bytes] = []
        for sample in self.iter_good(epoch, start, stop, partial(self.samples, reserve=stack.reserve)):
            stack.add(sample)
            labels.append(sample.label)
            sample_keys.append(sample.key.encode("utf-8", "surrogateescape"))
        return Batch(
            stack.to_array(),
            encode_labels(labels, self.label_mode, len(self.source.class_names)),
            np.array(sample_keys, object),
        )

    def _mix_batch(self, batch: Batch, epoch: int, start: int) -> Batch:
        if self.mix is None or not len(batch.images):
            return batch
        index, count = self.order.shard
        # The position of the batch's first sample in the order of all shards, so that shards mix differently.
        key = keys.fold_in(self.augment_key, "mix", epoch, start * count + index)
        images, labels = self.mix(batch.images, None if self.label_mode is None else batch.labels, key)
        return Batch(images, batch.labels if labels is None else labels, batch.keys)
