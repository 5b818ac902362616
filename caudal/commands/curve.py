"""`caudal curve`: learning curves, and the number of examples for a target error."""

import csv
import math
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from caudal.commands.options import ExperimentOptions, JsonOption, SourceArgument, make_directory, with_options
from caudal.output import import_tensorflow, print_contents, print_json, print_line, print_table, progress_bar


@with_options
def curve(
    source: SourceArgument,
    options: ExperimentOptions = ExperimentOptions(width=0.125, dropout=False, size="28x28", learning_rate=3e-3),
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,N", help="Numbers of training images.", show_default="six, up to all or 2,048 images"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions per size.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of the deep model, for every size.")] = 500,
    target: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Error, 0 to 1, for which to estimate the number of examples.",
            show_default="half of the least",
        ),
    ] = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="Directory for the table and the picture.")] = "caudal-curve",
    json: JsonOption = False,
) -> None:
    """Measure learning curves of logistic regression and of a CNN, fit power laws, and extrapolate them."""
    chosen = _parse_sizes(sizes)
    import_tensorflow()
    from training import Recipe
    from training.curve_figure import curve_chart
    from training.learning_curve import learning_curve
    from training.validation_data import describe_data

    experiment = options.experiment(source, Recipe(schedule="cosine"), augment=None)
    transform = options.transform()
    directory = make_directory(out)
    with progress_bar("measuring", "trainings") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns when a solver stops early
        measured = learning_curve(
            experiment, sizes=chosen, seeds=seeds, steps=steps, augment=transform, progress=progress
        )
    least = min(point.error for point in measured.points)
    target = max(least, 0.5 / measured.held_out) / 2 if target is None else target
    _write_table(directory / "points.csv", measured)
    picture = curve_chart(directory / "curve.png", measured, target)
    train, held_out = experiment.make_loaders()
    data = {"training_data": describe_data(train), "validation_data": describe_data(held_out)}
    result = _to_json(measured, target) | {"picture": str(picture)} | data
    if json:
        print_json(result)
        return
    _print(measured, result)
    print_contents(result["training_data"], "training")
    print_contents(result["validation_data"], "validation")


def _parse_sizes(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise typer.BadParameter(f"--sizes must be a list of numbers, for example 50,100,200; got {text!r}")
    return [int(part) for part in parts]


def _write_table(path: Path, measured: Any) -> None:
    from training.files import replace_atomically

    with replace_atomically(path) as partial, partial.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["curve", "examples", "seed", "error"])
        table.writerows((point.curve, point.examples, point.seed, point.error) for point in measured.points)


def _to_json(measured: Any, target: float) -> dict[str, Any]:
    curves = {
        name: {
            "errors": {size: measured.errors(name, size) for size in measured.sizes},
            "a": law.params[0],
            "b": law.params[1],
            "c": law.params[2],
            "examples_for_target": _replace_infinities(law.examples_for(target)),
        }
        for name, law in measured.laws.items()
    }
    worth = [{"examples": one.examples, "equivalent": _replace_infinities(one.equivalent)} for one in measured.worth()]
    return {"held_out": measured.held_out, "target": target, "curves": curves, "augmentation_worth": worth}


def _replace_infinities(numbers: tuple[float, ...]) -> list[float | None]:
    """Replace infinity, which JSON lacks, by null."""
    return [number if math.isfinite(number) else None for number in numbers]


def _print(measured: Any, result: dict[str, Any]) -> None:
    names = list(measured.laws)
    rows = []
    for size in measured.sizes:
        errors = [measured.errors(name, size) for name in names]
        rows.append((size, *(f"{sum(one) / len(one):.2%} ({min(one):.2%} to {max(one):.2%})" for one in errors)))
    print_table(f"mean error (least to greatest) on {measured.held_out:,} images", ("images", *names), rows)
    for name, one in result["curves"].items():
        print_line(f"{name}: error = {one['a']:.3g} * n^-{one['b']:.3g} + {one['c']:.3g}")
        print_line(f"  images for an error of {result['target']:.2%}: {_format_interval(one['examples_for_target'])}")
    for one in result["augmentation_worth"]:
        equivalent = _format_interval(one["equivalent"])
        print_line(f"{one['examples']:,} images with augmentation equal this many without: {equivalent}")
    print_line(f"picture: {result['picture']}")


def _format_interval(numbers: list[float | None]) -> str:
    value, low, high = (_format_rounded(number) for number in numbers)
    return f"{value} (95 %: {low} to {high})"


def _format_rounded(number: float | None) -> str:
    if number is None or number > 1e12:
        return "unbounded"
    return f"{float(f'{number:.2g}'):,.0f}"
