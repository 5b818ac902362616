"""Plain Python without a loader."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from benchmarks.workloads import Workload
from pipeline.baselines import naive_generator


def generator(workload: Workload) -> Callable[[], Iterable[Any]]:
    """A Python generator of batches, in the consumer's thread."""
    transform = workload.transform()
    return lambda: islice(naive_generator(workload.folder, workload.batch_size, transform), workload.steps)
