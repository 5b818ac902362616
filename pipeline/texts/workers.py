"""Worker processes that augment texts: the augmentation is Python code, which the GIL limits to one thread.

A worker is a new interpreter that reads requests from its standard input and writes answers to its standard output, one
JSON object per line. Both have a number, so that no answer can be taken for another's. A worker receives its
augmentation as data and imports neither TensorFlow nor the caller's script. It ends when its input ends: with the
caller, however the caller ends.

Workers belong to the process that started them. A fork of it closes their pipes, and starts its own.
"""

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from augment.errors import AugmentError
from augment.text.specification import TextAugmentation, from_dict, to_dict
from augment.text.variants import Variants
from pipeline.errors import WorkerError
from pipeline.shutdown import end_with_program, stop_if_ending
from pipeline.workers.error_transport import decode_error, encode_error

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from pipeline.texts.workers import serve; serve()"


class TextWorkers:
    """Processes that return variants of texts; the first text starts them. Safe to call from any number of threads.

    Args:
        augmentation: of the texts.
        num_aug: number of variants per text; None for one.
        count: number of processes.

    Raises:
        AugmentError: the augmentation cannot be sent to another process.
    """

    def __init__(self, augmentation: TextAugmentation, num_aug: int | None, count: int) -> None:
        self._greeting = json.dumps({"augmentation": to_dict(augmentation), "num_aug": num_aug})
        self._count = count
        self._requests = itertools.count()
        self._forget_workers()
        end_with_program(self)
        _started.add(self)

    def _forget_workers(self) -> None:
        """Begin without workers: those of this process are started by the first text."""
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[str]] = []
        self._idle: queue.LifoQueue[subprocess.Popen[str] | None] = queue.LifoQueue()
        for _ in range(self._count):
            self._idle.put(None)  # not started
        self._finalizer = weakref.finalize(self, _close_all, self._processes)
        self._finalizer.atexit = False

    def abandon_workers_of_parent(self) -> None:
        """In a forked child, close the pipes of the parent's workers, which end when all copies are closed."""
        self._finalizer.detach()
        for worker in self._processes:
            _abandon(worker)
        self._forget_workers()

    def __call__(self, texts: Sequence[str], keys: Sequence[int], numbers: Sequence[int]) -> list[str]:
        """Return one variant of each text, as `Variants` does.

        Raises:
            AugmentError: the augmentation failed.
            WorkerError: a process ended.
        """
        variants: list[str] = self._ask(texts=list(texts), keys=list(keys), numbers=list(numbers))
        return variants

    def list_variants(self, texts: Sequence[str], keys: Sequence[int]) -> list[list[str]]:
        """Return all variants of each text, as an EDA does.

        Raises:
            AugmentError: the augmentation failed.
            WorkerError: a process ended.
        """
        variants: list[list[str]] = self._ask(texts=list(texts), keys=list(keys))
        return variants

    def kill(self) -> None:
        """Kill the processes and do not wait; a thread that waits for an answer gets an error."""
        for worker in list(self._processes):
            worker.kill()

    def _ask(self, **request: Any) -> Any:
        with self._worker() as worker:
            answer = _request(worker, {"request": next(self._requests), **request})
        if "error" in answer:
            raise decode_error(answer["error"])
        return answer["texts"]

    @contextlib.contextmanager
    def _worker(self) -> Iterator[subprocess.Popen[str]]:
        """Lend a worker. An exception ends it: an answer that is left unread would be taken for the next one."""
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            yield worker
        except BaseException:
            if worker is not None:
                self._end(worker)
                worker = None
            raise
        finally:
            self._idle.put(worker)

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            stop_if_ending()
            worker = subprocess.Popen(  # noqa: S603  # this interpreter, with a line of our own
                [sys.executable, "-c", _START, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                process_group=0,  # Ctrl-C does not reach it: the caller decides what to do
            )
            self._processes.append(worker)
        _send(worker, self._greeting)
        return worker

    def _end(self, worker: subprocess.Popen[str]) -> None:
        worker.kill()
        with self._lock:
            self._processes.remove(worker)
        _close_all([worker])


def serve() -> None:
    """Run a worker: answer requests until the input ends."""
    greeting = json.loads(sys.stdin.readline())
    variants = Variants(from_dict(greeting["augmentation"]), greeting["num_aug"])
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer: dict[str, Any] = {"request": request.pop("request")}
            answer["texts"] = (variants if "numbers" in request else variants.list_variants)(**request)
        except AugmentError as error:
            answer["error"] = encode_error(error)
        try:
            print(json.dumps(answer), flush=True)  # noqa: T201  # the answer
        except BrokenPipeError:
            return


def _request(worker: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any]:
    """Send a request, and return its answer.

    Raises:
        WorkerError: the worker has ended, or has answered another request.
    """
    _send(worker, json.dumps(request))
    assert worker.stdout is not None  # noqa: S101  # for the type checker: it is a pipe
    line = worker.stdout.readline()
    if not line:
        raise WorkerError(f"a text worker ended with exit status {worker.wait()}; its error is printed above")
    answer: dict[str, Any] = json.loads(line)
    if answer["request"] != request["request"]:
        raise WorkerError(f"a text worker answered request {answer['request']} instead of {request['request']}")
    return answer


def _send(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None  # noqa: S101  # for the type checker: it is a pipe
    with contextlib.suppress(BrokenPipeError):  # reading the answer raises the error
        worker.stdin.write(line + "\n")
        worker.stdin.flush()


def _close_all(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    for worker in workers:
        worker.wait()


def _abandon(worker: subprocess.Popen[str]) -> None:
    """Close the pipes of another process's worker, and do not write what a thread of it may have buffered."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None and not pipe.closed:
            os.dup2(null, pipe.fileno(), inheritable=False)
    os.close(null)
    worker.returncode = 0  # this process must neither wait for it nor end it
    _abandoned.append(worker)  # closing the pipe's object would wait for a thread that the child does not have


_abandoned: list[subprocess.Popen[str]] = []
_started: "weakref.WeakSet[TextWorkers]" = weakref.WeakSet()


def _abandon_workers_of_parent() -> None:
    for workers in list(_started):
        workers.abandon_workers_of_parent()


os.register_at_fork(after_in_child=_abandon_workers_of_parent)
