"""`caudal demo`: every part of Caudal on real images, without a download."""

import functools
import json as json_module
import shutil
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from caudal.commands.options import JsonOption
from caudal.output import import_tensorflow, print_json, print_line, print_table, progress_bar

RESULTS = "caudal-demo.json"
"""The file with the results; it marks a directory that the demo created."""

PARTS = ("digits", "digits-tfrecord", "photographs", "augmented.png", "throughput.png", "training.png", RESULTS)
"""All files and directories that the demo writes."""

IMAGE_SIZE = (224, 224)
BATCH_SIZE = 32
EPOCHS = 30


def demo(
    out: Annotated[str, typer.Option(metavar="DIR", help="Directory for data, pictures and results.")] = "caudal-demo",
    quick: Annotated[bool, typer.Option("--quick", help="Run one round and two epochs only.")] = False,
    json: JsonOption = False,
) -> None:
    """Write, convert, stream, augment and train on real images: no download, three minutes on two cores."""
    root = _prepare_directory(Path(out))
    say: Callable[[str], None] = (lambda _: None) if json else print_line
    import_tensorflow()
    say("1. Writing scikit-learn's handwritten digits as PNGs, and windows of its photographs as JPEGs")
    _write_data(root)
    say("2. Converting the digits to TFRecords, and verifying them")
    shards = _convert(root)
    say("3. Measuring the photographs with five transforms, against a Python generator and a Keras PyDataset")
    rates = _measure_throughput(root, rounds=1 if quick else 5)
    if not json:
        _print_rates(rates)
    say("4. Training the all-convolutional network on the digits' TFRecords, without and with augmentation")
    histories = _train(root, epochs=2 if quick else EPOCHS)
    if not json:
        _print_accuracies(histories)
    pictures = _draw_pictures(root, rates, histories)
    results = {
        "shards": shards,
        "images_per_second": rates,
        "validation_accuracy": {name: history["val_accuracy"][-1] for name, history in histories.items()},
        "pictures": [str(picture) for picture in pictures],
    }
    (root / RESULTS).write_text(json_module.dumps(results, indent=2) + "\n")
    if json:
        print_json(results)
    say("5. Pictures: " + ", ".join(map(str, pictures)))


def _prepare_directory(root: Path) -> Path:
    from pipeline.errors import ConvertError

    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not (root / RESULTS).exists())):
        raise ConvertError(f"{root} exists and was not created by the demo; give another directory with --out")
    try:
        for part in PARTS:
            path = root / part
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        (root / RESULTS).touch()
    except OSError as error:
        raise ConvertError(f"{root} cannot be created: {error.strerror}") from None
    return root


def _write_data(root: Path) -> None:
    from caudal.demo_data import write_digits, write_photographs

    with progress_bar("digits", "images") as progress:
        write_digits(root / "digits", progress)
    with progress_bar("photographs", "images") as progress:
        write_photographs(root / "photographs", progress)


def _convert(root: Path) -> int:
    import pipeline
    from pipeline.errors import ConvertError

    shards = 0
    for part in ("train", "validation"):
        target = root / "digits-tfrecord" / part
        with progress_bar(f"converting {part}", "images") as progress:
            shards += len(pipeline.convert(root / "digits" / part, target, shards=2, progress=progress)["shards"])
        with progress_bar(f"verifying {part}", "bytes") as progress:
            faults = pipeline.verify(target, decode=True, progress=progress)
        if faults:
            raise ConvertError(f"{target} does not verify: {faults[0]}")
    return shards


def _measure_throughput(root: Path, rounds: int) -> dict[str, list[float]]:
    from augment import policy
    from caudal.throughput import compare
    from pipeline import image_dataset
    from pipeline.baselines import ImageSequence, naive_generator

    photographs, transform = root / "photographs", policy("full", IMAGE_SIZE)
    dataset = image_dataset(photographs, image_size=IMAGE_SIZE, batch_size=BATCH_SIZE, augment=transform)
    sequence = ImageSequence(photographs, BATCH_SIZE, transform)
    contenders: dict[str, Callable[[], Iterable[tuple[Any, Any]]]] = {
        "Caudal": lambda: dataset,
        "Python generator": lambda: naive_generator(photographs, BATCH_SIZE, transform),
        "Keras PyDataset": lambda: (sequence[step] for step in range(len(sequence))),
    }
    with progress_bar("streaming", "passes") as progress:
        passes = iter(range(1, len(contenders) * (rounds + 1) + 1))
        measured = compare(
            contenders, len(dataset), rounds, lambda _: progress(next(passes), len(contenders) * (rounds + 1))
        )
    return {name: [one.images_per_second for one in all_passes] for name, all_passes in measured.items()}


def _train(root: Path, epochs: int) -> dict[str, dict[str, list[float]]]:
    import albumentations as A  # noqa: N812  # the usual name

    shift_and_turn = A.Affine(translate_px=(-1, 1), rotate=(-12, 12), p=0.8)
    with progress_bar("training", "epochs") as progress:

        def report(run: int, epoch: int) -> None:
            progress(run * epochs + epoch, 2 * epochs)

        return {
            name: _fit(root / "digits-tfrecord", augment, epochs, functools.partial(report, run))
            for run, (name, augment) in enumerate(
                {"without augmentation": None, "with augmentation": shift_and_turn}.items()
            )
        }


def _fit(records: Path, augment: Any, epochs: int, report: Callable[[int], None]) -> dict[str, list[float]]:
    import keras

    from pipeline import image_dataset
    from training import fit
    from training.architectures import all_convolutional

    keras.utils.set_random_seed(0)
    options: dict[str, Any] = {"image_size": (8, 8), "color_mode": "grayscale", "batch_size": 64}
    train = image_dataset(records / "train", augment=augment, **options)
    history = fit(
        # No dropout: a network this small underfits with it, so that augmentation has no effect.
        all_convolutional("C", input_shape=(8, 8, 1), classes=10, width=0.5, dropout=False),
        train,
        image_dataset(records / "validation", shuffle=False, **options),
        epochs=epochs,
        learning_rate=keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(train)),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report(epoch + 1))],  # noqa: ARG005
    )
    return dict(history.history)


def _draw_pictures(
    root: Path, rates: dict[str, list[float]], histories: dict[str, dict[str, list[float]]]
) -> list[Path]:
    from training import contact_sheet, throughput_chart, training_curves

    return [
        contact_sheet(root / "augmented.png", _collect_sheet(root)),
        throughput_chart(root / "throughput.png", rates),
        training_curves(root / "training.png", histories),
    ]


def _collect_sheet(root: Path, samples: int = 4, epochs: int = 5) -> list[list[Any]]:
    """Return rows of the first samples: the original, and its augmented versions in five epochs."""
    from augment import policy
    from pipeline import Loader

    options: dict[str, Any] = {"shuffle": False, "batch_size": samples, "image_size": None}
    augmented = Loader(root / "photographs", augment=policy("full", IMAGE_SIZE), **options)
    original = Loader(root / "photographs", **options | {"batch_size": None})
    columns = [next(augmented.dataset(epoch).as_numpy_iterator())[0] for epoch in range(epochs)]
    originals = [image for image, _ in original.dataset().take(samples).as_numpy_iterator()]
    return [[image, *(column[row] for column in columns)] for row, image in enumerate(originals)]


def _print_rates(rates: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(measured) for name, measured in rates.items()}
    first = next(iter(medians.values()))
    rows = [(name, round(rate), f"{rate / first:.2f}") for name, rate in medians.items()]
    print_table("", ("", "images/s (median)", "relative to Caudal"), rows)


def _print_accuracies(histories: dict[str, dict[str, list[float]]]) -> None:
    rows = [(name, f"{history['val_accuracy'][-1]:.1%}") for name, history in histories.items()]
    print_table("", ("", "validation accuracy"), rows)
