"""Processes that make batches, where threads are not enough: one interpreter runs one line of Python at a time.

A batch is a pure function of its place in the stream, so that any process can make it, and can make it again where a
process has died. A worker is a new interpreter that is told the loader (`pipeline/definition.py`); it does not run the
caller's script. Questions and answers are JSON. Arrays stand in memory that both processes see: those of a batch, and,
once for all workers, those that the loader holds.
"""

import contextlib
import json
import mmap
import os
import queue
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline import errors
from pipeline.definition import described, made
from pipeline.draw import Draw
from pipeline.errors import OptionError, SampleError, WorkerError
from pipeline.ledger import Ledger, LedgerRow
from pipeline.sources.base import Source

if TYPE_CHECKING:
    from pipeline.base_loader import BaseLoader

_START = "import sys; sys.path[:] = sys.argv[4:]; from pipeline.workers import serve; serve(*map(int, sys.argv[1:4]))"
_ATTEMPTS = 3
"""How often a batch is begun over which workers die: a sample that kills them must not be tried for ever."""

_ALIGNMENT = 64  # bytes; as NumPy's own arrays

Spec = tuple[str, list[int], int]
"""An array in shared memory: its dtype, its shape, and the byte at which it begins."""


class Workers:
    """Some processes that make a loader's batches, started when the first ones are asked for.

    Safe to use from any number of threads. It stands where the stages would: see `pipeline.graph.Batches`.

    Args:
        loader: whose batches they make; its copy in a worker makes them by itself.
        stages: the loader's own, which say what a batch is like.
        count: how many processes.

    Raises:
        OptionError: the loader holds something that another process cannot be told.
    """

    def __init__(self, loader: "BaseLoader", stages: Draw[Any], count: int) -> None:
        self._stages = stages
        definition = _Definition(loader)
        workers = [_Worker(definition) for _ in range(count)]
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in workers:
            self._idle.put(worker)
        weakref.finalize(self, _end, workers, definition)

    @property
    def ledger(self) -> Ledger:
        """That of the loader: what workers find is written into it."""
        return self._stages.ledger

    @property
    def source(self) -> Source:
        """That of the loader."""
        return self._stages.source

    @property
    def label_mode(self) -> str | None:
        """That of the loader."""
        return self._stages.label_mode

    @property
    def element_spec(self) -> tuple[tuple[int | None, ...], np.dtype[Any]]:
        """The shape and dtype of the features of one sample."""
        return self._stages.element_spec

    def batch(self, epoch: int, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        """Make a batch of the samples at positions start to stop of an epoch, as the stages do.

        Raises:
            WorkerError: process after process has ended over it.
        """
        statuses = []
        worker = self._idle.get()
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return self._made(worker, epoch, start, stop)
                except (EOFError, ConnectionError):
                    statuses.append(worker.end())
        finally:
            self._idle.put(worker)
        raise WorkerError(
            f"{len(statuses)} processes have ended, with the statuses {statuses}, over the positions {start} to "
            f"{stop - 1} of epoch {epoch} (-9 is often a lack of memory); workers=0 makes them in this process"
        )

    def _made(
        self, worker: "_Worker", epoch: int, start: int, stop: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        answer = worker.ask(epoch, start, stop)
        for number, *row in answer["bad"]:
            self.ledger.enter(number, LedgerRow(*row))
        if "error" in answer:
            raise _error(*answer["error"])
        features, labels = worker.arrays(answer["arrays"])
        keys = [key.encode("latin-1") for key in answer["keys"]]
        return features, labels, np.array(keys, object)


class _Definition:
    """A loader as JSON, and the arrays that it holds, in memory that processes share.

    Raises:
        OptionError: it holds something that another process cannot be told.
    """

    def __init__(self, loader: "BaseLoader") -> None:
        description, arrays = described(loader)
        self.memory = os.memfd_create("caudal-loader")
        specs = _write(self.memory, arrays)
        self.text = json.dumps({"description": description, "arrays": specs}).encode()


class _Worker:
    """A process, started when it is first asked, and again where it has ended. For one thread at a time."""

    def __init__(self, definition: _Definition) -> None:
        self._definition = definition
        self.memory = os.memfd_create("caudal-batch")
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def ask(self, epoch: int, start: int, stop: int) -> dict[str, Any]:
        """Have a batch made.

        Raises:
            EOFError, ConnectionError: the process has ended.
        """
        connection = self._connection or self._start()
        connection.send_bytes(json.dumps([epoch, start, stop]).encode())
        answer: dict[str, Any] = json.loads(connection.recv_bytes())
        return answer

    def arrays(self, specs: Sequence[Spec]) -> list[NDArray[Any]]:
        """Copy out what the process has put into the shared memory."""
        return [_read(self.memory, spec) for spec in specs]

    def end(self) -> int | None:
        """End the process; gives its exit status, None where there was none."""
        if self._process is None or self._connection is None:
            return None
        self._connection.close()  # which it waits for, and ends
        status = self._process.wait()
        self._process = self._connection = None
        return status

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (theirs.fileno(), self.memory, self._definition.memory)
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, with a line of our own
                [sys.executable, "-c", _START, *map(str, descriptors), *sys.path],
                pass_fds=descriptors,
                # The device is the model's, and what TensorFlow has to say it has said in the first process.
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        self._connection = Connection(ours.detach())
        self._connection.send_bytes(self._definition.text)
        return self._connection


def _end(workers: list[_Worker], definition: _Definition) -> None:
    for worker in workers:
        worker.end()
        os.close(worker.memory)
    os.close(definition.memory)


def serve(socket_descriptor: int, batch_memory: int, loader_memory: int) -> None:
    """Be a worker: make the batches that are asked for until there are no more.

    Args:
        socket_descriptor: where they are asked for.
        batch_memory: the file in memory that their arrays are written to.
        loader_memory: that which holds the loader's arrays.
    """
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what an interrupt means
    cv2.setNumThreads(0)
    connection = Connection(socket_descriptor)
    with contextlib.suppress(EOFError, ConnectionError):  # the caller has ended, or needs no more
        loader = _heard(connection.recv_bytes(), loader_memory)
        sent: set[int] = set()
        while True:
            request = json.loads(connection.recv_bytes())
            connection.send_bytes(json.dumps(_answer(loader, request, batch_memory, sent)).encode())


def _heard(definition: bytes, memory: int) -> "BaseLoader | Exception":
    """Make the loader that is told; where it cannot be made, the error is said when a batch is asked for."""
    told = json.loads(definition)
    try:
        return made(told["description"], _arrays(memory, told["arrays"]))
    except Exception as error:
        return OptionError(
            f"workers: another process cannot make the loader ({type(error).__name__}: {error}); can it import your "
            "modules? workers=0 needs no other process"
        )


def _answer(loader: "BaseLoader | Exception", request: list[int], memory: int, sent: set[int]) -> dict[str, Any]:
    """Make a batch, and say where it stands and which samples are newly bad, or what went wrong."""
    answer: dict[str, Any] = {"bad": []}
    try:
        if isinstance(loader, Exception):
            raise loader
        features, labels, keys = loader._stages.batch(*request)
        answer["arrays"] = _write(memory, [features, labels])
        answer["keys"] = [key.decode("latin-1") for key in keys]
    except SampleError as error:
        answer["error"] = type(error).__name__, error.sample, error.reason
    except Exception as error:
        answer["error"] = type(error).__name__, str(error)
    if not isinstance(loader, Exception):
        new = loader._stages.ledger.numbered(beside=sent)
        sent.update(new)
        answer["bad"] = [(number, row.sample, row.stage, row.reason) for number, row in new.items()]
    return answer


def _error(kind: str, *arguments: str) -> Exception:
    """Give the error that a worker has met: of the same class where it is one of ours."""
    known = getattr(errors, kind, None)
    return known(*arguments) if known is not None else RuntimeError(f"{kind}: {arguments[0]}")


def _write(memory: int, arrays: Sequence[NDArray[Any]]) -> list[Spec]:
    """Write arrays to a file in memory, one behind the other."""
    specs: list[Spec] = []
    end = 0
    for array in map(np.ascontiguousarray, arrays):
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        rest = array.data.cast("B") if array.nbytes else memoryview(b"")
        end = start + array.nbytes
        while rest:  # one call writes 2 GiB at most
            rest = rest[os.pwrite(memory, rest, end - len(rest)) :]
        specs.append((array.dtype.str, list(array.shape), start))
    return specs


def _read(memory: int, spec: Spec) -> NDArray[Any]:
    """Copy an array out of a file in memory."""
    dtype, shape, start = spec
    array = np.empty(shape, dtype)
    rest = array.data.cast("B") if array.nbytes else memoryview(b"")
    while rest:
        rest = rest[os.preadv(memory, [rest], start + array.nbytes - len(rest)) :]
    return array


def _arrays(memory: int, specs: Sequence[Spec]) -> list[NDArray[Any]]:
    """Give views of arrays in a file in memory; they cannot be written to."""
    size = os.fstat(memory).st_size
    shared = mmap.mmap(memory, size, prot=mmap.PROT_READ) if size else b""
    views = []
    for dtype, shape, start in specs:
        kind, count = np.dtype(dtype), int(np.prod(shape))
        flat = np.frombuffer(shared, kind, count, start) if count else np.empty(0, kind)
        views.append(flat.reshape(shape))
    return views
