"""Options of several commands: each is declared once, and related options are one class.

A command takes such a class as one parameter; `with_options` shows Typer its fields instead. The parameter's default
contains the options' defaults, so that a command can change one without declaring it again:

    @with_options
    def curve(source: SourceArgument, options: ExperimentOptions = ExperimentOptions(width=0.125)) -> None: ...
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from pipeline import Loader
    from training import Experiment, Recipe

AUGMENT = typer.Option(
    "--augment", metavar="FILE|NAME", help="File written by albumentations.save (JSON or YAML), or name of a policy."
)
SIZE = typer.Option("--image-size", metavar="HxW", help="Height and width in pixels.")
_DATASETS = "Class-folder directory, or TFRecord file, directory or glob."

SourceArgument = Annotated[str, typer.Argument(metavar="SRC", help=_DATASETS, show_default=False)]
OptionalSourceArgument = Annotated[str | None, typer.Argument(metavar="SRC", help=_DATASETS, show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
AugmentOption = Annotated[str | None, AUGMENT]
SizeOption = Annotated[str, SIZE]
TextColumnOption = Annotated[str | None, typer.Option("--text-column", metavar="NAME|N", help="Column with the text.")]
DelimiterOption = Annotated[
    str | None,
    typer.Option("--delimiter", metavar="C", help="Character between columns.", show_default="comma, or tab in .tsv"),
]
LabelColumnOption = Annotated[
    str | None, typer.Option("--label-column", metavar="NAME|N", help="Column with the label.")
]


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """The options of all commands that read batches of images."""

    size: SizeOption = "224x224"
    batch_size: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 32
    augment: AugmentOption = None
    cache: Annotated[
        str | None,
        typer.Option(metavar="ram|DIR", help="Cache: encoded images in memory (ram), or decoded images in DIR."),
    ] = None
    on_error: Annotated[str, typer.Option(metavar="MODE", help="Handling of bad samples: raise, skip or replace.")] = (
        "raise"
    )

    dct: Annotated[
        str,
        typer.Option(metavar="MODE", help="Cosine transform of JPEGs: fast, or accurate (the pixels of Pillow)."),
    ] = "fast"

    @property
    def image_size(self) -> tuple[int, int]:
        """The size as (height, width), in pixels.

        Raises:
            typer.BadParameter: it is not HEIGHTxWIDTH.
        """
        return image_size(self.size)

    def transform(self) -> Any:
        """Read the augmentation; see `augmentation`."""
        return augmentation(self.augment, self.image_size)


@dataclass(frozen=True, kw_only=True)
class LoaderOptions(ImageOptions):
    """The loader that `stream` and `diagnose` measure."""

    num_parallel_calls: Annotated[
        int | None, typer.Option(min=1, help="Batches computed at once.", show_default="processors")
    ] = None

    def loader(self, source: str, **more: Any) -> "Loader":
        """Create the loader.

        Args:
            source: as in `Loader`.
            **more: further options of the `Loader`.

        Raises:
            CaudalError: an option is unknown or out of range, or the source cannot be opened.
            typer.BadParameter: an option cannot be parsed.
        """
        from pipeline import Loader

        return Loader(
            source,
            image_size=self.image_size,
            batch_size=self.batch_size,
            augment=self.transform(),
            num_parallel_calls=self.num_parallel_calls,
            cache=self.cache,
            on_error=self.on_error,  # type: ignore[arg-type]  # the loader checks it
            dct=self.dct,  # type: ignore[arg-type]
            **more,
        )


@dataclass(frozen=True, kw_only=True)
class ExperimentOptions(ImageOptions):
    """The experiment that `train`, `search` and `curve` run."""

    size: SizeOption = "64x64"
    color_mode: Annotated[str, typer.Option(metavar="MODE", help="rgb or grayscale.")] = "rgb"
    validation: Annotated[
        str | None,
        typer.Option(metavar="SRC", help="Validation data.", show_default="a fifth of SRC, stratified"),
    ] = None
    validation_split: Annotated[float | None, typer.Option(min=0, max=1, help="Fraction of SRC for validation.")] = None
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Architecture; `caudal train --summary MODEL` lists its layers.")
    ] = "all-convolutional-c"
    width: Annotated[float, typer.Option(help="Factor for the number of filters.")] = 1.0
    dropout: Annotated[
        bool | None,
        typer.Option("--dropout/--no-dropout", help="Use dropout layers.", show_default="the paper's"),
    ] = None
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate of the schedule.")] = 1e-3
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0

    def experiment(self, source: str, recipe: "Recipe", **more: Any) -> "Experiment":
        """Make the experiment.

        Args:
            source: what a `Loader` takes.
            recipe: how the model is fitted.
            **more: fields of the `Experiment` that this class does not have, or that are to be others.

        Raises:
            CaudalError: an option is unknown or out of range.
            typer.BadParameter: an option cannot be read.
        """
        from training import Experiment

        if self.color_mode not in ("rgb", "grayscale"):
            raise typer.BadParameter(f"--color-mode must be rgb or grayscale, got {self.color_mode!r}")
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("size", "augment")}
        if "augment" not in more:
            more["augment"] = self.transform()
        return Experiment(source=source, image_size=self.image_size, recipe=recipe, **own | more)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(ExperimentOptions):
    """The experiment of `train` and `search`, whose trainings are counted in epochs."""

    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 10


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Convert a command whose parameters may be classes of options (dataclasses) to one for Typer.

    Each such parameter has an instance as its default. Typer sees the class's fields as parameters, with the instance's
    values as defaults.
    """
    signature = inspect.signature(command)
    defaults: dict[str, Any] = {name: each.default for name, each in signature.parameters.items()}
    groups: dict[str, Any] = {name: default for name, default in defaults.items() if is_dataclass(default)}
    parameters = []
    for name, parameter in signature.parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
            continue
        hints = get_type_hints(type(parameter.default), include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                parameter.KEYWORD_ONLY,
                default=getattr(parameter.default, field.name),
                annotation=hints[field.name],
            )
            for field in fields(parameter.default)
        ]

    @functools.wraps(command)
    def with_flat_options(**values: Any) -> None:
        for name, default in groups.items():
            values[name] = type(default)(**{field.name: values.pop(field.name) for field in fields(default)})
        command(**values)

    with_flat_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_flat_options.__annotations__ = {each.name: each.annotation for each in parameters}  # Typer reads these too
    return with_flat_options


def image_size(text: str) -> tuple[int, int]:
    """Parse HEIGHTxWIDTH.

    Raises:
        typer.BadParameter: the text has another form.
    """
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"an image size must be HEIGHTxWIDTH in pixels, for example 224x224; got {text!r}")
    return int(height), int(width)


def shard(text: str) -> tuple[int, int]:
    """Parse INDEX/COUNT.

    Raises:
        typer.BadParameter: the text has another form, or the index is not below the count.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise typer.BadParameter(f"a shard must be INDEX/COUNT with INDEX from 0, for example 0/3; got {text!r}")
    return int(index), int(count)


def augmentation(text: str | None, size: tuple[int, int]) -> Any:
    """Read an augmentation: a file that `albumentations.save` wrote, or the name of a policy.

    Raises:
        typer.BadParameter: it is neither.
        TransformError: the file contains no transform.
    """
    from augment import load
    from augment.policies import NAMES, is_policy, policy

    if text is None:
        return None
    if is_policy(text):
        return policy(text, size)
    if Path(text).is_file():
        return load(text)
    raise typer.BadParameter(f"{text!r} is neither a file nor a policy ({', '.join(NAMES)})")


def max_errors(text: str | None) -> float | None:
    """Parse a count of bad samples ("20") or a fraction of the samples ("0.01").

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise typer.BadParameter(f"--max-errors must be a count (20) or a fraction (0.01), got {text!r}") from None


def column(text: str | None) -> str | int | None:
    """Parse a column: its number from 0, or its name."""
    return int(text) if text is not None and text.isdecimal() else text


def delimiter(text: str | None) -> str | None:
    """Parse a delimiter: `tab`, or backslash and t, is a tab, which shells make hard to type."""
    return "\t" if text in ("\\t", "tab") else text


def make_directory(directory: str) -> Path:
    """Create a directory for results.

    Raises:
        ConvertError: it cannot be created.
    """
    from pipeline.errors import ConvertError

    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConvertError(f"{path} cannot be created: {error.strerror}") from None
    return path
