"""How much of the time a model waits for its data, and what to do about it."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pipeline import Cache, Loader

T = TypeVar("T")

MAX_WAITING_FRACTION = 0.10
"""The share of the time up to which no one is warned."""

MIN_WAITING_S = 0.5
"""Seconds in an epoch up to which no one is warned: an epoch of milliseconds is all beginning and end."""


class WaitingMeter:
    """Measures in a loop over batches how long the loop waited for them, and how long its body took.

    The first batch of all is left out: it includes building the model's graph, and filling the pipeline.

    Args:
        waited: seconds from before, in an epoch that goes on.
        worked: seconds from before.
        clock: gives seconds.
    """

    def __init__(
        self, waited: float = 0.0, worked: float = 0.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.waited = waited
        self.worked = worked
        self._clock = clock
        self._started = False

    def __call__(self, batches: Iterable[T]) -> Iterator[T]:
        """Pass batches on, and measure."""
        left = iter(batches)
        while True:
            asked = self._clock()
            try:
                batch = next(left)
            except StopIteration:
                return
            given = self._clock()
            yield batch
            if self._started:
                self.waited += given - asked
                self.worked += self._clock() - given
            self._started = True

    def take(self) -> float:
        """Give the share of the time that was waited, from 0 to 1, and begin anew."""
        total = self.waited + self.worked
        fraction = self.waited / total if total else 0.0
        self.waited = self.worked = 0.0
        return fraction


def suggest_remedy(source: object) -> str:
    """Say what makes data come faster.

    Args:
        source: the loader, or a dataset of which nothing is known.
    """
    if not isinstance(source, Loader):
        return "prefetch, cache what is decoded, and let more calls run in parallel"
    ideas = []
    cache = Cache.from_option(source.cache)
    if cache is None:
        ideas.append('keep the decoded images (cache="DIR", or cache=Cache("DIR", size=...) for crops)')
    elif cache.is_ram:
        ideas.append('keep the decoded images (cache="DIR") in place of the encoded ones')
    if source.augment is not None:
        ideas.append("see print(loader.plan.explain()) for transforms that are not compiled")
    ideas.append("store the images smaller, or use more processors")
    return "; ".join(ideas)
