"""The law of streams over random compositions: `python -m tests.pipeline.soak_streams [-n COUNT] [--seed SEED]`.

A composition is loaded with one thread and with eight, with two workers and with one of eight threads, from a folder
and from TFRecords, and resumed in the middle by a loader that was built anew: all digests are equal, or the loader is
refused before its first batch.
"""

import argparse
import hashlib
import logging
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import pipeline
from pipeline import Loader
from pipeline.errors import CaudalError, OptionError, SampleError
from tests.pipeline.composed_transforms import draw_composition

Digests = list[str]

_BATCH = 4
_WAYS: dict[str, dict[str, Any]] = {
    "one thread": {"num_parallel_calls": 1},
    "eight threads": {"num_parallel_calls": 8},
    "two workers": {"workers": 2},
    "one worker with eight threads": {"workers": 1, "num_parallel_calls": 8},
    "records": {"num_parallel_calls": 2},
}


def write_sources(root: Path) -> dict[str, Path]:
    """Write class-folders of eleven images of different sizes, and convert them."""
    for number in range(11):
        path = root / "folder" / ("even", "odd")[number % 2] / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (14 + number, 20 - number % 5, 3), np.uint8)
        cv2.imwrite(str(path), noise)
    pipeline.convert(root / "folder", root / "records")
    return {"folder": root / "folder", "records": root / "records"}


def check_streams(make: Callable[[], Any], sources: dict[str, Path], *, workers: bool = True) -> Iterator[str]:
    """Yield what differs among the streams of one composition; `make` builds it anew.

    Yields:
        "refused WAY: ..." where a loader was refused, which is right; else a failure.
    """
    streams: dict[str, Digests] = {}
    loaders: dict[str, Loader] = {}
    for way, options in _WAYS.items():
        if "workers" in options and not workers:
            continue
        source = sources["records" if way == "records" else "folder"]
        try:
            loaders[way] = Loader(source, image_size=(12, 12), batch_size=_BATCH, augment=make(), **options)
            loaders[way].start_workers()
        except (OptionError, SampleError) as error:
            yield f"refused {way}: {error}"
            continue
        streams[way] = _digest_stream(loaders[way])
        if streams[way] != streams["one thread"]:
            pairs = zip(streams[way], streams["one thread"], strict=True)
            steps = [step for step, (found, expected) in enumerate(pairs) if found != expected]
            yield f"{way}: batches {steps} differ from those of one thread; fingerprints " + (
                "are equal" if loaders[way].fingerprint == loaders["one thread"].fingerprint else "differ"
            )
    if "one thread" not in streams:
        return
    anew = Loader(sources["folder"], image_size=(12, 12), batch_size=_BATCH, augment=make())
    expected = streams["one thread"][1 : anew.steps_per_epoch]
    try:
        rest = anew.restore(loaders["one thread"].state(0, 1), with_keys=True)
        found = [_digest(batch) for batch in rest.as_numpy_iterator()]
    except OptionError as error:
        yield f"refused resume: {error}"
        return
    except Exception as error:  # TensorFlow wraps the loader's
        found, expected = [_name(anew.failure or error)], [name for name in expected if name.endswith("Error")]
    if found != expected[: len(found)]:
        yield f"resumed: other batches follow, {found} instead of {expected}"


def _digest_stream(loader: Loader) -> Digests:
    """Digest all batches of two epochs; a batch that raises has its error's name."""
    places = [(epoch, step) for epoch in (0, 1) for step in range(loader.steps_per_epoch)]

    def compute(place: tuple[int, int]) -> str:
        epoch, start = place[0], place[1] * _BATCH
        try:
            return _digest(loader._batches.batch(epoch, start, min(start + _BATCH, loader.num_examples)))
        except CaudalError as error:
            return _name(error)

    with ThreadPoolExecutor(loader._calls) as pool:
        return list(pool.map(compute, places))


def _digest(batch: Any) -> str:
    images, labels, own_keys = batch
    state = hashlib.sha256(np.ascontiguousarray(images).tobytes())
    state.update(repr((np.shape(images), np.asarray(labels).tolist(), list(own_keys))).encode())
    return state.hexdigest()[:12]


def _format(transform: Any) -> str:
    """Return the `repr` of a composition: Albumentations' own fails if a Lambda has no name."""
    parts = ", ".join(map(_format, getattr(transform, "transforms", ())))
    return f"{type(transform).__name__}({parts or transform.__dict__})"


def _name(error: Exception) -> str:
    return type(error).__name__


def main() -> int:
    """Check some random compositions; print what fails, and how often what is refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, dest="count", default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="the first composition")
    parser.add_argument("--no-workers", action="store_true", help="do not start worker processes")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    begin, failed, refused = time.perf_counter(), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as directory:
        sources = write_sources(Path(directory))
        for number in range(arguments.start, arguments.start + arguments.count):

            def make(number: int = number) -> Any:
                return draw_composition(random.Random(f"{arguments.seed} {number}"))  # noqa: S311  # no secret

            for line in check_streams(make, sources, workers=not arguments.no_workers):
                if line.startswith("refused"):
                    refused[line.partition(":")[0]] += 1
                else:
                    failed += 1
                    sys.stdout.write(f"FAILED composition {number}: {line}\n  {_format(make())}\n")
                sys.stdout.flush()
    sys.stdout.write(
        f"{arguments.count} compositions: {failed} failures, {dict(refused)}, {time.perf_counter() - begin:.0f} s\n"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
