"""`python -m benchmarks.push_down DIR`: how much decoding at 1/2, 1/4 and 1/8 changes the pixels of photographs.

A centered window of each photograph is resized to slightly below 1/2, 1/4 and 1/8, from the whole image and from the
region that the push-down decodes. Both results are compared with each other and with the area average, the ideal small
image.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np

import augment
from augment import keys
from pipeline.images.decode import Decoder


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.push_down", description=__doc__)
    parser.add_argument("folder", type=Path, help="JPEG photographs, at any depth")
    files = sorted(parser.parse_args().folder.rglob("*.jpg"))
    print(f"{len(files)} photographs; mean absolute difference in levels")
    print(f"{'scale':>6}{'pushed down - whole':>22}{'whole - area average':>22}{'pushed down - area average':>28}")
    for ratio in (1, 2, 4, 8):
        rows = [row for file in files if (row := _differences(file.read_bytes(), ratio)) is not None]
        first, second, third = np.mean(rows, axis=0)
        print(f"{f'1/{ratio}':>6}{first:22.2f}{second:22.2f}{third:28.2f}")


def _differences(encoded: bytes, ratio: int) -> tuple[float, float, float] | None:
    decoder = Decoder()
    whole = decoder(encoded)
    side = min(whole.shape[:2]) * 7 // 8
    size = int(side / (ratio + 0.01)) if ratio > 1 else side
    if size < 8:
        return None
    plan = augment.compile(A.Compose([A.CenterCrop(side, side, p=1), A.Resize(size, size, p=1)]))
    params = plan.draw(keys.fold_in(keys.root(0), [0]), [whole.shape])
    window = plan.window(params, 0)
    assert window is not None  # noqa: S101  # the pipeline begins with a crop
    assert window.ratio == ratio, (window, ratio)  # noqa: S101
    part = decoder.window(encoded, decoder.header(encoded), window.scale(ratio), ratio)
    pushed, reference = plan.apply(part, params, 0, window), plan.apply(whole, params, 0)
    crop = whole[window.top : window.top + side, window.left : window.left + side]
    average = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return _mean(pushed, reference), _mean(reference, average), _mean(pushed, average)


def _mean(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.abs(left.astype(float) - right).mean())


if __name__ == "__main__":
    main()
