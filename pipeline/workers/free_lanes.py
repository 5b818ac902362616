"""Which lanes of workers are free: threads take one for a batch, or a whole worker for a batch that must be alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.workers.process import Lane, Worker


class FreeLanes:
    """The lanes that no thread uses. Any number of threads may use it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._free: dict[Worker, list[Lane]] = {}
        self._waiting_for_worker = 0

    def add(self, worker: Worker) -> None:
        """Add the lanes of a worker that has started."""
        with self._changed:
            self._free[worker] = worker.lanes.copy()
            self._changed.notify_all()

    def take(self, *, wait: bool) -> Lane | None:
        """Take a lane of the worker with the most free ones; if there is none, wait for one, or return None.

        Threads that wait for a whole worker come first.
        """
        with self._changed:
            while True:
                lanes = max(self._free.values(), key=len, default=[])
                if lanes and not self._waiting_for_worker:
                    return lanes.pop()
                if not wait:
                    return None
                self._changed.wait()

    def give_back(self, *lanes: Lane) -> None:
        """Add lanes that were taken."""
        with self._changed:
            for lane in lanes:
                self._free[lane.worker].append(lane)
            self._changed.notify_all()

    @contextmanager
    def take_worker(self) -> Iterator[Lane]:
        """Wait for a worker whose lanes are all free, and use one of them while the others rest."""
        with self._changed:
            self._waiting_for_worker += 1
            try:
                while (worker := self._find_free_worker()) is None:
                    self._changed.wait()
            finally:
                self._waiting_for_worker -= 1
                self._changed.notify_all()
            lanes, self._free[worker] = self._free[worker], []
        try:
            yield lanes[0]
        finally:
            self.give_back(*lanes)

    def _find_free_worker(self) -> Worker | None:
        return next((worker for worker, lanes in self._free.items() if len(lanes) == len(worker.lanes)), None)
