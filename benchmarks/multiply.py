"""`python -m benchmarks.multiply DIR`: the cost of policies, views and mixing.

Policies: the time per image of 224 x 224 in memory, drawing included, relative to the operations that are drawn: the
mean over a policy's operations, each compiled alone. A policy that computed all its operations would take many times as
long. Views: ten crops of a photograph from one decode, against the photograph once, and ten times. Mixing: per batch of
32 images of 224 x 224. All run in one thread and take turns, round by round; times are CPU times, medians of one run.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import numpy as np

import augment
from augment import keys, policies
from augment.plan.plan import Plan
from augment.policies.operations import FOURTEEN, OperationRanges
from pipeline import Loader

BATCH = 32
SIZE = (224, 224)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multiply", description=__doc__)
    parser.add_argument("folder", type=Path, help="class-folders of JPEG photographs")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    cv2.setNumThreads(0)
    images = _load_images(given.folder)
    _print_policies(images, given.rounds)
    _print_views(given.folder, given.rounds)
    _print_mixing(images, given.rounds)


def _load_images(folder: Path) -> np.ndarray:
    return next(Loader(folder, image_size=SIZE, batch_size=BATCH).dataset().as_numpy_iterator())[0]  # type: ignore[no-any-return]


def _print_policies(images: np.ndarray, rounds: int) -> None:
    space = OperationRanges()
    alone = {name: Plan(space.make_operation(name, 0.9)) for name in FOURTEEN}
    multiples = {
        "rand_augment(1)": (policies.rand_augment(1), 1),
        "rand_augment(2)": (policies.rand_augment(2), 2),
        "rand_augment(3)": (policies.rand_augment(3), 3),
    }
    contenders: dict[str, Callable[[int], None]] = {
        name: _make_augment_run(plan, images) for name, plan in alone.items()
    }
    contenders |= {name: _make_augment_run(Plan(transform), images) for name, (transform, _) in multiples.items()}
    milliseconds = {name: 1000 * seconds / BATCH for name, seconds in _measure_medians(contenders, rounds).items()}
    operation = statistics.mean(milliseconds[name] for name in alone)
    print(f"an operation of RandAugment alone: {operation:.3f} ms per image (mean over {len(alone)})")
    for name, (_, count) in multiples.items():
        ratio = milliseconds[name] / (count * operation)
        print(f"{name}: {milliseconds[name]:.3f} ms per image, {ratio:.2f} times its {count} drawn operations alone")


def _make_augment_run(plan: Plan, images: np.ndarray) -> Callable[[int], None]:
    def run(number: int) -> None:
        params = plan.sample(0, number, range(BATCH), [SIZE] * BATCH)
        for row, image in enumerate(images):
            plan.apply(image, params, row)

    return run


def _print_views(folder: Path, rounds: int) -> None:
    options: dict[str, Any] = {"image_size": SIZE, "num_parallel_calls": 1, "shuffle": False}
    one = Loader(folder, batch_size=4, **options)
    loaders = {"once": one, "ten crops": Loader(folder, batch_size=40, views="ten_crop", **options)}
    loaders["ten times"] = Loader(folder, batch_size=40, copies=10, **options)

    def make_loader_run(loader: Loader) -> Callable[[int], None]:
        stages = loader._stages  # one thread, without tf.data: the cost of the views alone
        _ = stages.element_spec
        photographs = min(40, loader.num_examples // loader.samples_per_image // 4 * 4)
        block = 4 * loader.samples_per_image

        def run(number: int) -> None:  # noqa: ARG001  # the same photographs each time
            for start in range(0, photographs * loader.samples_per_image, block):
                stages.batch(0, start, start + block)

        return run

    medians = _measure_medians({name: make_loader_run(loader) for name, loader in loaders.items()}, rounds)
    for name, seconds in medians.items():
        print(f"a photograph {name}: {1000 * seconds / 40:.2f} ms, {seconds / medians['once']:.2f} times once")


def _print_mixing(images: np.ndarray, rounds: int) -> None:
    labels = np.eye(BATCH, dtype=np.float32)

    def make_mix_run(mix: Any) -> Callable[[int], None]:
        return lambda number: mix(images, labels, keys.fold_in(keys.root(0), number))

    mixers = [augment.MixUp(0.2), augment.CutMix(1.0), augment.Mosaic(1.0)]
    for name, seconds in _measure_medians({repr(mix): make_mix_run(mix) for mix in mixers}, rounds).items():
        print(f"{name}: {1000 * seconds / BATCH:.3f} ms per image")


def _measure_medians(contenders: dict[str, Callable[[int], None]], rounds: int) -> dict[str, float]:
    """Time contenders in turns, after one warm-up pass: the median CPU seconds per pass of each."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            start = time.process_time()
            run(number)
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(measured[1:]) for name, measured in seconds.items()}


if __name__ == "__main__":
    main()
