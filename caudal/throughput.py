"""Measuring images per second fairly: after a warm-up, with alternating contenders, and every image consumed."""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

Contender = Callable[[], Iterable[tuple[Any, Any]]]
"""Starts one pass through a dataset: an iterable of (images [B, ...], labels)."""


class Pass(NamedTuple):
    """The speed of one pass through a dataset.

    Attributes:
        images_per_second: with the start of the iterator.
        cpu_s_per_image: seconds of processor time per image, of all threads of this process.
    """

    images_per_second: float
    cpu_s_per_image: float


def compare(
    contenders: Mapping[str, Contender], steps: int, rounds: int = 3, progress: Callable[[str], None] | None = None
) -> dict[str, list[Pass]]:
    """Measure several ways to load the same images. They alternate, so that a disturbance affects all of them.

    Args:
        contenders: by name.
        steps: number of batches in a pass; an endless contender is stopped there.
        rounds: number of measured passes per contender, after one warm-up.
        progress: called with a contender's name before each of its passes.

    Returns:
        For each contender, its passes, one per round.
    """
    passes: dict[str, list[Pass]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, start in contenders.items():
            if progress is not None:
                progress(name)
            passes[name].append(measure(start(), steps))
    return {name: measured[1:] for name, measured in passes.items()}


def measure(batches: Iterable[tuple[Any, Any]], steps: int) -> Pass:
    """Consume up to `steps` batches and return their speed."""
    wall, cpu = time.perf_counter(), time.process_time()
    images = sum(len(images) for images, _ in islice(batches, steps))
    return Pass(images / (time.perf_counter() - wall), (time.process_time() - cpu) / images)
