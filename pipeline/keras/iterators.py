"""What `ImageDataGenerator.flow*` return: endless iterators that Keras trains on, and the datasets that feed them."""

import itertools
import os
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.error_log import BadSample
from pipeline.errors import OptionError, SampleError
from pipeline.feeds import graph
from pipeline.keras.stream import Stream
from pipeline.keras.targets import BatchTargets
from pipeline.threads.look_ahead import LookAhead

if TYPE_CHECKING:
    import tensorflow as tf


class FlowIterator(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """Batches of arrays: by number, or one after the other without end.

    `it[step]` is a pure function of the epoch and the step; `on_epoch_end()` goes to the next epoch, as does `next(it)`
    at the end of one.

    Attributes:
        n: samples in an epoch.
        batch_size: samples in a batch; the last one of an epoch may have fewer.
        shuffle: whether each epoch has an order of its own.
        seed: of the order and the transforms: the one given, or drawn.
        stream: the definition behind it.
        targets: what stands beside the images.
    """

    def __init__(self, stream: Stream, targets: BatchTargets, shuffle: bool) -> None:
        super().__init__(workers=len(os.sched_getaffinity(0)), max_queue_size=2 * len(os.sched_getaffinity(0)))
        if not stream.num_examples:
            raise OptionError("there is no image to iterate over")
        self.stream = stream
        self.targets = targets
        self.shuffle = shuffle
        self.n = stream.num_examples
        self.batch_size = stream.layout.block
        self.seed = stream.seed
        self._begin(epoch=0)

    def __len__(self) -> int:
        """The batches of an epoch."""
        return self.stream.steps_per_epoch

    def __getitem__(self, idx: int) -> Any:
        """Compute one batch of this epoch: images, (images, targets) or (images, targets, weights)."""
        if not 0 <= idx < len(self):
            raise OptionError(f"asked to retrieve element {idx}, but the iterator has length {len(self)}")
        return self._compute(self.epoch, int(idx))

    def __iter__(self) -> "FlowIterator":
        return self

    def __next__(self) -> Any:
        return next(self._batches)

    def next(self) -> Any:
        """Give the next batch; there is always one."""
        return next(self)

    @property
    def epoch(self) -> int:
        """The epoch that `next` is in, and that `it[step]` belongs to."""
        return self._position[0]

    @property
    def batch_index(self) -> int:
        """The step of this epoch that `next` will give."""
        return self._position[1]

    @property
    def total_batches_seen(self) -> int:
        """The steps from the beginning of the first epoch to here."""
        return self.epoch * len(self) + self.batch_index

    @property
    def errors(self) -> tuple[BadSample, ...]:
        """The bad samples that were met so far: (sample, stage, reason)."""
        return self.stream.errors

    @property
    def index_array(self) -> NDArray[np.int64]:
        """The samples' numbers in the order of this epoch, int64 [n], bad ones included."""
        return self.stream.batches.stages.order(self.epoch, np.arange(self.n))

    def reset(self) -> None:
        """Begin an epoch: the next one, where this one has begun."""
        self._begin(self.epoch + (self.batch_index > 0))

    def on_epoch_end(self) -> None:
        """Go to the next epoch; Keras calls this."""
        self._begin(self.epoch + 1)

    def dataset(self, epoch: int = 0, step: int = 0) -> "tf.data.Dataset":
        """Build the `tf.data.Dataset` of the same batches; under `model.fit` it is faster than the iterator itself.

        Iterating it once gives an epoch, again the next one.

        Args:
            epoch: at which it begins.
            step: of that epoch.

        Raises:
            OptionError: there is no such position.
        """
        numbered = self.stream.dataset(epoch, step)
        dataset = numbered.map(graph.without_autograph(self.targets.make_tensors))
        if "cardinality" in vars(numbered):  # known to us, not to tf.data; see pipeline/feeds/graph.py
            dataset.cardinality = numbered.cardinality
        dataset.loader = self.stream
        return dataset

    def _begin(self, epoch: int) -> None:
        """Let `next` continue with the beginning of an epoch."""
        processors = len(os.sched_getaffinity(0))
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

    def _compute(self, epoch: int, step: int) -> Any:
        batch = self.stream.batch(epoch, step)
        if not len(batch.images):  # a model would make NaN of it
            bad = self.errors[-1]
            raise SampleError(bad.sample, f'{bad.reason} (all of this batch is bad; on_error="replace" would fill it)')
        return self.targets.make_arrays(batch.images, batch.labels)
