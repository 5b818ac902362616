"""A timer for the stages of a running dataset: `pipeline.images.timer.StageTimer` is the hook that calls it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Adds up what threads spend in each stage. Time in a block within another block counts for the inner one only.

    Attributes:
        seconds: by stage, summed over the threads.
        blocks: how many blocks have ended, by stage.
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
        self._thread.inner_s = 0.0  # what the blocks within this one take
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent_s = time.perf_counter() - begin
            with self._lock:
                self.seconds[stage] += spent_s - self._thread.inner_s
                self.blocks[stage] += 1
            self._thread.inner_s = outer_s + spent_s
