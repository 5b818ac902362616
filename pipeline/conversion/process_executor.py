"""Performing the tasks of a conversion in processes of this machine.

Workers belong to the process that started them. A fork of it, another worker included, closes its copies of their
connections, and neither waits for them nor ends them.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import time
import weakref
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from pipeline.conversion.tasks import Job, Receipt, Skipped, TaskReporter
from pipeline.errors import ConvertError
from pipeline.workers.error_transport import decode_error, encode_error

_ATTEMPTS = 3
"""Number of times a task is started before its conversion fails: each attempt ended its process."""

_REPORT_EVERY_S = 0.1

_HINT = ' (guard the call with `if __name__ == "__main__":`, or use workers=1)'

_NOT_TO_FORK = ("tensorflow", "torch", "jax", "ray")
"""Libraries whose threads do not survive a fork."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def perform_in_processes(job: Job, report: TaskReporter, workers: int, threads: int) -> list[Receipt]:
    """Perform all tasks in processes, one task at a time per process.

    A process that dies is replaced, and its task restarts.

    Args:
        job: the conversion.
        report: receives the progress, in this process.
        workers: number of processes.
        threads: number of threads per process.

    Raises:
        SampleError: a record is bad, and `report` does not tolerate it.
        ConvertError: a file cannot be written, or a task ended several processes.
        OptionError: the augmentation cannot be sent to another process.
    """
    # A fork starts at once. A new interpreter takes half a second; it is used where a fork could hang.
    must_spawn = any(name in sys.modules for name in _NOT_TO_FORK)
    if must_spawn and (plan := getattr(job.records, "plan", None)) is not None:  # a fork has the plan itself
        from pipeline.workers.serialization import check_sendable  # imports OpenCV

        check_sendable(plan, "module-level functions and classes, or workers=1")
    context = multiprocessing.get_context("spawn" if must_spawn else "fork")
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
                        name, reason = job.tasks[number].name, worker.describe_end()
                        raise ConvertError(f"{name}: {_ATTEMPTS} worker processes ended: {reason}")
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
    """A worker process, seen from its parent."""

    def __init__(self, context: Any, job: Job, threads: int) -> None:
        self.number = -1
        self.died = False
        self._reported = (0, 0)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, job, threads, os.getpid()), name="caudal-convert", daemon=True
        )
        self._owner = os.getpid()
        _workers.add(self)  # before it starts: a fork must not keep this end of the pipe
        self._process.start()
        theirs.close()

    @property
    def waitables(self) -> tuple[Any, Any]:
        """The objects to wait for: a message, or the end of the process."""
        return self._connection, self._process.sentinel

    def begin(self, number: int) -> None:
        self.number, self._reported = number, (0, 0)
        with contextlib.suppress(OSError):  # the process died: its sentinel is ready
            self._connection.send(number)

    def handle_messages(self, report: TaskReporter) -> Receipt | None:
        """Handle the messages that have arrived; return the receipt if the task is finished."""
        dead = not self._process.is_alive()  # checked first: its last messages are read below
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
            report.written(-self._reported[0], -self._reported[1])  # the task will report them again
        return None

    def describe_end(self) -> str:
        """Describe how the process ended."""
        code = self._process.exitcode or 0
        return (
            f"signal {-code} ({signal.strsignal(-code)}), often out of memory"
            if code < 0
            else f"exit status {code}{_HINT}"
        )

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join()
        self._connection.close()

    def kill(self) -> None:
        if os.getpid() != self._owner:
            return
        self._process.kill()
        self._process.join()
        self._connection.close()

    def abandon(self) -> None:
        """In a forked child, close this process's copy of the connection, and forget the process.

        `multiprocessing` would end it when the child ends.
        """
        self._connection.close()
        getattr(multiprocessing.process, "_children", set()).discard(self._process)


_workers: "weakref.WeakSet[_Worker]" = weakref.WeakSet()


def _abandon_workers_of_parent() -> None:
    for worker in list(_workers):
        worker.abandon()


os.register_at_fork(after_in_child=_abandon_workers_of_parent)


def _wait_ready(running: list[_Worker]) -> Iterator[_Worker]:
    ready = set(map(id, wait([signal_ for worker in running for signal_ in worker.waitables])))
    return iter([worker for worker in running if any(id(signal_) in ready for signal_ in worker.waitables)])


class _Sender:
    """Sends the progress of a worker to its parent, ten times per second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._records = self._size = 0
        self._sent = time.monotonic()

    def written(self, records: int, size: int) -> None:
        self._records += records
        self._size += size
        if time.monotonic() - self._sent > _REPORT_EVERY_S:
            self.flush()

    def skipped(self, skipped: Skipped) -> None:
        self._connection.send(("skipped", skipped))

    def flush(self) -> None:
        self._connection.send(("written", (self._records, self._size)))
        self._records = self._size = 0
        self._sent = time.monotonic()


def _serve(connection: Connection, job: Job, threads: int, parent: int) -> None:
    """Perform the tasks that the connection sends; the main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends its workers
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a worker ends with its parent
    if os.getppid() != parent:
        return
    if (opencv := sys.modules.get("cv2")) is not None:  # unpickling the job imported it
        opencv.setNumThreads(0)  # the processes already use all processors
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
