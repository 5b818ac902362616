"""Computing the next steps of an endless stream in threads, while the present one is used."""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Delivers the steps of one epoch after the other, computed ahead and in order. Safe to use from many threads.

    Args:
        compute: called with (epoch, step).
        steps: of an epoch, at least 1.
    """

    def __init__(self, compute: Callable[[int, int], T], steps: int) -> None:
        self._compute = compute
        self._steps = steps
        self._workers = len(os.sched_getaffinity(0))
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[T]] = deque()
        self._lock = threading.Lock()
        self.position = (0, 0)
        """(epoch, step) of what comes next."""

    def __next__(self) -> T:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="caudal")
            while len(self._waiting) <= self._workers:
                self._waiting.append(self._pool.submit(self._compute, *self._after(len(self._waiting))))
            future = self._waiting.popleft()
            self.position = self._after(1)
        return future.result()

    def begin(self, epoch: int) -> None:
        """Go to the beginning of an epoch."""
        with self._lock:
            for future in self._waiting:
                future.cancel()
            self._waiting.clear()
            self.position = (epoch, 0)

    def _after(self, count: int) -> tuple[int, int]:
        epoch, step = self.position
        return epoch + (step + count) // self._steps, (step + count) % self._steps
