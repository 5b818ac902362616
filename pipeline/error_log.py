"""The error log: which samples were bad, at which stage, and why."""

import itertools
import threading
from collections.abc import Container
from dataclasses import dataclass

from pipeline.errors import SampleError, TooManyErrorsError


@dataclass(frozen=True, slots=True)
class BadSample:
    """One bad sample.

    Attributes:
        sample: its key, or its shard and record number.
        stage: "read", "decode" or "augment".
        reason: what is wrong with it.
    """

    sample: str
    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.sample} ({self.stage}): {self.reason}"


class ErrorLog:
    """Records bad samples, and raises if there are too many. Any number of threads may use it.

    Args:
        on_error: "raise" raises the first bad sample's error; "skip" and "replace" record it.
        max_errors: maximum number of bad samples: a count (int), a fraction of all samples (float), or None (no
            maximum).
        num_examples: the number of all samples.
    """

    def __init__(self, on_error: str, max_errors: float | None, num_examples: int) -> None:
        self._raises = on_error == "raise"
        self._max_errors = max_errors
        self._num_examples = num_examples
        self._bad_samples: dict[int, BadSample] = {}
        self._lock = threading.Lock()
        self._failures: dict[tuple[int, int, int], Exception] = {}
        self._iterations = itertools.count(1)
        self._is_failure_read = False

    @property
    def bad_samples(self) -> tuple[BadSample, ...]:
        """The bad samples so far, each once, in the order in which they were found."""
        with self._lock:
            return tuple(self._bad_samples.values())

    def __len__(self) -> int:
        """The number of bad samples so far."""
        return len(self._bad_samples)

    @property
    def failure(self) -> Exception | None:
        """The error that ended the latest iteration that failed; `tf.data` raises an error of its own for it.

        Several batches are computed at once and may fail; `tf.data` raises the first in the order of the stream.
        """
        with self._lock:
            self._is_failure_read = True
            latest = max((iteration for iteration, _, _ in self._failures), default=0)
            positions = [key for key in self._failures if key[0] == latest]
            return self._failures[min(positions)] if positions else None

    def record_failure(self, iteration: int, epoch: int, position: int, error: Exception) -> None:
        """Record the error of the batch at a position of an epoch, in an iteration."""
        with self._lock:
            self._failures[iteration, epoch, position] = error
            self._is_failure_read = False

    def begin_iteration(self) -> int:
        """Return the number of a new iteration, and forget the failures of earlier ones once they have been read.

        Iterations may run at the same time: one that begins must not hide the failure of another.
        """
        with self._lock:
            if self._is_failure_read:
                self._failures.clear()
            return next(self._iterations)

    def record(self, index: int, error: SampleError) -> None:
        """Record a bad sample, once for all epochs.

        Args:
            index: of the sample in its source: keys may repeat in datasets of other programs.
            error: the sample's error.

        Raises:
            SampleError: `error`, if `on_error` is "raise".
            TooManyErrorsError: there are now more bad samples than `max_errors` allows.
        """
        self.add_bad_sample(index, BadSample(error.sample, error.stage, error.reason))
        if self._raises:
            raise error

    def add_bad_sample(self, index: int, bad: BadSample) -> None:
        """Record a bad sample as `record` does, without raising its error.

        Raises:
            TooManyErrorsError: there are now more bad samples than `max_errors` allows.
        """
        with self._lock:
            self._bad_samples.setdefault(index, bad)
            count = len(self._bad_samples)
        if not self._raises and self._max_errors is not None and count > self._compute_limit():
            raise TooManyErrorsError(
                f"{count} of {self._num_examples} samples are bad, more than max_errors={self._max_errors}; "
                f"the last: {SampleError(bad.sample, bad.reason)}"
            )

    def get_by_index(self, excluding: Container[int] = ()) -> dict[int, BadSample]:
        """Return the bad samples by their indices, without those in `excluding`."""
        with self._lock:
            return {index: bad for index, bad in self._bad_samples.items() if index not in excluding}

    def _compute_limit(self) -> float:
        assert self._max_errors is not None  # noqa: S101  # for the type checker: the caller has looked
        return self._max_errors if isinstance(self._max_errors, int) else self._max_errors * self._num_examples
