"""`caudal train`: train an architecture on a dataset; a stopped training resumes exactly."""

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from caudal.commands.options import (
    JsonOption,
    OptionalSourceArgument,
    TrainingOptions,
    make_directory,
    with_options,
)
from caudal.output import import_tensorflow, print_contents, print_json, print_line, print_table, progress_bar


@with_options
def train(
    source: OptionalSourceArgument = None,
    options: TrainingOptions = TrainingOptions(),
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="adam, sgd or rmsprop.")] = "adam",
    schedule: Annotated[
        str, typer.Option(metavar="NAME", help="Learning rate schedule: constant, cosine or step.")
    ] = "cosine",
    warmup: Annotated[float, typer.Option(help="Fraction of steps in which the learning rate rises from 0.")] = 0.0,
    weight_decay: Annotated[float, typer.Option(help="Decoupled weight decay of all kernels.")] = 0.0,
    label_smoothing: Annotated[float, typer.Option(help="Fraction of each label to spread over all classes.")] = 0.0,
    balanced: Annotated[bool, typer.Option("--balanced", help="Weight classes inversely to their frequency.")] = False,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many epochs without a lower validation loss.")
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Also evaluate with test-time augmentation: flip, five_crop, ten_crop, grid(2), multi_scale.",
        ),
    ] = None,
    reduce: Annotated[
        str | None,
        typer.Option(
            metavar="HOW", help="How to reduce the views' predictions: mean, max or vote.", show_default="mean"
        ),
    ] = None,
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Directory for weights, tables and pictures.")
    ] = "caudal-train",
    resume: Annotated[bool, typer.Option("--resume", help="Resume the training in DIR.")] = False,
    same_order: Annotated[
        bool,
        typer.Option(
            "--same-order", help="With --resume: accept what alters pixels only: augmentation, libraries, kernels."
        ),
    ] = False,
    checkpoint_steps: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 200,
    deterministic: Annotated[
        bool | None,
        typer.Option(
            "--deterministic/--no-deterministic",
            help="Make training bitwise reproducible; takes a third longer.",
            show_default="without a GPU",
        ),
    ] = None,
    summary: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Print an architecture's layers, without training.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=1, help="Number of classes for --summary.", show_default="10")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train a model, print its validation error, and write curves, a confusion matrix and a report."""
    if summary is not None:
        if source is not None:
            raise typer.BadParameter("--summary prints an architecture without training; drop SRC or --summary")
        _print_summary(summary, 10 if classes is None else classes, options, json)
        return
    if classes is not None:
        raise typer.BadParameter("--classes needs --summary: a training counts the classes of SRC")
    if source is None:
        raise typer.BadParameter("Missing argument 'SRC': the images to train on (or --summary MODEL)")
    if same_order and not resume:
        raise typer.BadParameter("--same-order needs --resume: it says what a resumed training accepts")
    from augment.views import parse_views

    if views is not None:
        parse_views(views)  # refuses unknown views before the training
    if reduce is not None and views is None:
        raise typer.BadParameter("--reduce needs --views: it reduces the views' predictions")
    if reduce not in (None, "mean", "max", "vote"):
        raise typer.BadParameter(f"--reduce must be mean, max or vote, got {reduce!r}")
    tf = import_tensorflow()
    if deterministic or (deterministic is None and not tf.config.list_physical_devices("GPU")):
        tf.config.experimental.enable_op_determinism()
    from training import Checkpoints, Recipe
    from training.report import write_report

    experiment = options.experiment(
        source,
        Recipe(
            optimizer=optimizer,  # type: ignore[arg-type]  # the recipe checks it
            schedule=schedule,  # type: ignore[arg-type]  # the recipe checks it
            warmup=warmup,
            weight_decay=weight_decay,
            label_smoothing=label_smoothing,
            class_weights="balanced" if balanced else None,
            patience=patience,
        ),
    )
    directory = make_directory(out)
    with _make_progress_callback(experiment) as callback, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of internals
        outcome = experiment.run(
            Checkpoints(
                directory=directory, every_steps=checkpoint_steps, resume="same-order" if same_order else resume
            ),
            callbacks=[callback],
        )
    report = write_report(outcome, directory, views=views, reduce=reduce or "mean")  # type: ignore[arg-type]  # checked above
    if json:
        print_json(report.result | {"report": str(report.directory / "report.html")})
        return
    _print_result(report.result, directory)


def _make_progress_callback(experiment: Any) -> Any:
    """Return a context manager with a callback that shows a training's progress on a bar."""
    import contextlib

    import keras

    @contextlib.contextmanager
    def show_bar() -> Any:
        with progress_bar("training", "batches") as progress:

            class Bar(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
                epoch = 0

                def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  # Keras's signature
                    self.epoch = epoch

                def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002  # the same
                    steps = self.params["steps"]
                    progress(self.epoch * steps + batch + 1, experiment.epochs * steps)

            yield Bar()

    return show_bar()


def _print_summary(name: str, classes: int, options: TrainingOptions, json: bool) -> None:
    from training.architectures import build
    from training.errors import TrainingError
    from training.summary import summary

    import_tensorflow()
    channels = 1 if options.color_mode == "grayscale" else 3
    try:
        model = build(name, input_shape=(*options.image_size, channels), classes=classes, width=options.width)
    except ValueError as error:
        raise TrainingError(str(error)) from None
    rows = summary(model)
    parameters, multiply_adds = sum(row.parameters for row in rows), sum(row.multiply_adds or 0 for row in rows)
    if json:
        layers = [row._asdict() for row in rows]
        print_json({"model": name, "layers": layers, "parameters": parameters, "multiply_adds": multiply_adds})
        return
    cells = [
        (row.name, row.kind, " x ".join(map(str, row.output_shape)), row.parameters, row.multiply_adds or 0)
        for row in rows
    ]
    print_table(
        f"{name}, {options.size}, {classes} classes", ("layer", "kind", "output", "parameters", "multiply-adds"), cells
    )
    print_line(f"{parameters:,} parameters, {multiply_adds:,} multiply-adds per image")


def _print_result(result: dict[str, Any], directory: Path) -> None:
    history = result["history"]
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    rows = [
        (epoch, *(f"{history[name][epoch]:.4f}" for name in names), f"{waited:.1%}")
        for epoch, waited in enumerate(result["waiting"])
    ]
    print_table("", ("epoch", *names, "waited"), rows)
    print_line(f"validation error {result['validation_error']:.2%} of {result['validation_examples']:,} images")
    if (views := result["views"]) is not None:
        how = f"{views['views']}, {views['reduce']} of predictions"
        print_line(f"with test-time augmentation ({how}) {views['validation_error']:.2%}")
    print_contents(result["training_data"], "training")
    print_contents(result["validation_data"], "validation")
    if result["skipped"]:
        print_line(f"{len(result['skipped']):,} bad images were skipped")
    print_line(f"report: {directory / 'report.html'}")
