"""`python -m benchmarks.keras_exactness DIR`: the error of OpenCV's warp, which rounds coordinates to 1/32 pixel.

DIR contains photographs at any depth; every 70th is resized to 224 x 224 and transformed both ways by the same
parameters.
"""

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np

from augment import keys
from pipeline.keras.transform import RandomTransform, Ranges
from pipeline.keras.warp import SplineWarp
from pipeline.memory.malloc import keep_freed_memory

RANGES = Ranges(
    rotation_range=30,
    width_shift_range=0.2,
    height_shift_range=0.2,
    shear_range=20,
    zoom_range=(0.8, 1.2),
    horizontal_flip=True,
)
SIZE = (224, 224)


def main() -> None:
    """Measure, and print the differences in levels and the CPU time of both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keras_exactness", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DIR")
    parser.add_argument("--every", type=int, default=70, help="use every n-th photograph")
    options = parser.parse_args()
    cv2.setNumThreads(0)
    keep_freed_memory()  # as `flow*` do
    files = sorted(options.data.rglob("*.jpg"))[:: options.every]
    exact, quick = (RandomTransform(ranges=RANGES, warp=SplineWarp(), exact=is_exact) for is_exact in (True, False))
    drawn = exact.draw(keys.fold_in(keys.root(0), np.arange(len(files))), [SIZE] * len(files))
    differences, cpu_ms = [], {"exact": 0.0, "quick": 0.0}
    for row, file in enumerate(files):
        image = cv2.imread(os.fspath(file), cv2.IMREAD_COLOR_RGB)
        if image is None:
            continue
        resized = cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        expected = exact.apply(resized.astype(np.float32), drawn, row)
        for name, transform in (("exact", exact), ("quick", quick)):
            started = time.thread_time()
            for _ in range(10):
                transformed = transform.apply(resized, drawn, row)
            cpu_ms[name] += 1000 * (time.thread_time() - started) / 10 / len(files)
        differences.append(np.abs(transformed - expected).ravel())
    levels = np.concatenate(differences)
    print(f"{len(files)} photographs; CPU ms: exact {cpu_ms['exact']:.2f}, quick {cpu_ms['quick']:.2f}")
    print(
        f"quick - exact: mean {levels.mean():.2f} levels, above 1: {100 * (levels > 1).mean():.2f} %, "
        f"above 2: {100 * (levels > 2).mean():.2f} %, at most {levels.max():.1f}"
    )


if __name__ == "__main__":
    main()
