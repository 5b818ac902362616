"""The ledger: which samples were bad, at which stage, and why."""

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
    """Keeps a row for each bad sample, and stops where there are too many. Safe to write from any number of threads.

    Args:
        on_error: "raise" at the first bad sample; "skip" and "replace" write it down.
        max_errors: how many bad samples are borne: a number (int), a share of all samples (float), or any (None).
        num_examples: the number of all samples.
    """

    def __init__(self, on_error: str, max_errors: float | None, num_examples: int) -> None:
        self._raises = on_error == "raise"
        self._max_errors = max_errors
        self._num_examples = num_examples
        self._rows: dict[int, BadSample] = {}
        self._lock = threading.Lock()
        self._failures: dict[tuple[int, int], Exception] = {}

    @property
    def rows(self) -> tuple[BadSample, ...]:
        """The rows so far, one a sample, in the order in which they were found."""
        with self._lock:
            return tuple(self._rows.values())

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)

    @property
    def failure(self) -> Exception | None:
        """The error that ended an iteration, as it was raised: `tf.data` delivers it as one of its own.

        Several batches are under way at once; the one that is delivered is the first in the order of the stream.
        """
        with self._lock:
            return self._failures[min(self._failures)] if self._failures else None

    def record_failure(self, epoch: int, position: int, error: Exception) -> None:
        """Keep the error that the batch at a position of an epoch ended with."""
        with self._lock:
            self._failures[epoch, position] = error

    def begin(self) -> None:
        """Forget the failures of earlier iterations."""
        with self._lock:
            self._failures.clear()

    def record(self, index: int, error: SampleError) -> None:
        """Write down a bad sample; once, however many epochs meet it.

        Args:
            index: of the sample in its source: keys may repeat in datasets made elsewhere.
            error: what is wrong with it.

        Raises:
            SampleError: the error itself, under "raise".
            TooManyErrorsError: there are now more than `max_errors` allows.
        """
        self.add_bad_sample(index, BadSample(error.sample, error.stage, error.reason))
        if self._raises:
            raise error

    def add_bad_sample(self, index: int, row: BadSample) -> None:
        """Write down a row, as `record` does, but do not raise what it tells of.

        Raises:
            TooManyErrorsError: there are now more than `max_errors` allows.
        """
        with self._lock:
            self._rows.setdefault(index, row)
            count = len(self._rows)
        if not self._raises and self._max_errors is not None and count > self._compute_limit():
            raise TooManyErrorsError(
                f"{count} of {self._num_examples} samples are bad, more than max_errors={self._max_errors}; "
                f"the last: {SampleError(row.sample, row.reason)}"
            )

    def get_by_index(self, excluding: Container[int] = ()) -> dict[int, BadSample]:
        """Give the rows with the indices of their samples, but for some."""
        with self._lock:
            return {index: row for index, row in self._rows.items() if index not in excluding}

    def _compute_limit(self) -> float:
        assert self._max_errors is not None  # noqa: S101  # for the type checker: the caller has looked
        return self._max_errors if isinstance(self._max_errors, int) else self._max_errors * self._num_examples
