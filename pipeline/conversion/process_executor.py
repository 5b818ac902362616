"""Doing the tasks of a job in processes of this machine."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from pipeline.conversion.tasks import Job, Receipt, Skipped, TaskReporter
from pipeline.errors import ConvertError
from pipeline.workers.error_transport import decode_error, encode_error

_ATTEMPTS = 3
"""Times that a task is begun by processes that die of it."""

_REPORT_EVERY_S = 0.1

_HINT = ' (a script that converts with several workers does so below `if __name__ == "__main__":`, or with workers=1)'

_NOT_TO_FORK = ("tensorflow", "torch", "jax", "ray")
"""Libraries whose threads do not survive a fork."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def perform_in_processes(job: Job, report: TaskReporter, workers: int, threads: int) -> list[Receipt]:
    """Do all tasks in processes, one at a time in each.

    A process that dies is replaced, and its task begun anew.

    Args:
        job: what to do.
        report: told of progress, in this process.
        workers: the number of processes.
        threads: in each.

    Raises:
        SampleError: a record is bad, and `report` does not bear it.
        ConvertError: something cannot be written, or a task has ended several processes.
    """
    # A fork starts at once. A new interpreter, where a fork could hang, takes half a second.
    context = multiprocessing.get_context("spawn" if any(name in sys.modules for name in _NOT_TO_FORK) else "fork")
    waiting = deque(task.number for task in job.tasks)
    attempts = dict.fromkeys(waiting, 0)
    receipts: dict[int, Receipt] = {}
    running: list[_Worker] = []
    try:
        while len(receipts) < len(job.tasks):
            while waiting and len(running) < workers:
                running.append(_Worker(context, job, threads))
                running[-1].begin(waiting.popleft())
            for worker in _wait_ready(running):
                number = worker.number
                receipt = worker.handle_messages(report)
                if receipt is not None:
                    receipts[number] = receipt
                elif worker.died:
                    running.remove(worker)
                    attempts[number] += 1
                    if attempts[number] == _ATTEMPTS:
                        raise ConvertError(f"{job.tasks[number].name} has ended {_ATTEMPTS} processes: {worker.end()}")
                    waiting.appendleft(number)
                if receipt is not None and waiting:
                    worker.begin(waiting.popleft())
                elif receipt is not None:
                    running.remove(worker)
                    worker.stop()
    finally:
        for worker in running:
            worker.kill()
    return [receipts[task.number] for task in job.tasks]


class _Worker:
    """One process, as its parent sees it."""

    def __init__(self, context: Any, job: Job, threads: int) -> None:
        self.number = -1
        self.died = False
        self._reported = (0, 0)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, job, threads, os.getpid()), name="caudal-convert", daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def waitables(self) -> tuple[Any, Any]:
        """What is ready when there is something to attend to."""
        return self._connection, self._process.sentinel

    def begin(self, number: int) -> None:
        self.number, self._reported = number, (0, 0)
        with contextlib.suppress(OSError):  # it has died: its sentinel says so
            self._connection.send(number)

    def handle_messages(self, report: TaskReporter) -> Receipt | None:
        """Take the messages that are there; give the receipt if the task is done."""
        dead = not self._process.is_alive()  # looked at first: what it sent before it died is read below
        try:
            while self._connection.poll():
                kind, value = self._connection.recv()
                if kind == "done":
                    return cast(Receipt, value)
                if kind == "failed":
                    raise decode_error(value)
                if kind == "skipped":
                    report.skipped(value)
                else:
                    self._reported = (self._reported[0] + value[0], self._reported[1] + value[1])
                    report.written(*value)
        except (EOFError, ConnectionError):
            dead = True
        if dead:
            self._process.join()
            self._connection.close()
            self.died = True
            report.written(-self._reported[0], -self._reported[1])  # it will be written again
        return None

    def end(self) -> str:
        """Say how it ended."""
        code = self._process.exitcode or 0
        return (
            f"signal {-code} ({signal.strsignal(-code)}); was memory short?"
            if code < 0
            else f"exit status {code}{_HINT}"
        )

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join()
        self._connection.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _wait_ready(running: list[_Worker]) -> Iterator[_Worker]:
    ready = set(map(id, wait([signal_ for worker in running for signal_ in worker.waitables])))
    return iter([worker for worker in running if any(id(signal_) in ready for signal_ in worker.waitables)])


class _Sender:
    """Sends what a worker reports to its parent, a few times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._records = self._size = 0
        self._sent = time.monotonic()

    def written(self, records: int, size: int) -> None:
        self._records += records
        self._size += size
        if time.monotonic() - self._sent > _REPORT_EVERY_S:
            self.flush()

    def skipped(self, row: Skipped) -> None:
        self._connection.send(("skipped", row))

    def flush(self) -> None:
        self._connection.send(("written", (self._records, self._size)))
        self._records = self._size = 0
        self._sent = time.monotonic()


def _serve(connection: Connection, job: Job, threads: int, parent: int) -> None:
    """Do the tasks that come through the connection; the life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends its workers
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nobody writes for a parent that is dead
    if os.getppid() != parent:
        return
    if (opencv := sys.modules.get("cv2")) is not None:  # the job needs it, and brought it along
        opencv.setNumThreads(0)  # the processes share the processors already
    sender = _Sender(connection)
    with contextlib.suppress(EOFError):
        while (number := connection.recv()) is not None:
            try:
                receipt = job.perform(number, sender, threads)
                sender.flush()
                connection.send(("done", receipt))
            except Exception as error:
                connection.send(("failed", encode_error(error)))
                return
