"""Which samples stand at the positions of an epoch, whatever a sample is, and what becomes of bad ones."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from pipeline.errors import SampleError, TooManyErrorsError
from pipeline.ledger import Ledger
from pipeline.order import Indices, Order
from pipeline.shutdown import stop_if_ending
from pipeline.sources.base import Source

RowT = TypeVar("RowT")


@dataclass(frozen=True, kw_only=True)
class Draw(ABC, Generic[RowT]):
    """Draws the finished samples of an epoch; a subclass says how a sample is made, and how a batch is stacked.

    A pure function of the epoch and the positions, which any thread may call at any time.

    Attributes:
        order: gives the position of each sample in an epoch.
        members: the samples of the source that take part, int64; None for all.
        source: reads a sample.
        augment_key: the key that augmentation keys are folded from, shape [].
        label_mode: "int", "categorical", "binary" or None.
        ledger: takes down the bad samples, or raises.
        replaces: whether the next good sample takes a bad one's place.
    """

    order: Order
    members: Indices | None
    source: Source
    augment_key: keys.Key
    label_mode: str | None
    ledger: Ledger
    replaces: bool

    @property
    @abstractmethod
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
        """The shape and dtype of the features of one sample; a side is None where it may differ."""

    @abstractmethod
    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Make a batch of the samples at positions start to stop of an epoch: (features, labels, keys)."""

    @property
    def per_sample(self) -> int:
        """How often each sample of the source stands in an epoch."""
        return 1

    @abstractmethod
    def samples(self, indices: Indices, which: Indices, sample_keys: keys.Key) -> Iterator[RowT | SampleError]:
        """Make some samples, or say what is wrong with each.

        Args:
            indices: int64 [N], of the samples in their source.
            which: int64 [N], from 0 on: which of the `per_sample` that a sample becomes.
            sample_keys: uint64 [N], of their augmentation.
        """

    def augment_keys(self, epoch: int, indices: Indices, which: Indices) -> keys.Key:  # noqa: ARG002  # for subclasses
        """Give the keys of the augmentation of some samples, uint64 [N]; arguments as those of `samples`."""
        return keys.fold_in(self.augment_key, epoch, indices)

    def good(self, epoch: int, start: int, stop: int) -> Iterator[RowT]:
        """Yield the samples at some positions; in place of a bad one, nothing, or the next good one of this shard."""
        indices, rows = self._drawn(epoch, np.arange(start, stop))
        for place, row in enumerate(rows):
            stop_if_ending()
            if not isinstance(row, SampleError):
                yield row
                continue
            self.ledger.record(int(indices[place]), row)
            if self.replaces:
                yield self._substitute(epoch, start + place)

    def _substitute(self, epoch: int, position: int) -> RowT:
        for ahead in range(1, len(self.order)):
            indices, (row,) = self._drawn(epoch, [(position + ahead) % len(self.order)])
            if not isinstance(row, SampleError):
                return row
            self.ledger.record(int(indices[0]), row)
        raise TooManyErrorsError(f"all {len(self.order)} samples are bad; the last: {self.ledger.rows[-1]}")

    def _drawn(self, epoch: int, positions: ArrayLike) -> tuple[Indices, Iterator[RowT | SampleError]]:
        """Draw the samples at some positions of an epoch: their indices in the source, and what is made of them."""
        indices, which = np.divmod(self.order(epoch, positions), self.per_sample)
        if self.members is not None:
            indices = self.members[indices]
        return indices, self.samples(indices, which, self.augment_keys(epoch, indices, which))
