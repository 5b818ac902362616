"""SPDL: a pipeline of threads around ordinary functions."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from spdl.pipeline import PipelineBuilder

from benchmarks.workloads import Workload


def albumentations(workload: Workload) -> Callable[[], Iterable[Any]]:
    """OpenCV and Albumentations in SPDL's threads."""
    files, transform = workload.files(), workload.transform()
    cv2.setNumThreads(0)

    def load(file: tuple[str, int]) -> tuple[Any, int]:
        path, label = file
        return transform(image=cv2.imread(path, cv2.IMREAD_COLOR_RGB))["image"], label

    def stack(samples: list[tuple[Any, int]]) -> tuple[Any, Any]:
        images, labels = zip(*samples, strict=True)
        return np.stack(images), np.array(labels)

    def epoch() -> Iterator[Any]:
        random.shuffle(files)
        pipeline = (
            PipelineBuilder()
            .add_source(files)
            .pipe(load, concurrency=workload.parallel)
            .aggregate(workload.batch_size)
            .pipe(stack)
            .add_sink(2)
            .build(num_threads=workload.parallel)
        )
        with pipeline.auto_stop():
            yield from pipeline.get_iterator()

    return epoch
