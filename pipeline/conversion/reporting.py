"""How far a conversion is, and what it left out."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline import errors
from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import ConversionPlan
from pipeline.conversion.tasks import Skipped
from pipeline.error_log import ErrorLog
from pipeline.errors import SampleError


@dataclass(frozen=True)
class Counts:
    """How far a conversion is.

    Attributes:
        done: records that are written or left out.
        total: records there are.
        bytes: that were written.
        errors: records that were left out.
        content: what the records are: "images" or "texts".
    """

    done: int
    total: int
    bytes: int
    errors: int
    content: str


Watch = Callable[[Counts], None]
"""Called now and then while a conversion runs."""


class Reporter:
    """Counts what workers report, writes the ledger, and tells who watches."""

    def __init__(self, options: Conversion, planned: ConversionPlan, watch: Watch | None) -> None:
        self._total = sum(map(len, planned.order.values()))
        self._ledger = ErrorLog(options.on_error, options.max_errors, self._total)
        self._watch = watch
        self._content = planned.content
        self._done = self._size = 0

    def written(self, records: int, size: int) -> None:
        """So many more records, of so many bytes, are done; fewer where a worker died that had them."""
        self._done += records
        self._size += size
        if self._watch is not None and records:
            self._watch(Counts(self._done, self._total, self._size, len(self._ledger), self._content))

    def skipped(self, row: Skipped) -> None:
        """Write a record that is left out into the ledger.

        Raises:
            SampleError: none may be left out.
            TooManyErrorsError: more are than allowed.
        """
        self._ledger.record(row.number, _sample_error(row))


def _sample_error(row: Skipped) -> SampleError:
    """Create the error again that a record was left out for."""
    kind = getattr(errors, row.kind, None)
    if not isinstance(kind, type) or not issubclass(kind, SampleError):
        kind = SampleError
    return kind(row.sample, row.reason)
