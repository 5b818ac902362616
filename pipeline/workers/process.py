"""A worker as its owner sees it: a process that computes several batches at once, each in a lane of its own.

A lane is a socket that one thread of the process serves, so that neither side needs a thread that distributes messages.
Requests and answers are JSON, and carry a number and the position, so that no answer can be taken for another's. The
lanes of a process share the memory for its batches.
"""

import itertools
import json
import math
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.plan.encoded import load_decoder
from pipeline.base_loader import BaseLoader
from pipeline.errors import WorkerError
from pipeline.images.stages import Stages
from pipeline.memory.shared_memory import ReaderSlots, Slot, write_arrays
from pipeline.workers.fork_server import ForkedProcess, get_fork_server
from pipeline.workers.serialization import serialize
from pipeline.workers.worker import READY


class Definition:
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


class Worker:
    """A process, started again if it has ended. Any number of threads may use it, each another lane.

    Args:
        definition: what it gets at its start.
        lanes: number of batches that it computes at once, at most `fork_server.MAX_LANES`.
        max_lent: maximum number of its batches that are lent without a copy.
    """

    def __init__(self, definition: Definition, lanes: int, max_lent: int) -> None:
        self._definition = definition
        self._memory = os.memfd_create("caudal-batch")
        slots = ReaderSlots(self._memory, max_lent, max_free=max(_MIN_FREE, lanes))
        self.lanes = [Lane(self, number, slots) for number in range(lanes)]
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._is_closed = False

    def start(self) -> "_Run":
        """Start the process, unless it is started, without waiting for it.

        Raises:
            ConnectionError: the fork server has ended.
            WorkerError: the worker is closed.
        """
        with self._lock:
            if self._is_closed:
                raise WorkerError("the workers are closed")
            if self._run is None:
                with _open_sockets(len(self.lanes)) as (ours, theirs):
                    server = get_fork_server(tensorflow=self._definition.tensorflow)
                    process = server.fork([self._definition.memory, self._memory, *theirs])
                    run = _Run(process, [Connection(end.detach()) for end in ours])
                try:
                    run.connections[0].send_bytes(self._definition.message)
                except BaseException:
                    run.close()  # the process ends
                    raise
                self._run = run
            return self._run

    @property
    def has_started(self) -> bool:
        """Whether it answers at once; it also does if it has ended. No thread may be using a lane."""
        return self._run is None or self._run.connections[0].poll()

    def stop(self, run: "_Run") -> int | None:
        """End a run of the process, if another lane has not ended it; return its exit status, None if unknown."""
        with self._lock:
            if self._run is run:
                self._run = None
                run.status = run.process.kill()
            return run.status

    def kill(self) -> None:
        """End the process for good, and leave the descriptors open, which other threads may be using."""
        was_closed, self._is_closed = self._is_closed, True
        if (run := self._run) is not None and not was_closed:
            run.process.end()

    def close(self) -> None:
        """End the process for good, and close its descriptors: no thread uses it."""
        self.kill()
        self.abandon()

    def abandon(self) -> None:
        """Close the descriptors of this process only; the worker may go on in another."""
        if self._run is not None:
            self._run.close()
        for lane in self.lanes:
            lane.disconnect()
        self._run = None
        os.close(self._memory)


class Lane:
    """The way of one request at a time to a worker. One thread at a time may use it.

    Args:
        worker: the process.
        number: of the lane, from 0.
        slots: the memory for the worker's batches.
    """

    def __init__(self, worker: Worker, number: int, slots: ReaderSlots) -> None:
        self.worker = worker
        self._number = number
        self._slots = slots
        self._slot: Slot | None = None  # offered to the next batch
        self._run: _Run | None = None
        self._is_ready = False
        self._requests = itertools.count()

    def ask(self, epoch: int, start: int, stop: int) -> dict[str, Any]:
        """Request a batch, and return the answer.

        An exception ends the process: an answer that is left unread would be taken for that of the next request.

        Raises:
            EOFError, ConnectionError: the process has ended, or has answered another request.
            WorkerError: the worker is closed.
        """
        run = self.worker.start()
        if run is not self._run:
            self.disconnect()
            self._run, self._is_ready = run, False
        try:
            return self._exchange(run.connections[self._number], [next(self._requests), epoch, start, stop])
        except (EOFError, ConnectionError):
            raise  # the caller asks for the exit status
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int | None:
        """End the process with all its lanes, and return its exit status; None if that is unknown."""
        run = self._run
        status = None if run is None else self.worker.stop(run)
        self.disconnect()
        if status is None:
            self._slot = None  # the process may still write to it
        return status

    def disconnect(self) -> None:
        """Close the lane's own socket."""
        if self._run is not None:
            self._run.connections[self._number].close()
        self._run = None

    def _exchange(self, connection: Connection, request: list[int]) -> dict[str, Any]:
        if not self._is_ready:
            _check_answer(_receive(connection), READY)
            self._is_ready = True
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


class _Run:
    """One run of a worker's process, until it ends.

    Attributes:
        process: the process.
        connections: our ends of the lanes' sockets; each is used and closed by its lane.
        status: the exit status, once it has ended; None if it is unknown.
    """

    def __init__(self, process: ForkedProcess, connections: list[Connection]) -> None:
        self.process = process
        self.connections = connections
        self.status: int | None = None

    def close(self) -> None:
        """Close all sockets: no lane uses them."""
        for connection in self.connections:
            connection.close()


_MIN_FREE = 4
"""Number of free slots that a worker with few lanes keeps."""


@contextmanager
def _open_sockets(count: int) -> Iterator[tuple[list[socket.socket], list[int]]]:
    """Open pairs of sockets: our ends, and the descriptors of the worker's; close those that are not detached."""
    pairs: list[tuple[socket.socket, socket.socket]] = []
    try:
        pairs += (socket.socketpair() for _ in range(count))
        yield [ours for ours, _ in pairs], [theirs.fileno() for _, theirs in pairs]
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


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
        return load_decoder() is None
