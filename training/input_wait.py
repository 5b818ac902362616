"""The input wait: the fraction of time in which a model waits for data, and how to reduce it."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pipeline import Cache, Loader

T = TypeVar("T")

MAX_WAITING_FRACTION = 0.10
"""Above this input wait, a warning is logged."""

MIN_WAITING_S = 0.5
"""Seconds of waiting per epoch up to which no warning is logged: startup dominates an epoch of milliseconds."""


class WaitingMeter:
    """Measures how long a loop over batches waits for them, and how long its body takes.

    The first batch does not count: it includes building the model's graph and filling the pipeline.

    Args:
        waited: seconds waited so far, in an epoch that is resumed.
        worked: seconds worked so far.
        clock: returns seconds.
    """

    def __init__(
        self, waited: float = 0.0, worked: float = 0.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.waited = waited
        self.worked = worked
        self._clock = clock
        self._started = False

    def __call__(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield the batches, and measure."""
        iterator = iter(batches)
        while True:
            requested = self._clock()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            received = self._clock()
            yield batch
            if self._started:
                self.waited += received - requested
                self.worked += self._clock() - received
            self._started = True

    def reset(self) -> float:
        """Return the input wait since the last reset, from 0 to 1, and reset the meter."""
        total = self.waited + self.worked
        fraction = self.waited / total if total else 0.0
        self.waited = self.worked = 0.0
        return fraction


def suggest_remedy(source: object) -> str:
    """Recommend what makes the data faster.

    Args:
        source: the loader, or any other dataset.
    """
    if not isinstance(source, Loader):
        return "prefetch, cache decoded images, and increase num_parallel_calls"
    ideas = []
    cache = Cache.from_option(source.cache)
    if cache is None:
        ideas.append('cache decoded images (cache="DIR", or cache=Cache("DIR", size=...) for crops)')
    elif cache.is_ram:
        ideas.append('cache decoded images (cache="DIR") instead of encoded ones')
    if source.augment is not None:
        ideas.append("print(loader.plan.explain()) lists the transforms that run unmodified")
    ideas.append("store smaller images, or use more processors")
    return "; ".join(ideas)
