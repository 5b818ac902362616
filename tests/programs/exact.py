"""Compare the streams of threads and workers for random pipelines: `python -m tests.programs.exact [-n PIPELINES]`.

Each pipeline is also converted, by this process and by two new ones. Prints each pipeline whose results differ; the
exit status is 1 if there is one.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np

import pipeline.errors
from pipeline.conversion import process_executor
from tests.augment.random_transforms import iter_variations, make_pipeline_at_random

SLOW = (A.PiecewiseAffine, A.Superpixels)

ARRAYS = np.random.default_rng(0).integers(0, 256, (24, 40, 48, 3), np.uint8), np.arange(24) % 3


def digest_stream(transform: Any, workers: int) -> str:
    """Return the digest of some batches, or the error that refuses the pipeline."""
    try:
        loader = pipeline.Loader(ARRAYS, image_size=(32, 32), batch_size=5, augment=transform, workers=workers)
        loader.start_workers()
        state = hashlib.sha256()
        for start in range(0, 20, 5):  # without the graph of TensorFlow, which takes most of the time
            images, labels, _ = loader._batches.batch(start, start, start + 5)
            state.update(images.tobytes() + labels.tobytes())
    except Exception as error:  # of a transform that rejects the images
        return type(error).__name__
    return state.hexdigest()


def digest_shards(transform: Any, workers: int) -> list[str]:
    """Return the digests of the shards of a conversion with augmented copies, or the error that refuses the images."""
    with tempfile.TemporaryDirectory() as directory:
        options: dict[str, Any] = {"augment": transform, "copies": 1, "shards": 2, "workers": workers}
        try:
            manifest = pipeline.convert(ARRAYS, Path(directory) / "out", **options)
        except pipeline.errors.AugmentationError as error:
            return [type(error).__name__]
    return [shard["sha256"] for shard in manifest["shards"]]


def main() -> int:
    """Compare; the exit status is 1 where two results differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100, help="random compositions, besides all classes of transforms")
    parser.add_argument("--seed", type=int, default=0, help="of the compositions")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    process_executor._NOT_TO_FORK = ("sys",)  # new processes, which get the plan as bytes
    draw = random.Random(options.seed)  # noqa: S311  # not for cryptography
    transforms = [made for kind, *_, made in iter_variations(options.seed + 1) if kind not in (A.Lambda, *SLOW)]
    chunks = [draw.sample(transforms, 3) for _ in range(len(transforms) // 3)]
    pipelines = [A.Compose(chunk) for chunk in chunks] + [make_pipeline_at_random(draw) for _ in range(options.n)]
    anchor = pipeline.Loader(ARRAYS, image_size=None, workers=1)
    anchor.start_workers()  # all loaders then share its fork server, which takes seconds to start
    bad = 0
    for number, transform in enumerate(pipelines):
        results = [digest_stream(transform, workers) for workers in (0, 2)]
        shards = [digest_shards(transform, workers) for workers in (1, 2)] if number % 20 == 19 else [[], []]
        if results[0] != results[1] or shards[0] != shards[1]:
            bad += 1
            print(f"{results} {shards}\n{transform!r}", flush=True)
    del anchor
    print(f"{bad} of {len(pipelines)} differ")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
