"""Processes that make batches, where threads are not enough: one interpreter runs one line of Python at a time.

A batch is a pure function of its place in the stream, so that any process can make it, and can make it again where a
process has died. A worker is a new interpreter that is told the loader; it does not run the caller's script. The batch
comes back in memory that both processes see. Arrays that the loader holds stand in such memory, too: once for all
workers. Pickles go from this process to its own children and back, and nowhere else.
"""

import contextlib
import mmap
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.draw import Draw
from pipeline.errors import OptionError, WorkerError
from pipeline.ledger import Ledger, LedgerRow
from pipeline.sources.base import Source

if TYPE_CHECKING:
    from pipeline.base_loader import BaseLoader

_START = "import sys; sys.path[:] = sys.argv[4:]; from pipeline.workers import serve; serve(*map(int, sys.argv[1:4]))"
_ATTEMPTS = 3
"""How often a batch is begun over which workers die: a sample that kills them must not be tried for ever."""

_ALIGNMENT = 64  # bytes; as NumPy's own arrays


class _Features(NamedTuple):
    """What stands in the shared memory of a worker."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _Answer(NamedTuple):
    """What a worker answers.

    Attributes:
        bad: the rows of its ledger that are new, by the numbers of the samples.
        made: the features, labels and keys of the batch, or what went wrong.
    """

    bad: Mapping[int, LedgerRow]
    made: tuple[_Features, NDArray[Any], NDArray[np.object_]] | Exception


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
        for number, row in answer.bad.items():
            self.ledger.enter(number, row)
        if isinstance(answer.made, Exception):
            raise answer.made
        features, labels, keys = answer.made
        return worker.features(features), labels, keys


class _Definition:
    """A loader as bytes, and the arrays that it holds, in memory that processes share.

    Raises:
        OptionError: it holds something that another process cannot be told.
    """

    def __init__(self, loader: "BaseLoader") -> None:
        buffers: list[pickle.PickleBuffer] = []
        try:
            kind, source, options = loader.__reduce__()[1]
            alone = (kind, source, options | {"workers": 0})
            self.loader = pickle.dumps(alone, protocol=5, buffer_callback=buffers.append)
        except Exception as error:  # pickling runs the code of whatever is in there
            raise OptionError(
                f"workers: another process cannot be told the loader ({error}); functions and classes need a module of "
                "their own, or workers=0"
            ) from None
        self.spans: list[tuple[int, int]] = []
        self.memory = os.memfd_create("caudal-arrays")
        with open(self.memory, "wb", closefd=False) as file:
            for buffer in buffers:
                file.write(bytes(-file.tell() % _ALIGNMENT))
                self.spans.append((file.tell(), buffer.raw().nbytes))
                file.write(buffer.raw())


class _Worker:
    """A process, started when it is first asked, and again where it has ended. For one thread at a time."""

    def __init__(self, definition: _Definition) -> None:
        self._definition = definition
        self._memory = os.memfd_create("caudal-batch")
        self._map: mmap.mmap | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def ask(self, epoch: int, start: int, stop: int) -> _Answer:
        """Have a batch made.

        Raises:
            EOFError, ConnectionError: the process has ended.
        """
        connection = self._connection or self._start()
        connection.send((epoch, start, stop))
        answer: _Answer = connection.recv()
        return answer

    def features(self, features: _Features) -> NDArray[Any]:
        """Copy out what the process has put into the shared memory."""
        count = int(np.prod(features.shape))
        size = count * features.dtype.itemsize
        if size == 0:
            return np.empty(features.shape, features.dtype)
        if self._map is None or len(self._map) < size:
            self._map = mmap.mmap(self._memory, size, prot=mmap.PROT_READ)
        return np.frombuffer(self._map, features.dtype, count).reshape(features.shape).copy()

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
            descriptors = (theirs.fileno(), self._memory, self._definition.memory)
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, with a line of our own
                [sys.executable, "-c", _START, *map(str, descriptors), *sys.path],
                pass_fds=descriptors,
                # The device is the model's, and what TensorFlow has to say it has said in the first process.
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        self._connection = Connection(ours.detach())
        self._connection.send((self._definition.loader, self._definition.spans))
        return self._connection


def _end(workers: list[_Worker], definition: _Definition) -> None:
    for worker in workers:
        worker.end()
        os.close(worker._memory)
    os.close(definition.memory)


def serve(socket_descriptor: int, memory: int, arrays: int) -> None:
    """Be a worker: make the batches that are asked for until there are no more.

    Args:
        socket_descriptor: where they are asked for.
        memory: the file in memory that their features are written to.
        arrays: that which holds the loader's arrays.
    """
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what an interrupt means
    cv2.setNumThreads(0)
    connection = Connection(socket_descriptor)
    loader: BaseLoader | Exception
    sent: set[int] = set()
    with contextlib.suppress(EOFError, ConnectionError):  # the caller has ended, or needs no more
        try:
            loader = _unpacked(*connection.recv(), memory=arrays)
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # it is said when a batch is asked for
            loader = OptionError(
                f"workers: another process cannot make the loader ({type(error).__name__}: {error}); functions and "
                "classes need a module that can be imported, or workers=0"
            )
        while True:
            request = connection.recv()
            try:
                if isinstance(loader, Exception):
                    raise loader
                features, labels, keys = loader._stages.batch(*request)
                made: Any = (_written(np.asarray(features), memory), labels, keys)
            except Exception as error:
                made = _told(error)
            bad = {} if isinstance(loader, Exception) else loader._stages.ledger.numbered(beside=sent)
            sent.update(bad)
            connection.send(_Answer(bad, made))


def _unpacked(definition: bytes, spans: list[tuple[int, int]], *, memory: int) -> "BaseLoader":
    size = os.fstat(memory).st_size
    shared = memoryview(mmap.mmap(memory, size, prot=mmap.PROT_READ) if size else b"")
    kind, source, options = pickle.loads(  # noqa: S301  # from the process that has started this one
        definition, buffers=[shared[start : start + length] for start, length in spans]
    )
    loader: BaseLoader = kind(source, **options)
    return loader


def _written(features: NDArray[Any], memory: int) -> _Features:
    if features.nbytes > os.fstat(memory).st_size:
        os.ftruncate(memory, features.nbytes)
    os.pwrite(memory, np.ascontiguousarray(features).data, 0) if features.nbytes else None
    return _Features(features.shape, features.dtype)


def _told(error: Exception) -> Exception:
    """Give the error where it can be sent, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # made here
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
