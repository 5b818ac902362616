"""Grain, with worker processes."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import grain
import numpy as np

from benchmarks.workloads import Workload


class _Augment:
    """Decodes with OpenCV and augments with Albumentations; an object, because it is sent to workers."""

    def __init__(self, workload: Workload) -> None:
        self._transform = workload.transform()

    def __call__(self, sample: tuple[Any, Any]) -> tuple[Any, Any]:
        image, label = sample
        if isinstance(image, str):
            image = cv2.imread(image, cv2.IMREAD_COLOR_RGB)
        return self._transform(image=image)["image"], label


class _Arrays:
    """Random access to decoded pixels, which each worker memory-maps."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._labels = np.load(Path(path).with_name("labels.npy"))
        self._images: Any = None

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if self._images is None:
            self._images = np.load(self._path, mmap_mode="r")
        return np.array(self._images[index]), self._labels[index]


def albumentations(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Albumentations in worker processes.

    The workers stay from epoch to epoch, as in training: each new iterator would start processes that import
    everything. So an epoch begins with prefetched batches. Grain prefetches 500 per worker by default, more than an
    epoch has, so that batches made before the epoch would count for its rate. Two are enough.
    """
    source: Any = workload.files() if workload.pixels is None else _Arrays(workload.pixels)
    dataset = grain.MapDataset.source(source).seed(0).shuffle().map(_Augment(workload)).batch(workload.batch_size)
    options = grain.MultiprocessingOptions(num_workers=workload.parallel)
    ahead = grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
    batches: list[Iterator[Any]] = []

    def epoch() -> Iterator[Any]:
        if not batches:  # start at the first epoch
            batches.append(iter(dataset.repeat().to_iter_dataset(ahead).mp_prefetch(options)))
        return islice(batches[0], workload.steps)

    return epoch
