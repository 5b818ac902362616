"""Measuring images per second, fairly: warmed up, in turns, every image consumed."""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

Contender = Callable[[], Iterable[tuple[Any, Any]]]
"""Starts one pass over a dataset: an iterable of (images [B, ...], labels)."""


def compare(
    contenders: Mapping[str, Contender], steps: int, rounds: int = 3, progress: Callable[[str], None] | None = None
) -> dict[str, list[float]]:
    """Measure several ways of loading the same images, in turns, so that what disturbs one round disturbs all.

    Args:
        contenders: by name.
        steps: the batches that make up one pass; an endless contender is stopped there.
        rounds: how often each is measured, after one pass that is not.
        progress: called with a contender's name before each of its passes.

    Returns:
        For each contender, its images per second in each round.
    """
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, start in contenders.items():
            if progress is not None:
                progress(name)
            rates[name].append(images_per_second(start(), steps))
    return {name: measured[1:] for name, measured in rates.items()}


def images_per_second(batches: Iterable[tuple[Any, Any]], steps: int) -> float:
    """Consume up to `steps` batches and give the images per second, the start of the iterator included."""
    begin = time.perf_counter()
    images = sum(len(images) for images, _ in islice(batches, steps))
    return images / (time.perf_counter() - begin)
