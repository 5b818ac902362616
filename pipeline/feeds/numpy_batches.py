"""The batches of a stream as NumPy arrays, computed by threads of this process or by workers, without TensorFlow."""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.feeds.layout import Batches, EpochCounter, EpochLayout, compute_batch, find_element_spec
from pipeline.feeds.look_ahead import LookAhead

_Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]


class NumpyBatches(Iterable[Any]):
    """The batches of a stream; each iteration yields one epoch, and the next one the next epoch.

    The elements are those of the loader's `tf.data.Dataset` as its `as_numpy_iterator` yields them: the same structure,
    shapes, dtypes and bytes. An array's memory is used again when the array and all its views are gone.

    An error is raised as it is, in the position of its batch, and the iteration can continue after it.

    Attributes:
        loader: the loader that it belongs to.
        class_names: the classes in the order of their labels.
    """

    def __init__(self, loader: Any, batches: Batches, layout: EpochLayout, epoch: int, step: int) -> None:
        cv2.setNumThreads(0)  # OpenCV's own threads would compete with those that compute batches
        find_element_spec(batches, epoch)
        self.loader = loader
        self.class_names = list(batches.source.class_names)
        self._batches = batches
        self._layout = layout
        self._take_epoch = EpochCounter(epoch, step * layout.block)

    def __len__(self) -> int:
        """The number of steps of a whole epoch; an iteration may have fewer, if it starts at a step or samples are bad.

        With `batch_size=None` a step is a sample.
        """
        return self._layout.steps

    def __iter__(self) -> "NumpyIterator":
        """Iterate over one epoch, which the first `next` determines."""
        return NumpyIterator(self._batches, self._layout, self._take_epoch)


class NumpyIterator(Iterator[Any]):
    """Iterates over one epoch; at most `num_parallel_calls + prefetch` batches ahead of the consumer.

    Any number of threads may call `next`. Ctrl-C interrupts it, and loses no batch. Deleting the iterator ends its
    threads.

    Args:
        batches: computes the batches.
        layout: how an epoch is divided.
        take_epoch: returns the epoch and its first position; called by the first `next`.
    """

    def __init__(self, batches: Batches, layout: EpochLayout, take_epoch: EpochCounter) -> None:
        self._layout = layout
        self._owner = os.getpid()
        self._arrays: LookAhead[tuple[int, int, int], _Arrays] = LookAhead(
            partial(_compute, batches, layout),
            _iterate_positions(batches, layout, take_epoch),
            threads=layout.num_parallel_calls,
            ahead=layout.num_parallel_calls + layout.prefetch,
        )

    def __next__(self) -> Any:
        """Return the next batch.

        Raises:
            CaudalError: the batch's own error.
            RuntimeError: the iterator belongs to the process that has forked this one.
        """
        if os.getpid() != self._owner:
            raise RuntimeError(
                "this iterator belongs to the process that forked this one, and its threads do not exist here; iterate "
                "`loader.numpy()` anew"
            )
        while True:
            features, labels, keys = next(self._arrays)
            if len(features):  # else all samples are bad, and skipped
                return self._make_element(features, labels, keys)

    def close(self) -> None:
        """End the threads, and drop the batches that are ready; afterwards there is no next one."""
        self._arrays.close()

    def _make_element(self, *arrays: NDArray[Any]) -> Any:
        """Return what a dataset yields: an array alone, or a tuple; single samples without the axis of the batch."""
        features, labels, keys = arrays if self._layout.batch_size is not None else (array[0] for array in arrays)
        element = (
            features,
            *([labels] if self._layout.with_labels else []),
            *([keys] if self._layout.with_keys else []),
        )
        return element if len(element) > 1 else features


def _compute(batches: Batches, layout: EpochLayout, position: tuple[int, int, int]) -> _Arrays:
    return compute_batch(batches, layout, *position)


def _iterate_positions(
    batches: Batches, layout: EpochLayout, take_epoch: EpochCounter
) -> Iterator[tuple[int, int, int]]:
    """Yield the number of the iteration, the epoch and the first position of each batch."""
    iteration = batches.error_log.begin_iteration()
    epoch, start = take_epoch()
    for position in range(start, layout.stop, layout.block):
        yield iteration, epoch, position
