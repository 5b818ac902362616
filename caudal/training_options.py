"""Options of the commands that train, and the experiment that they describe."""

from pathlib import Path
from typing import Annotated, Any

import typer

from caudal.arguments import augmentation, image_size

ValidationOption = Annotated[
    str | None,
    typer.Option("--validation", metavar="SRC", help="What is held out.", show_default="a fifth of SRC, by class"),
]
SplitOption = Annotated[
    float | None, typer.Option("--validation-split", min=0, max=1, help="The share of SRC that is held out.")
]
SizeOption = Annotated[str, typer.Option("--image-size", metavar="HxW", help="Height and width in pixels.")]
ColorOption = Annotated[str, typer.Option("--color-mode", metavar="MODE", help="rgb or grayscale.")]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, help="Images in a batch.")]
AugmentOption = Annotated[
    str | None,
    typer.Option(
        "--augment", metavar="FILE", help="What albumentations.save wrote (JSON or YAML), or a policy's name."
    ),
]
CacheOption = Annotated[str | None, typer.Option("--cache", metavar="ram|DIR", help="Keep what was read, or decoded.")]
OnErrorOption = Annotated[
    str, typer.Option("--on-error", metavar="MODE", help="What a bad sample does: raise, skip or replace.")
]
ModelOption = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="An architecture; --summary lists what it consists of.")
]
WidthOption = Annotated[float, typer.Option("--width", help="Factor of the number of filters.")]
DropoutOption = Annotated[
    bool | None, typer.Option("--dropout/--no-dropout", help="Whether layers drop out.", show_default="the paper's")
]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training images.")]
RateOption = Annotated[float, typer.Option("--learning-rate", help="The highest of the schedule.")]
OptimizerOption = Annotated[str, typer.Option("--optimizer", metavar="NAME", help="adam, sgd or rmsprop.")]
ScheduleOption = Annotated[
    str, typer.Option("--schedule", metavar="NAME", help="Of the learning rate: constant, cosine or step.")
]
WarmupOption = Annotated[float, typer.Option("--warmup", help="The share of all steps in which the rate rises from 0.")]
DecayOption = Annotated[float, typer.Option("--weight-decay", help="Decoupled, of all kernels.")]
SmoothingOption = Annotated[
    float, typer.Option("--label-smoothing", help="The share of a label that is spread over all classes.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of everything that is random.")]


def experiment(source: str, validation: str | None, size: str, augment: str | None, **options: Any) -> Any:
    """Make the experiment that a command line describes.

    Raises:
        CaudalError: an option is unknown or out of range.
        typer.BadParameter: an option cannot be read.
    """
    from training.experiment import Experiment

    read = image_size(size)
    if options.get("color_mode") not in (None, "rgb", "grayscale"):
        raise typer.BadParameter(f"--color-mode is rgb or grayscale, got {options['color_mode']!r}")
    return Experiment(
        source=source, validation=validation, image_size=read, augment=augmentation(augment, read), **options
    )


def prepared(directory: str) -> Path:
    """Make a directory for results.

    Raises:
        ConvertError: it cannot be made.
    """
    from pipeline.errors import ConvertError

    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConvertError(f"{path} cannot be made: {error.strerror}") from None
    return path
