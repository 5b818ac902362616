"""Processes that compute batches when the GIL limits threads.

A batch is a pure function of its position in the stream, so any process can compute it, and compute it again after a
crash. A worker is forked from a server (`pipeline/workers/fork_server.py`), builds the serialized loader
(`pipeline/workers/serialization.py`), and answers requests for batches (`pipeline/workers/worker.py`). Requests and
answers are JSON, and carry a number and the position, so that no answer can be taken for another's. Arrays are in
memory that both processes map (`pipeline/memory/shared_memory.py`).

Workers belong to the process that started them. A fork of it closes their sockets, and starts its own.
"""

import itertools
import json
import math
import os
import queue
import socket
import threading
import time
import weakref
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base_loader import BaseLoader
from pipeline.error_log import BadSample, ErrorLog
from pipeline.errors import WorkerError
from pipeline.images.stages import Stages
from pipeline.memory.shared_memory import MAX_SLOTS, ReaderSlots, Slot, write_arrays
from pipeline.shutdown import end_with_program, stop_if_ending
from pipeline.sources.base import Source
from pipeline.workers.error_transport import decode_error
from pipeline.workers.fork_server import ForkedProcess, get_fork_server
from pipeline.workers.serialization import serialize
from pipeline.workers.worker import READY

_ATTEMPTS = 3
"""How often a batch on which workers end is tried: a sample may end every worker."""

_POLL_S = 0.01


class WorkerPool:
    """Processes that compute a loader's batches; they start with the first request.

    Until they are ready, this process computes the batches. Any number of threads may use the pool. It takes the place
    of the stages (see `pipeline.feeds.graph.Batches`).

    Args:
        loader: the loader; each worker builds a copy of it.
        stages: the loader's stages.
        count: number of processes.

    Raises:
        OptionError: an option cannot be sent to a worker process.
    """

    def __init__(self, loader: BaseLoader, stages: Stages, count: int) -> None:
        self._stages = stages
        self._count = count
        self._definition = _Definition(loader)
        self._create_workers()
        _pools.add(self)

    def _create_workers(self) -> None:
        """Create the workers of this process, without starting them."""
        self._workers = [_Worker(self._definition, max(2, MAX_SLOTS // self._count)) for _ in range(self._count)]
        self._starting: list[_Worker] | None = None
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._lock = threading.Lock()
        # One processor is left to the start of the workers, which would take several times as long otherwise.
        self._threads = threading.Semaphore(max(1, len(os.sched_getaffinity(0)) - 1))
        self._finalizer = weakref.finalize(self, _close_all, self._workers, self._definition, os.getpid())
        self._finalizer.atexit = False

    def replace_workers_of_parent(self) -> None:
        """In a forked child, drop the parent's workers, and create workers of its own."""
        self._finalizer.detach()
        for worker in self._workers:
            worker.abandon()
        self._create_workers()

    @property
    def error_log(self) -> ErrorLog:
        """The loader's error log; it also gets the bad samples that workers meet."""
        return self._stages.error_log

    @property
    def source(self) -> Source:
        """The loader's source."""
        return self._stages.source

    @property
    def label_mode(self) -> str | None:
        """The loader's label mode."""
        return self._stages.label_mode

    @property
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
        """The shape and dtype of the features of one sample."""
        return self._stages.element_spec

    def start(self) -> None:
        """Start the processes, and wait until all are ready."""
        while not self._poll_ready():
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """End the processes for good, without waiting; a thread that waits for a batch gets an error."""
        for worker in self._workers:
            worker.kill()

    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Return a batch of the samples at positions start to stop of an epoch, as the stages do.

        Raises:
            WorkerError: `_ATTEMPTS` processes have ended on it.
        """
        worker = self._take_worker()
        if worker is None:
            with self._threads:
                stop_if_ending()
                worker = self._take_worker()  # it may be ready by now
                if worker is None:
                    return self._stages.batch(epoch, start, stop)
        statuses = []
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return self._unpack_batch(worker.ask(epoch, start, stop))
                except (EOFError, ConnectionError):
                    statuses.append(worker.stop())
        finally:
            self._idle.put(worker)
        raise WorkerError(
            f"{len(statuses)} worker processes ended with exit statuses {statuses} on positions {start} to {stop - 1} "
            f"of epoch {epoch} (-9 often means out of memory); use fewer workers, or workers=0"
        )

    def _take_worker(self) -> "_Worker | None":
        """Take an idle worker, or wait for one if all are busy; return None if some still start."""
        all_ready = self._poll_ready()
        try:
            return self._idle.get(block=all_ready)
        except queue.Empty:
            return None

    def _poll_ready(self) -> bool:
        """Start the processes if necessary, add the ready ones to the idle, and return whether all are ready."""
        with self._lock:
            if self._starting is None:
                end_with_program(self)
                self._definition.complete(self._stages)
                for worker in self._workers:
                    worker.start()
                self._starting = self._workers.copy()
            for worker in [worker for worker in self._starting if worker.has_started]:
                self._starting.remove(worker)
                self._idle.put(worker)
            return not self._starting

    def _unpack_batch(self, answer: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        for index, *bad in answer["bad"]:
            self.error_log.add_bad_sample(index, BadSample(*bad))
        if "error" in answer:
            raise decode_error(answer["error"])
        keys = [key.encode("latin-1") for key in answer["keys"]]
        return answer["images"], answer["labels"], np.array(keys, object)


class _Definition:
    """What a worker gets at its start: a serialized loader, and its arrays, in memory that processes share.

    Raises:
        OptionError: an option cannot be sent to a worker process.
    """

    def __init__(self, loader: BaseLoader) -> None:
        serialized, arrays = serialize(loader)
        self.memory = os.memfd_create("caudal-loader")
        self._specs = write_arrays(self.memory, [np.frombuffer(serialized, np.uint8), *arrays])

    def complete(self, stages: Stages) -> None:
        """Add the element spec, which is known only when a sample can be computed."""
        shape, dtype = stages.element_spec
        self.message = json.dumps({"arrays": self._specs, "element_spec": [shape, dtype.str]}).encode()
        self.tensorflow = _needs_tensorflow(stages)


class _Worker:
    """A process, started again if it has ended. One thread at a time may use it.

    Args:
        definition: what it gets at its start.
        max_lent: maximum number of its batches that are lent without a copy.
    """

    def __init__(self, definition: _Definition, max_lent: int) -> None:
        self._definition = definition
        self._memory = os.memfd_create("caudal-batch")
        self._slots = ReaderSlots(self._memory, max_lent)
        self._slot: Slot | None = None  # offered to the next batch
        self._process: ForkedProcess | None = None
        self._connection: Connection | None = None
        self._ready = False
        self._closed = False
        self._requests = itertools.count()

    def start(self) -> Connection:
        """Start the process, without waiting for it.

        Raises:
            ConnectionError: the fork server has ended.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            server = get_fork_server(tensorflow=self._definition.tensorflow)
            self._process = server.fork([theirs.fileno(), self._memory, self._definition.memory])
            connection = self._connection = Connection(ours.detach())
        self._ready = False
        connection.send_bytes(self._definition.message)
        return connection

    @property
    def has_started(self) -> bool:
        """Whether it answers at once; it also does if it has ended."""
        return self._connection is None or self._connection.poll()

    def ask(self, epoch: int, start: int, stop: int) -> dict[str, Any]:
        """Request a batch, and return the answer.

        An exception ends the process: an answer that is left unread would be taken for that of the next request.

        Raises:
            EOFError, ConnectionError: the process has ended, or has answered another request.
        """
        if self._closed:
            raise WorkerError("the workers are closed")
        try:
            return self._exchange(self._connection or self.start(), [next(self._requests), epoch, start, stop])
        except (EOFError, ConnectionError):
            raise  # the caller asks for the exit status
        except BaseException:
            self.stop()
            raise

    def _exchange(self, connection: Connection, request: list[int]) -> dict[str, Any]:
        if not self._ready:
            _check_answer(_receive(connection), READY)
            self._ready = True
        self._slot = self._slot or self._slots.take()
        connection.send_bytes(json.dumps([request, self._slot]).encode())
        answer: dict[str, Any] = json.loads(_receive(connection))
        _check_answer(answer["request"], request)
        if "labels" in answer:
            dtype, shape = answer["labels"]
            answer["labels"] = np.ndarray(shape, dtype, _receive(connection))
        self._update_slot(answer["slot"] and tuple(answer["slot"]))
        if "images" in answer:
            answer["images"] = self._take_images(*answer["images"])
        return answer

    def stop(self) -> int | None:
        """End the process, and return its exit status; None if that is unknown."""
        process = self._process
        self._disconnect()
        return process.kill() if process is not None else None

    def kill(self) -> None:
        """End the process for good, and leave the descriptors open, which another thread may be using."""
        self._closed = True
        if (process := self._process) is not None:
            process.end()

    def close(self) -> None:
        """End the process for good, and close its descriptors: no thread uses it."""
        self.kill()
        self.abandon()

    def abandon(self) -> None:
        """Close the descriptors of this process only; the worker may go on in another."""
        self._disconnect()
        os.close(self._memory)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def _update_slot(self, slot: Slot | None) -> None:
        """Set the slot that the process has used; if it is another, remove the offered one, which was too small."""
        if self._slot is not None and self._slot != slot:
            self._slots.remove(self._slot)
        self._slot = slot

    def _take_images(self, dtype: str, shape: list[int]) -> NDArray[Any]:
        if self._slot is None or not math.prod(shape):
            return np.empty(shape, dtype)
        images = self._slots.array(self._slot, shape, dtype)
        self._slot = None
        return images


def _receive(connection: Connection) -> bytes:
    try:
        return connection.recv_bytes()
    except OSError:  # the process has ended within a message, or without reading a request
        raise EOFError from None


def _check_answer(actual: object, expected: object) -> None:
    """Check that an answer is that of a request.

    Raises:
        ConnectionError: it is not.
    """
    if actual != expected:
        raise ConnectionError(f"the worker answered {actual!r} to the request {expected!r}")


def _needs_tensorflow(stages: Stages) -> bool:
    """Whether workers import TensorFlow in advance, judged by the first sample; otherwise they do on demand."""
    try:
        encoded = stages.source.read(0).encoded
        return encoded is not None and stages.decoder.needs_tensorflow(encoded)
    except ValueError:  # a bad sample
        return True


def _close_all(workers: list[_Worker], definition: _Definition, owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of their owner, which still needs them
    for worker in workers:
        worker.close()
    os.close(definition.memory)


_pools: "weakref.WeakSet[WorkerPool]" = weakref.WeakSet()


def _replace_workers_of_parent() -> None:
    for pool in list(_pools):
        pool.replace_workers_of_parent()


os.register_at_fork(after_in_child=_replace_workers_of_parent)
