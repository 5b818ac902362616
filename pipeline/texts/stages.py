"""The stages of a dataset of texts: from a position in an epoch to a batch."""

import codecs
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import AugmentError
from pipeline.errors import AugmentationError, DecodeError, SampleError
from pipeline.sampling.labels import check_label, encode_labels
from pipeline.sampling.order import Indices
from pipeline.sampling.sampler import Sampler

MakeVariants = Callable[[Sequence[str], Sequence[int], Sequence[int]], list[str]]
"""Returns one variant of each text, by its key and number: `augment.text.variants.Variants`, here or in processes."""


class FinishedText(NamedTuple):
    """One finished sample.

    Attributes:
        text: decoded, and augmented where there is an augmentation.
        label: its class index.
        key: its key in the source, and the number of a copy.
    """

    text: str
    label: int
    key: str


class TextDecoder:
    """Decodes texts, and records the keys of those that need the fallback.

    Args:
        encoding: of the texts.
        fallback: the encoding of texts that are not valid in `encoding`; None makes them bad samples.
    """

    def __init__(self, encoding: str = "utf-8", fallback: str | None = "latin-1") -> None:
        # A byte order mark starts a file, not a text: sources drop it, and U+FEFF in a text stays.
        self._encoding = _without_mark(encoding)
        self._fallback = None if fallback is None else _without_mark(fallback)
        self._fallback_decoded: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, key: str, encoded: bytes) -> str:
        """Decode one text.

        Raises:
            DecodeError: it is not in the encoding, and there is no fallback, or it is not in that either; or it has a
                NUL character.
        """
        text = self._decode(key, encoded)
        if "\0" in text:
            raise DecodeError(
                key, f"is not text in {self._encoding}: it has a NUL character; remove it, or set encoding"
            )
        return text

    def _decode(self, key: str, encoded: bytes) -> str:
        try:
            return encoded.decode(self._encoding)
        except UnicodeDecodeError as error:
            if self._fallback is None:
                raise DecodeError(key, f"is not in {self._encoding}: {error.reason} at byte {error.start}") from None
        try:
            text = encoded.decode(self._fallback)
        except UnicodeDecodeError as error:
            raise DecodeError(
                key, f"is in neither {self._encoding} nor {self._fallback}: {error.reason} at byte {error.start}"
            ) from None
        with self._lock:
            self._fallback_decoded.add(key)
        return text

    @property
    def fallback_decoded(self) -> tuple[str, ...]:
        """The keys of the texts so far that were decoded in the fallback, sorted."""
        with self._lock:
            return tuple(sorted(self._fallback_decoded))


def _without_mark(encoding: str) -> str:
    return "utf-8" if codecs.lookup(encoding).name == "utf-8-sig" else encoding


@dataclass(frozen=True, kw_only=True)
class TextStages(Sampler[FinishedText]):
    """The stages of a loader of texts; `Sampler` documents the attributes that are not listed here.

    With copies, copy 0 is the text itself.

    Attributes:
        decoder: decodes a text.
        variants: augments texts; None for no augmentation.
        copies: number of times each text appears per epoch; None for once, augmented.
    """

    decoder: TextDecoder
    variants: MakeVariants | None
    copies: int | None

    def samples(
        self, indices: Indices, repeat_index: Indices, sample_keys: keys.Key
    ) -> Iterator[FinishedText | SampleError]:
        """Make samples: read, decode and label all, then augment the good ones together.

        Args:
            indices: int64 [N], of the samples in their source.
            repeat_index: int64 [N], the number of each sample's copy.
            sample_keys: uint64 [N], of their augmentation; the copies of a text share one.

        Yields:
            Each sample in turn, or its error.
        """
        copies = repeat_index.tolist()
        read = [self._read_sample(index, copy) for index, copy in zip(indices.tolist(), copies, strict=True)]
        if self.variants is None:
            return iter(read)
        numbers = [1] * len(read) if self.copies is None else copies
        return _augment_good(self.variants, read, sample_keys.tolist(), numbers)

    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Return a batch of the samples at positions start to stop of an epoch; bad ones are skipped or replaced.

        Returns:
            Texts, bytes in UTF-8 [B]; labels as the label mode says; the samples' keys, bytes [B].

        Raises:
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: there are more bad samples than allowed.
        """
        samples = list(self.iter_good(epoch, start, stop))
        return (
            np.array([sample.text.encode("utf-8", "replace") for sample in samples], object),
            encode_labels([sample.label for sample in samples], self.label_mode, len(self.source.class_names)),
            np.array([sample.key.encode("utf-8", "surrogateescape") for sample in samples], object),
        )

    @property
    def repeats(self) -> int:
        """The number of times each text appears per epoch."""
        return self.copies or 1

    @property
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
        """A text is a scalar."""
        return (), np.dtype(object)

    def _read_sample(self, index: int, copy: int) -> FinishedText | SampleError:
        """Read a sample, decode and label it."""
        try:
            sample = self.source.read(index)
            assert sample.encoded is not None  # noqa: S101  # for the type checker: texts come as bytes
            label = sample.label if self.label_mode is None else check_label(sample, self.source.class_names)
            key = f"{sample.key}+{copy}" if copy else sample.key
            return FinishedText(self.decoder(sample.key, sample.encoded), label, key)
        except SampleError as error:
            return error


def _augment_good(
    variants: MakeVariants, read: Sequence[FinishedText | SampleError], sample_keys: list[int], numbers: list[int]
) -> Iterator[FinishedText | SampleError]:
    """Augment the good samples, each by its key and the number of its variant; errors pass through."""
    good = {row: sample for row, sample in enumerate(read) if isinstance(sample, FinishedText)}
    own_keys, own_numbers = [sample_keys[row] for row in good], [numbers[row] for row in good]
    augmented = dict(zip(good, _augment(variants, list(good.values()), own_keys, own_numbers), strict=True))
    return (augmented.get(row, sample) for row, sample in enumerate(read))


def _augment(
    variants: MakeVariants, samples: Sequence[FinishedText], sample_keys: Sequence[int], numbers: Sequence[int]
) -> list[FinishedText | SampleError]:
    """Augment samples together; if that fails, one by one, to find the bad one."""
    try:
        texts = variants([sample.text for sample in samples], sample_keys, numbers)
    except AugmentError as error:
        if len(samples) == 1:
            return [AugmentationError(samples[0].key, str(error))]
        each = zip(samples, sample_keys, numbers, strict=True)
        return [one for sample, key, number in each for one in _augment(variants, [sample], [key], [number])]
    return [sample._replace(text=text) for sample, text in zip(samples, texts, strict=True)]
