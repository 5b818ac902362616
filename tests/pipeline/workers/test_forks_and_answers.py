"""Workers belong to one process, and an answer belongs to one request."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pipeline import Loader
from pipeline.workers import process
from tests.pipeline.workers.processes import grandchildren, is_alive, until

STEPS = [(epoch, start, start + 4) for epoch in range(3) for start in range(0, 40, 4)]


def start_loader() -> Loader:
    """Return a loader of 40 noisy images with one started worker."""
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    loader = Loader((images, np.arange(40) % 3), image_size=None, batch_size=4, workers=1)
    loader.start_workers()
    return loader


loader = pytest.fixture(start_loader)


def is_right(loader: Loader, batch: Any, step: tuple[int, int, int]) -> bool:
    """Compare a batch with that of the loader's own stages."""
    return all(np.array_equal(*pair) for pair in zip(batch, loader._stages.batch(*step), strict=True))


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_answer_left_unread_is_not_taken_for_the_next(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """An exception between request and answer replaces the worker: the next batches are those asked for."""
    receive, fails = process._receive, [False, True]

    def fail_once(connection: Any) -> bytes:
        if fails and fails.pop():
            raise error
        return receive(connection)

    assert is_right(loader, loader._batches.batch(*STEPS[0]), STEPS[0])
    others = grandchildren()
    monkeypatch.setattr(process, "_receive", fail_once)
    with pytest.raises(error):
        loader._batches.batch(*STEPS[1])
    assert all(is_right(loader, loader._batches.batch(*step), step) for step in STEPS)
    assert grandchildren() != others


def test_an_answer_to_another_request_replaces_the_worker(loader: Loader) -> None:
    """A worker that answers something else, or the same position twice, is ended and asked again."""
    assert is_right(loader, loader._batches.batch(*STEPS[0]), STEPS[0])
    (worker,) = loader._batches._workers  # type: ignore[attr-defined]  # a pool
    for stray in ([99, *STEPS[5]], [0, *STEPS[1]]):
        run = worker.start()
        run.connections[0].send_bytes(json.dumps([stray, None]).encode())
        assert is_right(loader, loader._batches.batch(*STEPS[1]), STEPS[1])
        assert worker.start() is not run
    assert all(is_right(loader, loader._batches.batch(*step), step) for step in STEPS)


FORKING = """
import os, sys
from tests.pipeline.workers.test_forks_and_answers import STEPS, is_right, start_loader
from tests.pipeline.workers.processes import grandchildren
loader = start_loader()
before = grandchildren()
child = os.fork()
wrong = [step for step in 4 * STEPS if not is_right(loader, loader._batches.batch(*step), step)]
if not child:
    loader.start_workers()
    wrong += [step for step in 4 * STEPS if not is_right(loader, loader._batches.batch(*step), step)]
    os._exit(bool(wrong) or grandchildren() & before != set() or len(grandchildren()) != 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), wrong, grandchildren() == before, flush=True)
"""


def test_a_fork_has_workers_of_its_own() -> None:
    """Parent and child iterate one loader at the same time: both get their batches, from different workers."""
    found = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=200, check=False)
    assert (found.stdout, found.returncode) == ("0 [] True\n", 0), found.stderr


OUTLIVED = """
import os, sys, time
from tests.pipeline.workers.test_forks_and_answers import start_loader
from tests.pipeline.workers.processes import children, grandchildren
loader = start_loader()
ours = [*children(), *grandchildren()]
child = os.fork()
if not child:
    time.sleep(300)
print(child, *ours, flush=True)
time.sleep(300)
"""


def test_a_fork_does_not_keep_its_parents_workers_alive() -> None:
    """When their owner is killed, server and workers end, though a fork of the owner still runs."""
    process = subprocess.Popen([sys.executable, "-c", OUTLIVED], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child, *ours = map(int, process.stdout.readline().split())
    process.kill()
    process.wait()
    try:
        assert len(ours) == 2
        until(lambda: not any(map(is_alive, ours)))
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()
