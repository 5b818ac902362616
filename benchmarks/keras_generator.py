"""`python -m benchmarks.keras_generator DIR`: `ImageDataGenerator` against the deprecated class of Keras.

DIR contains class-folders of photographs. Both get the same arguments. A round is one epoch of each, after one warm-up
round. Compare ratios within one run: of loading alone, and of `model.fit` with a small model.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ARGUMENTS = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 20,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "rescale": 1 / 255,
}
"""The arguments of Keras's tutorials."""


def main() -> None:
    """Measure, print a table, or with `--json` one object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keras_generator", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DIR")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--exact", action="store_true", help="let Caudal interpolate at exact coordinates")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    contenders = _make_contenders(options)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    cpu_ms: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(options.rounds + 1):
        for name, run in contenders.items():
            started, cpu = time.perf_counter(), time.process_time()
            images = run()
            if number:
                rates[name].append(images / (time.perf_counter() - started))
                cpu_ms[name].append(1000 * (time.process_time() - cpu) / images)
    medians = {name: statistics.median(rate) for name, rate in rates.items()}
    if options.json:
        row = {"images_per_second": medians, "rounds": rates, "cpu_ms_per_image": cpu_ms, "load": os.getloadavg()[0]}
        print(json.dumps({**row, "arguments": ARGUMENTS, "size": options.size}))
        return
    print(f"{'':28}{'images/s':>10}{'min':>8}{'max':>8}{'x legacy':>10}{'CPU ms/image':>14}")
    for name, rate in rates.items():
        ratio = medians[name] / medians[f"legacy, {name.split(', ')[1]}"]
        cpu_median = statistics.median(cpu_ms[name])
        print(f"{name:28}{medians[name]:10,.0f}{min(rate):8,.0f}{max(rate):8,.0f}{ratio:10.2f}{cpu_median:14.2f}")


def _make_contenders(options: argparse.Namespace) -> dict[str, Callable[[], int]]:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator as Legacy

    from pipeline import ImageDataGenerator

    flows = {
        "legacy": _make_flow(Legacy, options),
        "caudal": _make_flow(ImageDataGenerator, options, exact=options.exact),
    }
    dataset = flows["caudal"].dataset()
    count, steps = flows["legacy"].samples, len(flows["legacy"])
    model = _make_model(options.size, flows["legacy"].num_classes)

    def make_fit_run(data: Any) -> Callable[[], int]:
        def run() -> int:
            model.fit(data, epochs=1, verbose=0)
            return int(count)

        return run

    def make_epoch_run(data: Any) -> Callable[[], int]:
        return lambda: sum(len(images) for images, _ in islice(iter(data), steps))

    return {
        "legacy, alone": make_epoch_run(flows["legacy"]),
        "caudal iterator, alone": make_epoch_run(flows["caudal"]),
        "caudal .dataset(), alone": make_epoch_run(dataset),
        "legacy, fit": make_fit_run(flows["legacy"]),
        "caudal iterator, fit": make_fit_run(flows["caudal"]),
        "caudal .dataset(), fit": make_fit_run(dataset),
    }


def _make_flow(generator: Any, options: argparse.Namespace, **more: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):  # both print the numbers of images and classes
        return generator(**ARGUMENTS, **more).flow_from_directory(
            str(options.data), target_size=(options.size, options.size), batch_size=options.batch_size, seed=1
        )


def _make_model(size: int, classes: int) -> Any:
    """Make a small model: a few operations per pixel, so that loading dominates."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            keras.layers.Conv2D(8, 3, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile("sgd", "categorical_crossentropy")
    return model


if __name__ == "__main__":
    main()
