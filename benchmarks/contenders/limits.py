"""Upper bounds: parts of a loader's work. They yield (anything of the batch's length, None)."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.workloads import Workload


def read(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Only reading the files' bytes, in threads."""
    if workload.records is not None:
        from benchmarks.contenders.tensorflow import make_batches, read_encoded

        dataset = make_batches(read_encoded(workload), workload)
        return lambda: dataset
    paths = [path for path, _ in workload.files()]

    def epoch() -> Iterator[Any]:
        with ThreadPoolExecutor(workload.parallel) as pool:
            for start in range(0, len(paths), workload.batch_size):
                batch = paths[start : start + workload.batch_size]
                yield list(pool.map(lambda path: len(Path(path).read_bytes()), batch)), None

    return epoch


def kernels(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Only OpenCV's kernels of the five transforms, from decoded pixels, in threads."""
    if workload.pixels is None:
        raise ValueError("kernel-limit needs decoded pixels")
    images = np.load(workload.pixels)
    random = np.random.default_rng(0)
    matrix = np.array([[0.8, -0.3, 40], [0.3, 0.8, -20]])
    color_matrix = random.uniform(0.2, 0.5, (3, 3)).astype(np.float32)
    hues = np.stack([np.roll(np.arange(256, dtype=np.uint8), 9), *[np.arange(256, dtype=np.uint8)] * 2], axis=-1)
    cv2.setNumThreads(0)

    def batch(start: int) -> tuple[Any, int]:
        chosen = images[start : start + workload.batch_size]
        out = np.empty((len(chosen), *workload.size, 3), np.uint8)
        for row, image in enumerate(chosen):
            cv2.warpAffine(image, matrix, workload.size, dst=out[row], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            cv2.transform(out[row], color_matrix, dst=out[row])
            if row % 5:  # p=0.8
                hsv = cv2.cvtColor(out[row], cv2.COLOR_RGB2HSV)
                cv2.cvtColor(cv2.LUT(hsv, hues[np.newaxis]), cv2.COLOR_HSV2RGB, dst=out[row])
            out[row, 20:40, 20:40] = 0
        return out, 0

    def epoch() -> Iterator[Any]:
        with ThreadPoolExecutor(workload.parallel) as pool:
            yield from pool.map(batch, range(0, len(images), workload.batch_size))

    return epoch
