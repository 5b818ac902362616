"""Measuring images per second, fairly: warmed up, in turns, every image consumed."""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

Contender = Callable[[], Iterable[tuple[Any, Any]]]
"""Starts one pass over a dataset: an iterable of (images [B, ...], labels)."""


class Pass(NamedTuple):
    """What one pass over a dataset took.

    Attributes:
        images_per_second: the start of the iterator included.
        cpu_s_per_image: seconds of processor time, of all threads of this process.
    """

    images_per_second: float
    cpu_s_per_image: float


def compare(
    contenders: Mapping[str, Contender], steps: int, rounds: int = 3, progress: Callable[[str], None] | None = None
) -> dict[str, list[Pass]]:
    """Measure several ways of loading the same images, in turns, so that what disturbs one round disturbs all.

    Args:
        contenders: by name.
        steps: the batches that make up one pass; an endless contender is stopped there.
        rounds: how often each is measured, after one pass that is not.
        progress: called with a contender's name before each of its passes.

    Returns:
        For each contender, its passes, one a round.
    """
    passes: dict[str, list[Pass]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, start in contenders.items():
            if progress is not None:
                progress(name)
            passes[name].append(measure(start(), steps))
    return {name: measured[1:] for name, measured in passes.items()}


def measure(batches: Iterable[tuple[Any, Any]], steps: int) -> Pass:
    """Consume up to `steps` batches and say what that took."""
    wall, cpu = time.perf_counter(), time.process_time()
    images = sum(len(images) for images, _ in islice(batches, steps))
    return Pass(images / (time.perf_counter() - wall), (time.process_time() - cpu) / images)
