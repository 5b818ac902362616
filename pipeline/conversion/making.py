"""Making the records of a task in order, in several threads where that helps."""

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial

from pipeline.conversion.records import Record, Records
from pipeline.conversion.tasks import Skipped, TaskReporter
from pipeline.errors import SampleError
from pipeline.look_ahead import LookAhead

_AHEAD = 4
"""Records under way for each thread: enough that none waits for a slow one before it."""


def good_records(
    records: Records, numbers: Iterable[int], report: TaskReporter, skipped: list[Skipped], threads: int
) -> Iterator[tuple[int, Record]]:
    """Yield the good records with their numbers, in order; the bad ones are added to `skipped`.

    Decoding, resizing and encoding let go of Python's lock, so threads share the processors.

    Raises:
        SampleError: a record is bad, and `report` does not bear it.
    """
    with _make_all(records, numbers, threads) as attempts:
        for number, made in attempts:
            if not isinstance(made, SampleError):
                yield number, made
            else:
                row = Skipped(number, made.sample, made.stage, made.reason, type(made).__name__)
                report.skipped(row)
                report.written(1, 0)
                skipped.append(row)


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
