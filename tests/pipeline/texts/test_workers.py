"""Processes that augment: they answer what one process answers, and end with whoever started them."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from augment.text import EDA
from augment.text.variants import Variants
from pipeline.errors import WorkerError
from pipeline.texts.workers import TextWorkers

TEXTS = ["a good film", "", "naïve 😀 \ud83d", "line\nbreak\u2028here", "שלום עולם"] * 10


def test_workers_answer_what_this_process_answers() -> None:
    """Any text, from any number of threads."""
    here, there = Variants(EDA(), 3), TextWorkers(EDA(), 3, 2)
    keys, numbers = list(range(50)), [number % 4 for number in range(50)]
    expected = here(TEXTS, keys, numbers)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: there(TEXTS, keys, numbers), range(8)))
    assert answers == [expected] * 8
    assert there.list_variants(TEXTS, keys) == here.list_variants(TEXTS, keys)
    assert len(there._processes) == 2


def test_no_process_is_started_before_there_is_a_text() -> None:
    """Making a loader costs nothing."""
    assert TextWorkers(EDA(), None, 2)._processes == []


def test_a_worker_that_has_ended_is_an_error() -> None:
    """It is not waited for."""
    workers = TextWorkers(EDA(), None, 1)
    workers(["a good film"], [1], [1])
    workers._processes[0].kill()
    workers._processes[0].wait()
    with pytest.raises(WorkerError, match="ended with exit status -9"):
        workers(["a good film"], [1], [1])


def test_workers_end_with_their_caller(run_python: Callable[..., str]) -> None:
    """However that ends: here it ends at once, without cleaning up."""
    code = (
        "import os; from augment.text import EDA; from pipeline.texts.workers import TextWorkers\n"
        "workers = TextWorkers(EDA(), None, 1); workers(['a good film'], [1], [1])\n"
        "print(workers._processes[0].pid, flush=True); os._exit(0)"
    )
    pid = int(run_python(code))
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} goes on")


def test_an_interrupt_of_the_terminal_does_not_reach_a_worker() -> None:
    """Not even one that is just starting, which would print a traceback: the caller decides what Ctrl-C means."""
    workers = TextWorkers(EDA(), None, 1)
    workers(["a good film"], [1], [1])
    assert os.getpgid(workers._processes[0].pid) != os.getpgrp()


def test_dropped_workers_end() -> None:
    """With the object that started them."""
    workers = TextWorkers(EDA(), None, 1)
    workers(["a good film"], [1], [1])
    (process,) = workers._processes
    del workers
    assert process.wait(10) == 0
