"""The sampler: yields the samples at positions of an epoch, of any kind of sample, and replaces bad ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from pipeline.error_log import ErrorLog
from pipeline.errors import SampleError, TooManyErrorsError
from pipeline.sampling.order import Indices, Order
from pipeline.shutdown import stop_if_ending
from pipeline.sources.base import Source

SampleT = TypeVar("SampleT")


@dataclass(frozen=True, kw_only=True)
class Sampler(ABC, Generic[SampleT]):
    """Yields the finished samples of an epoch; a subclass computes a sample and stacks a batch.

    A pure function of the epoch and the positions; any thread may call it at any time.

    Attributes:
        order: maps each position of an epoch to a sample.
        members: the indices of the subset's samples in the source, int64; None for all.
        source: reads a sample.
        augment_key: the key that augmentation keys are folded from, shape [].
        label_mode: "int", "categorical", "binary" or None.
        error_log: records the bad samples, or raises.
        replaces: whether the next good sample replaces a bad one.
    """

    order: Order
    members: Indices | None
    source: Source
    augment_key: keys.Key
    label_mode: str | None
    error_log: ErrorLog
    replaces: bool

    @property
    @abstractmethod
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
        """The shape and dtype of the features of one sample; a side that may differ is None."""

    @abstractmethod
    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Return a batch of the samples at positions start to stop of an epoch: (features, labels, keys)."""

    @property
    def repeats(self) -> int:
        """How often an epoch contains each sample of the source."""
        return 1

    @abstractmethod
    def samples(
        self, indices: Indices, repeat_index: Indices, sample_keys: keys.Key
    ) -> Iterator[SampleT | SampleError]:
        """Yield finished samples in order; a bad one's error takes its position.

        Args:
            indices: int64 [N], the samples' indices in their source.
            repeat_index: int64 [N], the samples' repeat indices, from 0.
            sample_keys: uint64 [N], the keys of their augmentation.
        """

    def augment_keys(self, epoch: int, indices: Indices, repeat_index: Indices) -> keys.Key:  # noqa: ARG002  # for subclasses
        """Return the keys of the samples' augmentation, uint64 [N]; the arguments are those of `samples`."""
        return keys.fold_in(self.augment_key, epoch, indices)

    def select(self, epoch: int, positions: ArrayLike) -> tuple[Indices, Indices, keys.Key]:
        """Select the samples at positions [N] of an epoch; return the three arguments of `samples`."""
        indices, repeat_index = np.divmod(self.order(epoch, positions), self.repeats)
        if self.members is not None:
            indices = self.members[indices]
        return indices, repeat_index, self.augment_keys(epoch, indices, repeat_index)

    def iter_good(
        self,
        epoch: int,
        start: int,
        stop: int,
        compute: Callable[[Indices, Indices, keys.Key], Iterator[SampleT | SampleError]] | None = None,
    ) -> Iterator[SampleT]:
        """Yield the good samples at positions of an epoch; skip a bad one, or yield the shard's next good one.

        Args:
            epoch: the epoch.
            start: the first position.
            stop: the position after the last.
            compute: computes the samples, except replacements; by default `samples`.
        """
        selected = self.select(epoch, np.arange(start, stop))
        for row, sample in enumerate((compute or self.samples)(*selected)):
            stop_if_ending()
            if not isinstance(sample, SampleError):
                yield sample
                continue
            self.error_log.record(int(selected[0][row]), sample)
            if self.replaces:
                yield self._find_replacement(epoch, start + row)

    def _find_replacement(self, epoch: int, position: int) -> SampleT:
        """Return the next good sample after a position; after the end of the epoch, search from its beginning."""
        for ahead in range(1, len(self.order)):
            selected = self.select(epoch, [(position + ahead) % len(self.order)])
            (sample,) = self.samples(*selected)
            if not isinstance(sample, SampleError):
                return sample
            self.error_log.record(int(selected[0][0]), sample)
        raise TooManyErrorsError(f"all {len(self.order)} samples are bad; the last: {self.error_log.bad_samples[-1]}")
