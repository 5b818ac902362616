"""Kills of conversions, at each of their writes and at random instants, and of workers between and within batches."""

import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import make_folders
from tests.soak.scenario import Scenario, main

INSTANTS = 120
WORKERS = 48


def make_sources(root: Path) -> tuple[Path, Path, Path]:
    """Write a source, another dataset, and the directory of the destination."""
    source, old = make_folders(root / "source", {"ants": 4, "bees": 3}), make_folders(root / "old", {"wasps": 2})
    (root / "target").mkdir()
    return source, old, root / "target" / "out"


def kill_at_each_step(options: dict[str, Any], replaces: bool, root: Path) -> Iterator[str]:
    """Kill a conversion at each write, flush and rename."""
    from tests.pipeline.conversion.killing import every_step

    source, old, target = make_sources(root)
    for _ in every_step(source, target, old=old if replaces else None, **options):
        yield ""


def kill_at_instants(options: dict[str, Any], root: Path) -> Iterator[str]:
    """Kill a conversion at random instants."""
    from tests.pipeline.conversion.killing import random_instants

    source, _, target = make_sources(root)
    for _ in random_instants(source, target, INSTANTS, **options):
        yield ""


def kill_workers(root: Path) -> Iterator[str]:  # noqa: ARG001  # as other scenarios
    """Kill a worker at a random instant of an epoch: the batches are those of an epoch without a kill."""
    import threading

    from pipeline import Loader
    from tests.pipeline.workers.processes import grandchildren

    images = np.random.default_rng(0).integers(0, 256, (400, 32, 32, 3), np.uint8)
    loader = Loader((images, np.arange(400) % 4), image_size=None, batch_size=4, workers=2)
    expected = read_batches(loader)
    random = np.random.default_rng(1)
    for _ in range(WORKERS):
        victims = sorted(grandchildren())
        victim = victims[int(random.integers(len(victims)))] if victims else None
        timer = threading.Timer(float(random.uniform(0, 0.2)), kill, [victim])
        timer.start()
        batches = read_batches(loader)
        timer.join()
        yield "" if are_equal(batches, expected) else "the batches differ from those without a kill"


def read_batches(loader: Any) -> list[Any]:
    """Return the batches of the first epoch."""
    return [tuple(part.numpy() for part in batch) for batch in loader.dataset(epoch=0)]


def are_equal(batches: list[Any], others: list[Any]) -> bool:
    """Whether two epochs are equal, to the byte."""
    pairs = [pair for one, other in zip(batches, others, strict=False) for pair in zip(one, other, strict=True)]
    return len(batches) == len(others) and all(np.array_equal(*pair) for pair in pairs)


def kill(process: int | None) -> None:
    """Kill a process, if it is still there."""
    if process is not None:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            return


SCENARIOS: dict[str, Scenario] = {
    "kills of a conversion, each write": functools.partial(kill_at_each_step, {"shards": 2}, False),
    "kills of a conversion that replaces, each write": functools.partial(kill_at_each_step, {"shards": 2}, True),
    "kills of an export, each write": functools.partial(kill_at_each_step, {"to": "folder", "shard_size": 1500}, False),
    "kills of a conversion, instants": functools.partial(kill_at_instants, {"shards": 4, "workers": 1}),
    "kills of a conversion by two workers, instants": functools.partial(kill_at_instants, {"shards": 4, "workers": 2}),
    "kills of workers": kill_workers,
}

if __name__ == "__main__":
    main(SCENARIOS)
