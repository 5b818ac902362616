"""Processes that compute batches when the GIL limits threads.

A batch is a pure function of its position in the stream, so any process can compute it, and compute it again after a
crash. A worker is forked from a server (`pipeline/workers/fork_server.py`), builds the serialized loader
(`pipeline/workers/serialization.py`), and answers requests for batches (`pipeline/workers/worker.py`), one in each of
its lanes (`pipeline/workers/process.py`). Arrays are in memory that both processes map
(`pipeline/memory/shared_memory.py`).

Workers belong to the process that started them. A fork of it closes their sockets, and starts its own.
"""

import math
import os
import threading
import time
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base_loader import BaseLoader
from pipeline.error_log import BadSample, ErrorLog
from pipeline.errors import WorkerError
from pipeline.images.stages import Stages
from pipeline.memory.shared_memory import MAX_SLOTS
from pipeline.processors import count_processors
from pipeline.shutdown import end_with_program, stop_if_ending
from pipeline.sources.base import Source
from pipeline.workers.error_transport import decode_error
from pipeline.workers.fork_server import MAX_LANES
from pipeline.workers.free_lanes import FreeLanes
from pipeline.workers.process import Definition, Lane, Worker

_ATTEMPTS = 3
"""How often a batch on which workers end is tried: a sample may end every worker."""

_POLL_S = 0.01


class WorkerPool:
    """Processes that compute a loader's batches; they start with the first request.

    Until they are ready, this process computes the batches. Any number of threads may use the pool. It takes the place
    of the stages (see `pipeline.feeds.layout.Batches`).

    Args:
        loader: the loader; each worker builds a copy of it.
        stages: the loader's stages.
        count: number of processes.
        calls: number of batches that all processes together compute at once; None for one per process.

    Raises:
        OptionError: an option cannot be sent to a worker process.
    """

    def __init__(self, loader: BaseLoader, stages: Stages, count: int, calls: int | None = None) -> None:
        self._stages = stages
        self._count = count
        self._lanes_per_worker = min(math.ceil((calls or count) / count), MAX_LANES)
        self._definition = Definition(loader)
        self._create_workers()
        _pools.add(self)

    def _create_workers(self) -> None:
        """Create the workers of this process, without starting them."""
        max_lent = max(2, MAX_SLOTS // self._count)
        self._workers = [Worker(self._definition, self._lanes_per_worker, max_lent) for _ in range(self._count)]
        self._starting: list[Worker] | None = None
        self._free = FreeLanes()
        self._lock = threading.Lock()
        # One processor is left to the start of the workers, which would take several times as long otherwise.
        self._threads = threading.Semaphore(max(1, count_processors() - 1))
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
        lane = self._take_lane()
        if lane is None:
            with self._threads:
                stop_if_ending()
                lane = self._take_lane()  # a worker may be ready by now
                if lane is None:
                    return self._stages.batch(epoch, start, stop)
        return self._unpack_batch(self._ask(lane, epoch, start, stop))

    def _take_lane(self) -> Lane | None:
        """Take a free lane, or wait for one if all are in use; return None if some workers still start."""
        return self._free.take(wait=self._poll_ready())

    def _ask(self, lane: Lane, epoch: int, start: int, stop: int) -> dict[str, Any]:
        """Request a batch in a lane, which is free afterwards; if its process ends, in others.

        A process ends with the batches of all its lanes. So a further attempt has a process for itself: a batch never
        fails because of another one.
        """
        statuses = []
        try:
            return lane.ask(epoch, start, stop)
        except (EOFError, ConnectionError):
            statuses.append(lane.stop())
        finally:
            self._free.give_back(lane)
        while len(statuses) < _ATTEMPTS:
            with self._free.take_worker() as alone:
                try:
                    return alone.ask(epoch, start, stop)
                except (EOFError, ConnectionError):
                    statuses.append(alone.stop())
        raise WorkerError(
            f"{len(statuses)} worker processes ended with exit statuses {statuses} on positions {start} to {stop - 1} "
            f"of epoch {epoch} (-9 often means out of memory); use fewer workers, or workers=0"
        )

    def _poll_ready(self) -> bool:
        """Start the processes if necessary, add the lanes of the ready ones, and return whether all are ready."""
        with self._lock:
            if self._starting is None:
                end_with_program(self)
                self._definition.complete(self._stages)
                for worker in self._workers:
                    worker.start()
                self._starting = self._workers.copy()
            for worker in [worker for worker in self._starting if worker.has_started]:
                self._starting.remove(worker)
                self._free.add(worker)
            return not self._starting

    def _unpack_batch(self, answer: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.object_]]:
        for index, *bad in answer["bad"]:
            self.error_log.add_bad_sample(index, BadSample(*bad))
        if "error" in answer:
            raise decode_error(answer["error"])
        keys = [key.encode("latin-1") for key in answer["keys"]]
        return answer["images"], answer["labels"], np.array(keys, object)


def _close_all(workers: list[Worker], definition: Definition, owner: int) -> None:
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
