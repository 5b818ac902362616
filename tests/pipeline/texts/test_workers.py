"""Processes that augment: they answer what one process answers, and end with whoever started them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from augment.text import EDA
from augment.text.variants import Variants
from pipeline.errors import WorkerError
from pipeline.texts import workers as module
from pipeline.texts.workers import TextWorkers
from tests.pipeline.workers.processes import is_alive, until

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


def test_an_answer_belongs_to_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception between request and answer, and an answer to something else, replace the worker."""
    here, there = Variants(EDA(), 3), TextWorkers(EDA(), 3, 1)
    send, fails = module._send, [False, False, True]

    def send_and_fail(*request: Any) -> None:
        send(*request)
        if fails and fails.pop(0):
            raise MemoryError

    monkeypatch.setattr(module, "_send", send_and_fail)
    assert there(TEXTS[:2], [1, 2], [1, 1]) == here(TEXTS[:2], [1, 2], [1, 1])
    (first,) = there._processes
    with pytest.raises(MemoryError):
        there(TEXTS[:2], [3, 4], [1, 1])
    assert there(TEXTS[:2], [5, 6], [1, 1]) == here(TEXTS[:2], [5, 6], [1, 1])
    assert first.returncode == -9
    (second,) = there._processes
    send(second, '{"request": 99, "texts": ["a bad film"], "keys": [1], "numbers": [1]}')
    with pytest.raises(WorkerError, match="answered request 99 instead of 3"):
        there(["a good film"], [2], [1])
    assert there(["a good film"], [2], [1]) == here(["a good film"], [2], [1])
    assert second not in there._processes


FORKING = """
import os, sys, time
from augment.text import EDA
from augment.text.variants import Variants
from pipeline.texts.workers import TextWorkers
workers, here = TextWorkers(EDA(), None, 1), Variants(EDA(), None)
texts = [["a good film and a bad day", f"number {number} is a fine film"] for number in range(50)]

def is_right():
    return all(workers(each, [1, 2], [1, 1]) == here(each, [1, 2], [1, 1]) for each in texts)

assert is_right()
worker = workers._processes[0]
worker.stdin.write('{"request": 0, "texts": ["a good')  # buffered, as by another thread, which the fork lacks
child = os.fork()
if not child:
    sys.exit(7 if is_right() and workers._processes[0].pid != worker.pid else 1)  # with all exit handlers
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
worker.stdin.write(' film"], "keys": [1], "numbers": [1]}\\n')
worker.stdin.flush()
answer = worker.stdout.readline()
child = os.fork()
if not child:
    time.sleep(300)
print(child, worker.pid, status, is_right(), "texts" in answer, flush=True)
time.sleep(300)
"""


def test_a_fork_has_workers_of_its_own() -> None:
    """It neither disturbs those of its parent nor keeps them alive: they end with their owner."""
    with subprocess.Popen([sys.executable, "-c", FORKING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child, worker, *results = process.stdout.readline().split()
        process.kill()
        try:
            assert results == ["7", "True", "True"]
            until(lambda: not is_alive(int(worker)))
            assert is_alive(int(child))
        finally:
            os.kill(int(child), signal.SIGKILL)
