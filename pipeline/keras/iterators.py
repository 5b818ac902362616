"""The iterators that `ImageDataGenerator.flow*` return, which Keras trains on, and their datasets."""

import itertools
import operator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.error_log import BadSample
from pipeline.errors import OptionError, SampleError
from pipeline.feeds.look_ahead import LookAhead
from pipeline.images.stages import Batch
from pipeline.keras.stream import Stream
from pipeline.processors import count_processors

if TYPE_CHECKING:
    import tensorflow as tf


class FlowIterator(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """An endless iterator over batches of arrays, with random access to the steps of an epoch.

    `it[step]` is a pure function of the epoch and the step. `on_epoch_end()` advances to the next epoch, as does
    `next(it)` at the end of an epoch.

    Attributes:
        n: number of samples per epoch.
        batch_size: number of samples per batch; the last batch of an epoch may have fewer.
        shuffle: whether each epoch has its own order.
        seed: seed of the order and the transforms, as passed or drawn.
        stream: definition of the stream.
    """

    def __init__(self, stream: Stream, shuffle: bool) -> None:
        super().__init__(workers=count_processors(), max_queue_size=2 * count_processors())
        if not stream.num_examples:
            raise OptionError("no images to iterate over")
        self.stream = stream
        self.shuffle = shuffle
        self.n = stream.num_examples
        self.batch_size = stream.layout.block
        self.seed = stream.seed
        self._begin(epoch=0)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return self.stream.steps_per_epoch

    def __getitem__(self, idx: int) -> Any:
        """Return one batch of this epoch: images, (images, targets) or (images, targets, weights)."""
        idx = operator.index(idx)
        if not 0 <= idx < len(self):
            raise OptionError(f"batch {idx} is out of range: an epoch has {len(self)} batches")
        return self._save(*self._compute(self.epoch, idx))

    def __iter__(self) -> "FlowIterator":
        return self

    def __next__(self) -> Any:
        return self._save(*next(self._batches))

    def next(self) -> Any:
        """Return the next batch; the iterator is endless."""
        return next(self)

    @property
    def epoch(self) -> int:
        """The current epoch, of `next(it)` and `it[step]`."""
        return self._position[0]

    @property
    def batch_index(self) -> int:
        """The step of this epoch that `next(it)` returns."""
        return self._position[1]

    @property
    def total_batches_seen(self) -> int:
        """The number of steps since the first epoch began."""
        return self.epoch * len(self) + self.batch_index

    @property
    def errors(self) -> tuple[BadSample, ...]:
        """The bad samples so far: (sample, stage, reason)."""
        return self.stream.errors

    @property
    def index_array(self) -> NDArray[np.int64]:
        """The indices of the samples in the order of this epoch, int64 [n], bad samples included."""
        return self.stream.batches.stages.order(self.epoch, np.arange(self.n))

    def reset(self) -> None:
        """Return to the beginning of this epoch if no batch was taken, else advance to the next epoch."""
        self._begin(self.epoch + (self.batch_index > 0))

    def on_epoch_end(self) -> None:
        """Advance to the next epoch; Keras calls this."""
        self._begin(self.epoch + 1)

    def dataset(self, epoch: int = 0, step: int = 0) -> "tf.data.Dataset":
        """Return a `tf.data.Dataset` of the same batches, which `model.fit` reads faster than this iterator.

        Each iteration yields one epoch: the first the rest of `epoch`, the following the next epochs.

        Args:
            epoch: first epoch.
            step: first step of that epoch.

        Raises:
            OptionError: the position is out of range.
        """
        return self.stream.dataset(epoch, step)

    def _begin(self, epoch: int) -> None:
        """Let `next` continue at the beginning of an epoch."""
        processors = count_processors()
        self._first = epoch * len(self)
        self._batches = LookAhead(
            lambda number: self._compute(*divmod(number, len(self))),
            itertools.count(self._first),
            threads=processors,
            ahead=processors,
        )

    @property
    def _position(self) -> tuple[int, int]:
        """(epoch, step) of the batch that `next` will return."""
        return divmod(self._first + self._batches.taken, len(self))

    def _compute(self, epoch: int, step: int) -> tuple[Batch, Any]:
        """Return a batch of the stream, and the same batch with its targets."""
        batch = self.stream.batch(epoch, step)
        if not len(batch.images):  # the loss of an empty batch is NaN
            bad = self.errors[-1]
            raise SampleError(bad.sample, f'{bad.reason} (every sample of this batch is bad; use on_error="replace")')
        return batch, self.stream.targets.make_arrays(batch.images, batch.labels)

    def _save(self, batch: Batch, arrays: Any) -> Any:
        """Write pictures of a batch at the moment when it is returned, and return it with its targets."""
        self.stream.save(batch)
        return arrays
