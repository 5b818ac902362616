"""The look-ahead: order, errors in their place, bounds, and threads that end."""

import contextlib
import gc
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.feeds.look_ahead import LookAhead, iterate_ahead

ROOT = Path(__file__).parents[2]


def live_threads() -> int:
    """Count the threads of all look-aheads."""
    return sum(thread.name == "caudal-ahead" for thread in threading.enumerate())


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> bool:
    """Wait until a condition holds, and tell whether it does."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.fixture(autouse=True)
def _others_threads_have_ended() -> None:
    """Some tests count threads."""
    gc.collect()
    wait_until(lambda: live_threads() == 0, timeout_s=2)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("ahead", [0, 1, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 23])
def test_items_come_in_order_whichever_is_computed_first(threads: int, ahead: int, count: int) -> None:
    """Earlier items take longer here than later ones."""

    def compute(item: int) -> int:
        time.sleep(0.002 * (3 - item % 4))
        return item * item

    assert list(LookAhead(compute, range(count), threads=threads, ahead=ahead)) == [
        item * item for item in range(count)
    ]


def test_no_more_items_are_begun_than_asked_for() -> None:
    """The current one, and `ahead` behind it."""
    begun: list[int] = []
    items = LookAhead(lambda item: begun.append(item) or item, itertools.count(), threads=3, ahead=4)
    assert begun == []
    for number in range(5):
        assert next(items) == number
        assert wait_until(lambda number=number: len(begun) == number + 5)
        time.sleep(0.02)
        assert sorted(begun) == list(range(number + 5))
    assert items.taken == 5
    items.close()


def test_as_many_items_are_computed_at_once_as_there_are_threads() -> None:
    """Three items wait for each other: two threads would never compute them."""
    together = threading.Barrier(3)
    items = LookAhead(lambda item: together.wait(20) >= 0 and item, range(6), threads=3, ahead=5)
    assert list(items) == list(range(6))


def test_an_error_is_raised_in_the_place_of_its_item() -> None:
    """What comes before and behind it comes as well."""

    def compute(item: int) -> int:
        if item % 3 == 1:
            raise KeyError(item)
        return item

    items = LookAhead(compute, range(6), threads=2, ahead=3)
    results: list[object] = []
    for _ in range(6):
        try:
            results.append(next(items))
        except KeyError as error:
            results.append(error.args)
    assert results == [0, (1,), 2, 3, (4,), 5]
    assert items.taken == 6
    with pytest.raises(StopIteration):
        next(items)


def test_a_stop_iteration_of_the_function_ends_nothing() -> None:
    """It would hide the items behind it."""
    items = LookAhead(lambda _: next(iter(())), range(3), threads=1, ahead=1)
    with pytest.raises(RuntimeError, match="computing 0 raised StopIteration"):
        next(items)


def test_an_iterable_is_iterated_to_its_end() -> None:
    """All items, None among them, also where it is empty."""
    assert list(iterate_ahead([1, None, 3], 1)) == [1, None, 3]
    assert list(iterate_ahead([], 2)) == []


def test_an_iterable_is_iterated_in_one_other_thread() -> None:
    """`items` need not be safe in several threads."""

    def idents() -> Iterator[int]:
        for _ in range(20):
            yield threading.get_ident()

    seen = set(iterate_ahead(idents(), 5))
    assert len(seen) == 1
    assert seen != {threading.get_ident()}


def test_an_error_of_an_iterable_comes_behind_its_items() -> None:
    """A generator is over after its error."""

    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    items = iterate_ahead(failing(), 4)
    assert next(items) == 1
    with pytest.raises(KeyError, match="gone"):
        next(items)
    assert list(items) == []


def test_many_threads_share_the_items() -> None:
    """Each item goes to one of them."""
    items = LookAhead(lambda item: item, range(400), threads=3, ahead=6)
    taken: list[int] = []
    consumers = [threading.Thread(target=lambda: taken.extend(items)) for _ in range(8)]
    for consumer in consumers:
        consumer.start()
    for consumer in consumers:
        consumer.join()
    assert sorted(taken) == list(range(400))
    assert items.taken == 400


def test_closing_ends_the_threads_and_the_iteration() -> None:
    """Also of an endless iterable."""
    before = live_threads()
    items = LookAhead(lambda item: item, itertools.count(), threads=3, ahead=4)
    next(items)
    assert live_threads() == before + 3
    items.close()
    assert live_threads() == before
    assert list(items) == []
    items.close()


@pytest.mark.parametrize(
    "items", [iterate_ahead(range(3), 1), LookAhead(lambda item: item, range(3), threads=2, ahead=1)]
)
def test_the_end_ends_the_threads(items: LookAhead[object, int]) -> None:
    """Nobody has to close what was iterated to its end."""
    before = live_threads()
    assert list(items) == [0, 1, 2]
    assert live_threads() == before


def test_closing_lets_go_of_what_was_iterated() -> None:
    """An iterator of TensorFlow holds buffers and threads."""

    def endless() -> Iterator[int]:
        while True:
            yield 1

    source = endless()
    gone = weakref.ref(source)
    items = iterate_ahead(source, 2)
    next(items)
    del source
    items.close()
    gc.collect()
    assert wait_until(lambda: gone() is None)


def test_closing_does_not_wait_for_an_item_that_is_stuck() -> None:
    """Its thread ends behind it."""
    before, begun, release = live_threads(), threading.Event(), threading.Event()

    def compute(item: int) -> None:
        if item == 1:
            begun.set()
            release.wait(60)

    items = LookAhead(compute, itertools.count(), threads=1, ahead=1)
    next(items)
    assert begun.wait(20)
    begin = time.monotonic()
    items.close()
    assert time.monotonic() - begin < 10
    assert live_threads() == before + 1
    release.set()
    assert wait_until(lambda: live_threads() == before)


def test_threads_of_what_was_dropped_end() -> None:
    """Without `close`, and without running a finalizer."""
    before = live_threads()
    items = LookAhead(lambda item: item, itertools.count(), threads=2, ahead=4)
    next(items)
    assert live_threads() > before
    del items
    assert wait_until(lambda: live_threads() == before)


def test_results_are_not_kept() -> None:
    """A batch is freed when its user has let go of it, although no further one is asked for."""

    class Batch:
        pass

    items = LookAhead(lambda _: Batch(), itertools.repeat(None), threads=2, ahead=0)
    gone = weakref.ref(next(items))
    assert wait_until(lambda: gone() is None)
    items.close()


def test_errors_are_not_kept() -> None:
    """No cycle holds an error, and with it all that its frames refer to."""

    class Batch:
        pass

    references: list[weakref.ref[Batch]] = []

    def fail(_: None) -> None:
        batch = Batch()
        references.append(weakref.ref(batch))
        raise ValueError

    gc.collect()
    gc.disable()
    try:
        items = LookAhead(fail, [None], threads=1, ahead=0)
        with contextlib.suppress(ValueError):
            next(items)
        assert wait_until(lambda: references[0]() is None)
    finally:
        gc.enable()


def run(script: str, *, interrupt: bool = False) -> tuple[int, str, str, float]:
    """Run a program that prints "ready" first; returns its status, its further output, and the seconds they took."""
    program = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + textwrap.dedent(script)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        begin = time.monotonic()
        if interrupt:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors, time.monotonic() - begin
    finally:
        process.kill()


SHAPES = {
    "idle": "it = LookAhead(lambda item: item, itertools.count(), threads=2, ahead=3); next(it)",
    "never asked": "it = LookAhead(lambda item: item, itertools.count(), threads=2, ahead=3)",
    "busy": "it = LookAhead(lambda item: item and sum(range(10**5)), itertools.count(), threads=2, ahead=99); next(it)",
    "stuck": "it = LookAhead(lambda item: item and time.sleep(100), itertools.count(), threads=2, ahead=30); next(it)",
    "iterable": "it = iterate_ahead(itertools.count(), 4); next(it)",
    "in a cycle": "it = LookAhead(lambda item: item, itertools.count(), threads=2, ahead=3); next(it); it.it = it",
    "in a thread": "it = iterate_ahead(itertools.count(), 4); t = threading.Thread(target=next, args=(it,)); t.start()",
}


@pytest.mark.parametrize("end", ["pass", "sys.exit(3)", "raise ValueError"])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_program_with_a_live_iterator_ends_with_its_own_status(shape: str, end: str) -> None:
    """At once, or where items are stuck after half a second."""
    status, _, errors, seconds = run(f"""
        import itertools, sys, threading, time
        from pipeline.feeds.look_ahead import LookAhead, iterate_ahead
        {SHAPES[shape]}
        print("ready", flush=True)
        {end}
    """)
    assert status == {"pass": 0, "sys.exit(3)": 3, "raise ValueError": 1}[end], errors
    assert ("Traceback" in errors) == (end == "raise ValueError"), errors
    assert seconds < 10


def test_ctrl_c_interrupts_the_wait_and_loses_no_item() -> None:
    """The item that was waited for comes next."""
    status, output, errors, _ = run(
        """
        import time
        from pipeline.feeds.look_ahead import LookAhead
        it = LookAhead(lambda item: time.sleep(2) or item, range(2), threads=2, ahead=1)
        try:
            print("ready", flush=True)
            next(it)
        except KeyboardInterrupt:
            print("interrupted", list(it))
        """,
        interrupt=True,
    )
    assert (status, output) == (0, "interrupted [0, 1]\n"), errors


def test_ctrl_c_ends_a_program_that_closes_what_is_stuck() -> None:
    """By the signal's own status; a further Ctrl-C is not needed."""
    status, _, errors, seconds = run(
        """
        import contextlib, time
        from pipeline.feeds.look_ahead import iterate_ahead
        with contextlib.closing(iterate_ahead(map(time.sleep, [0, 100, 100]), 2)) as it:
            next(it)
            print("ready", flush=True)
            next(it)
        """,
        interrupt=True,
    )
    assert status == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
    assert seconds < 10


def test_a_handler_at_exit_is_told_that_nothing_is_computed_any_more() -> None:
    """It would wait for ever."""
    status, output, errors, _ = run("""
        import atexit, itertools
        def use():
            try:
                list(itertools.islice(it, 9))
            except RuntimeError as error:
                print(error)
        atexit.register(use)
        from pipeline.feeds.look_ahead import LookAhead
        it = LookAhead(lambda item: item, itertools.count(), threads=1, ahead=1)
        print("ready", flush=True)
    """)
    assert (status, output) == (0, "the program is ending; no further batches are computed\n"), errors
