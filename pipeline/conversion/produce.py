"""Creating the records of a task in order, in one or several threads."""

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial

from pipeline.conversion.records import Record, Records
from pipeline.conversion.tasks import Skipped, TaskReporter
from pipeline.errors import SampleError
from pipeline.feeds.look_ahead import LookAhead

_AHEAD = 4
"""Records in progress per thread: enough that no thread waits for a slow record before it."""


def iter_good_records(
    records: Records, numbers: Iterable[int], report: TaskReporter, skipped: list[Skipped], threads: int
) -> Iterator[tuple[int, Record]]:
    """Yield the good records with their numbers, in order; append the bad ones to `skipped`.

    Decoding, resizing and encoding release the GIL, so that threads run in parallel.

    Raises:
        SampleError: a record is bad, and `report` does not tolerate it.
    """
    with _make_all(records, numbers, threads) as attempts:
        for number, outcome in attempts:
            if not isinstance(outcome, SampleError):
                yield number, outcome
            else:
                bad = Skipped(number, outcome.sample, outcome.stage, outcome.reason, type(outcome).__name__)
                report.skipped(bad)
                report.written(1, 0)
                skipped.append(bad)


_Attempt = tuple[int, Record | SampleError]


def _make_all(
    records: Records, numbers: Iterable[int], threads: int
) -> contextlib.AbstractContextManager[Iterator[_Attempt]]:
    make = partial(_make, records)
    if threads == 1:
        return contextlib.nullcontext(map(make, numbers))
    return contextlib.closing(LookAhead(make, numbers, threads=threads, ahead=_AHEAD * threads))


def _make(records: Records, number: int) -> _Attempt:
    try:
        return number, records.make(number)
    except SampleError as error:
        return number, error
