"""The stages of a dataset of texts: from a position in an epoch to a batch."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.errors import AugmentError
from pipeline.draw import Draw
from pipeline.errors import AugmentationError, DecodeError, SampleError
from pipeline.labels import checked_label, encode_labels
from pipeline.order import Indices

MakeVariants = Callable[[Sequence[str], Sequence[int], Sequence[int]], list[str]]
"""Gives one variant of each text, by its key and number: `augment.text.variants.Variants`, here or in processes."""


class TextRow(NamedTuple):
    """One finished sample."""

    text: str
    label: int
    key: str


class TextDecoder:
    """Decodes texts by a declared rule, and counts those that are not in the encoding they should be in.

    Args:
        encoding: what texts should be in.
        fallback: what the others are read in; None makes them bad samples.
    """

    def __init__(self, encoding: str = "utf-8", fallback: str | None = "latin-1") -> None:
        self._encoding = encoding
        self._fallback = fallback
        self._recoded: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, key: str, encoded: bytes) -> str:
        """Decode one text; a byte order mark is no part of it.

        Raises:
            DecodeError: it is not in the encoding, and there is no fallback, or it is not in that either.
        """
        try:
            return encoded.decode(self._encoding).removeprefix("\ufeff")
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
            self._recoded.add(key)
        return text

    @property
    def recoded(self) -> tuple[str, ...]:
        """The keys of the texts so far that were read by the fallback, sorted."""
        with self._lock:
            return tuple(sorted(self._recoded))


@dataclass(frozen=True, kw_only=True)
class TextStages(Draw[TextRow]):
    """What a loader of texts does to each sample; `Draw` describes the attributes that are not listed here.

    Where there are copies, copy 0 is the text itself.

    Attributes:
        decoder: decodes a text.
        variants: augments texts; None for no augmentation.
        copies: how often each text is in an epoch; None for once, augmented.
    """

    decoder: TextDecoder
    variants: MakeVariants | None
    copies: int | None

    @property
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
        """A text is a scalar."""
        return (), np.dtype(object)

    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Make a batch of the samples at positions start to stop of an epoch; bad ones are left out or replaced.

        Returns:
            Texts, bytes in UTF-8 [B]; labels as the label mode says; the samples' keys, bytes [B].

        Raises:
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: there are more bad samples than allowed.
        """
        rows = list(self.good(epoch, start, stop))
        return (
            np.array([row.text.encode("utf-8", "replace") for row in rows], object),
            encode_labels([row.label for row in rows], self.label_mode, len(self.source.class_names)),
            np.array([row.key.encode("utf-8", "surrogateescape") for row in rows], object),
        )

    @property
    def per_sample(self) -> int:
        """How often each text is in an epoch."""
        return self.copies or 1

    def samples(self, indices: Indices, which: Indices, sample_keys: keys.Key) -> Iterator[TextRow | SampleError]:
        """Make samples: read, decode, label, augment.

        Args:
            indices: int64 [N], of the samples in their source.
            which: int64 [N], of the copies of a text.
            sample_keys: uint64 [N], of their augmentation: copies of a text have one.

        Yields:
            Each sample in turn, or what is wrong with it.
        """
        numbers = which.tolist()
        taken = [self._taken(index, number) for index, number in zip(indices.tolist(), numbers, strict=True)]
        if self.variants is None:
            yield from taken
            return
        good = [place for place, row in enumerate(taken) if isinstance(row, TextRow)]
        numbers = [1] * len(taken) if self.copies is None else numbers
        made = dict(zip(good, self._made(taken, good, sample_keys.tolist(), numbers), strict=True))
        yield from (made.get(place, row) for place, row in enumerate(taken))

    def _taken(self, index: int, number: int) -> TextRow | SampleError:
        """Read a sample, decode and label it."""
        try:
            sample = self.source.read(index)
            assert sample.encoded is not None  # noqa: S101  # for the type checker: texts come as bytes
            label = sample.label if self.label_mode is None else checked_label(sample, self.source.class_names)
            key = f"{sample.key}+{number}" if number else sample.key
            return TextRow(self.decoder(sample.key, sample.encoded), label, key)
        except SampleError as error:
            return error

    def _made(
        self, taken: Sequence[TextRow | SampleError], good: Sequence[int], sample_keys: list[int], numbers: list[int]
    ) -> Iterator[TextRow | SampleError]:
        """Augment the good ones at once; where that fails, one by one, to see which of them is bad."""
        assert self.variants is not None  # noqa: S101  # for the type checker: the caller has looked
        rows = [row for row in taken if isinstance(row, TextRow)]
        own_keys, own_numbers = [sample_keys[place] for place in good], [numbers[place] for place in good]
        try:
            texts = self.variants([row.text for row in rows], own_keys, own_numbers)
            yield from (row._replace(text=text) for row, text in zip(rows, texts, strict=True))
        except AugmentError:
            for row, key, number in zip(rows, own_keys, own_numbers, strict=True):
                try:
                    yield row._replace(text=self.variants([row.text], [key], [number])[0])
                except AugmentError as error:
                    yield AugmentationError(row.key, str(error))
