"""The error log: one entry per bad sample, and a maximum of them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.error_log import BadSample, ErrorLog
from pipeline.errors import DecodeError, ReadError, TooManyErrorsError


def test_a_bad_sample_is_written_down_once() -> None:
    """Sample, stage and reason stand in a row, however many epochs meet the sample."""
    error_log = ErrorLog("skip", None, 10)
    for _ in range(3):
        error_log.record(0, DecodeError("a/1.jpg", "damaged"))
        error_log.record(1, ReadError("b/2.jpg", "gone"))
    assert error_log.bad_samples == (BadSample("a/1.jpg", "decode", "damaged"), BadSample("b/2.jpg", "read", "gone"))


def test_under_raise_the_error_itself_comes_and_is_written_down() -> None:
    """The first bad sample ends it, and is in the error log as well."""
    error_log, error = ErrorLog("raise", None, 10), DecodeError("a/1.jpg", "damaged")
    with pytest.raises(DecodeError, match=r"^a/1\.jpg: damaged$") as caught:
        error_log.record(0, error)
    assert caught.value is error
    assert error_log.bad_samples == (BadSample("a/1.jpg", "decode", "damaged"),)


@pytest.mark.parametrize(("max_errors", "borne"), [(0, 0), (3, 3), (0.25, 5), (0.26, 5), (1.0, 20), (0.0, 0)])
def test_as_many_as_allowed_are_borne_and_one_more_is_not(max_errors: float, borne: int) -> None:
    """An integer counts bad samples, a float is their share of all; the error says both and shows the last."""
    error_log = ErrorLog("skip", max_errors, 20)
    for number in range(borne):
        error_log.record(number, DecodeError(f"{number}.jpg", "damaged"))
    with pytest.raises(TooManyErrorsError) as caught:
        error_log.record(99, DecodeError("last.jpg", "damaged"))
    assert str(caught.value) == (
        f"{borne + 1} of 20 samples are bad, more than max_errors={max_errors}; the last: last.jpg: damaged"
    )


def test_the_same_sample_again_does_not_count_again() -> None:
    """A bad sample that comes in every epoch never exceeds the bound by itself."""
    error_log = ErrorLog("replace", 1, 10)
    for _ in range(5):
        error_log.record(7, DecodeError("a.jpg", "damaged"))
    assert len(error_log.bad_samples) == 1


def test_an_iteration_that_begins_does_not_hide_the_failure_of_another() -> None:
    """Until it has been read, whatever the order of threads; the failure is of the latest iteration that failed."""
    error_log = ErrorLog("raise", None, 10)
    first, error, later = error_log.begin_iteration(), DecodeError("a.jpg", "bad"), DecodeError("b.jpg", "bad")
    error_log.record_failure(first, 0, 8, later)
    error_log.record_failure(first, 0, 0, error)
    second = error_log.begin_iteration()
    assert error_log.failure is error
    error_log.record_failure(second, 1, 4, later)
    assert error_log.failure is later
    error_log.begin_iteration()
    assert error_log.failure is None


def test_many_threads_lose_no_row() -> None:
    """1,000 bad samples from eight threads are 1,000 rows."""
    error_log = ErrorLog("skip", None, 1_000)
    with ThreadPoolExecutor(8) as threads:
        bad = [(number % 1_000, ReadError(str(number), "gone")) for number in range(4_000)]
        list(threads.map(lambda row: error_log.record(*row), bad))
    assert len(error_log.bad_samples) == 1_000
