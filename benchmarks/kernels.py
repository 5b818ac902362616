"""`python -m benchmarks.kernels PHOTOGRAPH`: the compiled kernels against OpenCV's calls, and drawing, in isolation.

Each makes 224 x 224 pixels of one photograph, in one thread, from data in the processor's cache. Medians of many calls,
in turns; within a dataset all of them take longer.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import numpy as np

import augment
from augment import keys
from augment.plan import colors, compiled, luts
from augment.plan.compiled import AffineWarp, BilinearResize, KernelStep
from augment.plan.lowering import Contrast, Saturation, ShiftHsv
from augment.transform import Image

SIDE = 224
CALLS = 300


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("photograph", type=Path)
    photograph = cv2.imread(str(parser.parse_args().photograph), cv2.IMREAD_COLOR_RGB)
    if photograph is None:
        parser.error("OpenCV cannot read this file: give a JPEG or PNG")
    cv2.setNumThreads(0)
    run = compiled.load_kernels()
    if run is None:
        print("no compiled kernels, or they are not used on this processor")
    else:
        print(f"{'us per image':24}{'compiled':>10}{'OpenCV':>10}")
        for name, (source, step, by_opencv) in make_contests(photograph).items():
            out = np.empty((SIDE, SIDE, 3), np.uint8)
            ours, theirs = time_calls(lambda: run([(source, out, [step])]), by_opencv)  # noqa: B023  # called at once
            print(f"{name:24}{ours:10.1f}{theirs:10.1f}")
    plan = augment.compile(augment.policy("full", (SIDE, SIDE)))
    for size in (32, 64):
        sample_keys, shapes = keys.fold_in(keys.root(0), np.arange(size)), [(375, 500)] * size
        (drawing,) = time_calls(lambda: plan.draw(sample_keys, shapes))  # noqa: B023  # called at once
        print(f"drawing {size} x `full`: {drawing / size:.1f} us per image")


def make_contests(photograph: Image) -> dict[str, tuple[Image, KernelStep, Callable[[], object]]]:
    """Return the measured cases: the source image, the kernel's step, and OpenCV's call."""
    frame, larger = (np.ascontiguousarray(cv2.resize(photograph, size)) for size in ((256, 256), (400, 330)))
    image = np.ascontiguousarray(frame[:SIDE, :SIDE])
    lut = np.arange(255, -1, -1, dtype=np.uint8)
    within, outside = np.array([[0.8, -0.1, 30], [0.1, 0.8, 10]]), np.array([[0.9, -0.4, 40], [0.4, 0.9, -40]])
    flags, out = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, np.empty_like(image)
    return {
        "lookup table": (image, lut, lambda: cv2.LUT(image, lut)),
        "contrast": (
            image,
            Contrast(0.8),
            lambda: luts.apply_lut(image, colors.make_contrast_lut(image, 0.8)),
        ),
        "saturation": (image, Saturation(0.8), lambda: colors.adjust_saturation(image, 0.8)),
        "hue": (image, ShiftHsv(17), lambda: colors.shift_hsv(image, ShiftHsv(17))),
        "warp, within the image": (
            frame,
            AffineWarp(within, cv2.BORDER_CONSTANT, (0, 0, 0)),
            lambda: cv2.warpAffine(frame, within, (SIDE, SIDE), out, flags),
        ),
        "warp, partly outside": (
            frame,
            AffineWarp(outside, cv2.BORDER_CONSTANT, (0, 0, 0)),
            lambda: cv2.warpAffine(frame, outside, (SIDE, SIDE), out, flags),
        ),
        "resize of 330 x 400": (larger, BilinearResize(), lambda: cv2.resize(larger, (SIDE, SIDE), out)),
    }


def time_calls(*calls: Callable[[], object]) -> list[float]:
    """Time calls in turns: the median of each, in us."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(CALLS):
        for call, own in zip(calls, seconds, strict=True):
            begin = time.perf_counter()
            call()
            own.append(time.perf_counter() - begin)
    return [statistics.median(own) * 1e6 for own in seconds]


if __name__ == "__main__":
    main()
