"""Making the records of a task in order, in several threads where that helps."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.conversion.records import Record, Records
from pipeline.conversion.tasks import Report, Skipped
from pipeline.errors import SampleError

_AHEAD = 4
"""Records under way for each thread: enough that none waits for a slow one before it."""


def good_records(
    records: Records, numbers: Iterable[int], report: Report, skipped: list[Skipped], threads: int
) -> Iterator[tuple[int, Record]]:
    """Yield the good records with their numbers, in order; the bad ones are added to `skipped`.

    Decoding, resizing and encoding let go of Python's lock, so threads share the processors.

    Raises:
        SampleError: a record is bad, and `report` does not bear it.
    """
    for number, made in _made(records, numbers, threads):
        if not isinstance(made, SampleError):
            yield number, made
        else:
            row = Skipped(number, made.sample, made.stage, made.reason, type(made).__name__)
            report.skipped(row)
            report.written(1, 0)
            skipped.append(row)


def _made(records: Records, numbers: Iterable[int], threads: int) -> Iterator[tuple[int, Record | SampleError]]:
    if threads == 1:
        for number in numbers:
            yield number, _attempt(records, number)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="caudal") as pool:
        under_way: deque[tuple[int, Future[Record | SampleError]]] = deque()
        try:
            for number in numbers:
                under_way.append((number, pool.submit(_attempt, records, number)))
                if len(under_way) > _AHEAD * threads:
                    first, future = under_way.popleft()
                    yield first, future.result()
            while under_way:
                first, future = under_way.popleft()
                yield first, future.result()
        finally:
            for _, future in under_way:
                future.cancel()


def _attempt(records: Records, number: int) -> Record | SampleError:
    try:
        return records.make(number)
    except SampleError as error:
        return error
