"""Caudal, as a user writes it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from benchmarks.workloads import Workload


def caudal(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Caudal."""
    source: Any = workload.records or workload.folder
    if workload.pixels is not None:
        source = np.load(workload.pixels), np.load(Path(workload.pixels).with_name("labels.npy"))
    dataset = pipeline.image_dataset(
        source,
        image_size=workload.size,
        batch_size=workload.batch_size,
        augment=workload.transform(),
        parallel_calls=workload.parallel,
    )
    return lambda: dataset
