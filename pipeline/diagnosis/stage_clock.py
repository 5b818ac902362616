"""A timer for the stages of a running dataset; `pipeline.images.timer.StageTimer` is its interface."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Adds up the time that threads spend in each stage. Time in a nested block counts for that block only.

    Attributes:
        seconds: seconds by stage, summed over the threads.
        blocks: number of finished blocks by stage.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.blocks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread = threading.local()

    @contextmanager
    def __call__(self, stage: str, /) -> Iterator[None]:
        """Time a block of a stage's work."""
        outer_s = getattr(self._thread, "inner_s", 0.0)
        self._thread.inner_s = 0.0  # the time of the blocks within this one
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent_s = time.perf_counter() - begin
            with self._lock:
                self.seconds[stage] += spent_s - self._thread.inner_s
                self.blocks[stage] += 1
            self._thread.inner_s = outer_s + spent_s
