"""`python -m benchmarks.dct DIR`: the accurate cosine transform beside the fast one, in time and in pixels.

Both decode the same photographs in one thread, in alternating rounds.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from pipeline.images.decode import DCTS, Decoder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dct", description=__doc__)
    parser.add_argument("folder", type=Path, help="JPEG photographs, at any depth")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    photographs = [path.read_bytes() for path in sorted(given.folder.rglob("*.jpg"))]
    seconds: dict[str, list[float]] = {dct: [] for dct in DCTS}
    for _ in range(given.rounds + 1):
        for dct in DCTS:
            decoder, begin = Decoder(dct=dct), time.process_time()
            for encoded in photographs:
                decoder(encoded)
            seconds[dct].append(time.process_time() - begin)
    print(f"{len(photographs)} photographs, median of {given.rounds} rounds")
    for dct, each in seconds.items():
        print(f"{dct:>9}: {np.median(each[1:]) / len(photographs) * 1000:.2f} ms of processor time per photograph")
    ratios = np.array(seconds["accurate"][1:]) / seconds["fast"][1:]
    print(f"    ratio: {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")
    means, largest = zip(*map(_compare, photographs), strict=True)
    print(f"mean difference: {np.mean(means):.2f} levels")
    print(f"largest difference in a photograph: {np.mean(largest):.1f} levels on average, {max(largest)} at most")


def _compare(encoded: bytes) -> tuple[float, int]:
    fast, accurate = (Decoder(dct=dct)(encoded).astype(int) for dct in ("fast", "accurate"))
    difference = np.abs(fast - accurate)
    return float(difference.mean()), int(difference.max())


if __name__ == "__main__":
    main()
