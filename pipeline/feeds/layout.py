"""How the batches of a stream are computed and divided into epochs, whatever yields them: tf.data, or arrays."""

import threading
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.error_log import ErrorLog
from pipeline.errors import OptionError
from pipeline.options import check_integer, raise_first
from pipeline.sources.base import Source


class Batches(Protocol):
    """Computes the batches of a dataset: the stages of images or texts, or an object around them.

    Attributes:
        error_log: records the bad samples.
        source: its `class_names` determine the width of categorical labels.
        label_mode: "int", "categorical", "binary" or None.
        element_spec: the shape and dtype of the features of one sample; a side that may differ is None.
    """

    @property
    def error_log(self) -> ErrorLog: ...  # noqa: D102  # described above
    @property
    def source(self) -> Source: ...  # noqa: D102
    @property
    def label_mode(self) -> str | None: ...  # noqa: D102
    @property
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]: ...  # noqa: D102

    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Return a batch of the samples at positions start to stop of an epoch: (features, labels, keys)."""
        ...


class EpochCounter:
    """Counts the epochs of a dataset's iterations: the first starts at any position, each further one the next epoch.

    Args:
        epoch: the epoch of the first iteration.
        position: the sample at which the first iteration starts.
    """

    def __init__(self, epoch: int, position: int) -> None:
        self._next = (epoch, position)
        self._lock = threading.Lock()

    def __call__(self) -> tuple[int, int]:
        """Return the next epoch and its first position."""
        with self._lock:
            epoch, position = self._next
            self._next = (epoch + 1, 0)
        return epoch, position


@dataclass(frozen=True, kw_only=True)
class EpochLayout:
    """How an epoch is divided into batches.

    Attributes:
        length: number of samples per epoch.
        batch_size: number of samples per batch; None for single samples.
        drop_remainder: whether a last batch that is not full is dropped.
        has_variable_batches: whether bad samples are skipped, so that a batch may be smaller than `batch_size`.
        num_parallel_calls: number of batches that are computed at once.
        prefetch: number of batches that are kept ready.
        with_keys: whether the samples' keys follow the labels.
        with_labels: whether there are labels.
        static_batch: whether the graph declares the batch size if all batches are full.
    """

    length: int
    batch_size: int | None
    drop_remainder: bool
    has_variable_batches: bool
    num_parallel_calls: int
    prefetch: int
    with_keys: bool
    with_labels: bool
    static_batch: bool = True

    @property
    def block(self) -> int:
        """The number of samples per call."""
        return self.batch_size or 1

    @property
    def steps(self) -> int:
        """The number of steps per epoch."""
        return self.length // self.block if self.drop_remainder else -(-self.length // self.block)

    @property
    def stop(self) -> int:
        """The position after the last sample of an epoch that is yielded."""
        return min(self.steps * self.block, self.length)

    def check_position(self, epoch: int, step: int) -> tuple[int, int]:
        """Check a position of the stream, and return it as integers of Python.

        Raises:
            OptionError: it is out of range, or not of integers.
        """
        raise_first((*check_integer("epoch", epoch, 0), *check_integer("step", step, 0)))
        epoch, step = int(epoch), int(step)
        if step > self.steps:
            raise OptionError(f"{epoch=}, {step=} is out of range: an epoch has {self.steps} steps")
        return epoch, step


def compute_batch(
    batches: Batches, layout: EpochLayout, iteration: int, epoch: int, start: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
    """Return the batch of an iteration that begins at a position of an epoch; the error log records why there is none.

    Raises:
        Exception: as `Batches.batch` does.
    """
    try:
        return batches.batch(epoch, start, min(start + layout.block, layout.length))
    except Exception as error:
        batches.error_log.record_failure(iteration, epoch, start, error)
        raise


def find_element_spec(batches: Batches, epoch: int) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
    """Return the element spec; the error log records why there is none, as a failure at the beginning of an epoch.

    Raises:
        SampleError: no sample is good.
    """
    try:
        return batches.element_spec
    except Exception as error:
        batches.error_log.record_failure(batches.error_log.begin_iteration(), epoch, 0, error)
        raise
