"""Caudal, as in a user's program."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from benchmarks.workloads import Workload


def caudal(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Caudal, with threads."""
    return _build_dataset(workload, num_parallel_calls=workload.parallel)


def caudal_workers(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Caudal, with worker processes that are ready."""
    start = caudal_starting_workers(workload)
    start().loader.start_workers()
    return start


def caudal_starting_workers(workload: Workload) -> Callable[[], Any]:
    """Caudal, with worker processes that are not started yet: threads make the first batches."""
    return _build_dataset(workload, workers=workload.parallel)


def _build_dataset(workload: Workload, **options: Any) -> Callable[[], Any]:
    source: Any = workload.records or workload.folder
    if workload.pixels is not None:
        source = np.load(workload.pixels), np.load(Path(workload.pixels).with_name("labels.npy"))
    dataset = pipeline.image_dataset(
        source,
        image_size=workload.size,
        batch_size=workload.batch_size,
        augment=workload.transform(),
        **options,
    )
    return lambda: dataset
