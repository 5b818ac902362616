"""`caudal search`: try architectures, learning rates, regularization and augmentations, and train the best."""

import csv
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from caudal.commands.options import JsonOption, SourceArgument, TrainingOptions, make_directory, with_options
from caudal.output import import_tensorflow, print_contents, print_json, print_line, print_table, progress_bar


@with_options
def search(
    source: SourceArgument,
    space: Annotated[
        str, typer.Option(metavar="FILE", help="Search space in TOML; see docs/training.md.", show_default=False)
    ],
    options: TrainingOptions = TrainingOptions(),
    method: Annotated[str, typer.Option(metavar="NAME", help="brute-force, grid, random or tpe.")] = "tpe",
    trials: Annotated[
        int | None, typer.Option(min=1, help="Total number of trials.", show_default="every combination, or 20")
    ] = None,
    subset: Annotated[
        float, typer.Option(min=0.0001, max=1, help="Fraction of the training images that trials use.")
    ] = 1.0,
    refit: Annotated[
        bool, typer.Option("--refit", help="Train the best experiment on all training images, and write a report.")
    ] = False,
    out: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Directory for trials, pictures and the best model; an existing search is resumed."
        ),
    ] = "caudal-search",
    json: JsonOption = False,
) -> None:
    """Search for the experiment with the lowest error; run it again to resume, or several times in parallel."""
    from training.space import read_space

    read = read_space(space)
    import_tensorflow()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it logs each trial at lower levels, and a traceback of Ctrl-C
    from training import Recipe
    from training.search import importances, load
    from training.search import refit as refit_best
    from training.search import search as find
    from training.validation_data import describe_data

    experiment = options.experiment(source, Recipe(schedule="cosine"))
    train, held_out = experiment.make_loaders()
    data = {"training_data": describe_data(train), "validation_data": describe_data(held_out)}
    directory = make_directory(out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns of its experimental features
        with progress_bar("searching", "trials") as progress:
            found = find(
                experiment,
                read,
                directory,
                method=method,  # type: ignore[arg-type]  # the search checks it
                trials=trials,
                subset=None if subset == 1 else subset,
                progress=progress,
            )
        fractions = importances(load(directory))
        pictures = _write(directory, found, fractions, read)
        report = refit_best(experiment, read, found[0], directory / "best") if refit and found else None
    if json:
        print_json(
            {
                "trials": [trial._asdict() for trial in found],
                "importances": fractions,
                "pictures": [str(picture) for picture in pictures],
                **data,
                "refit": None if report is None else report.result,
            }
        )
        return
    _print(found, fractions, pictures)
    print_contents(data["training_data"], "training")
    print_contents(data["validation_data"], "validation")
    if report is not None:
        error = report.result["validation_error"]
        print_line(
            f"the best, trained on all images: validation error {error:.2%}; report: {report.directory / 'report.html'}"
        )


def _write(directory: Path, found: list[Any], importances: dict[str, float], space: Any) -> list[Path]:
    """Write the table, and those pictures for which there are enough trials."""
    from training.files import replace_atomically
    from training.search_figures import importance_chart, parallel_coordinates

    names = list(space.dimensions)
    with replace_atomically(directory / "trials.csv") as partial, partial.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", *names, "error", "seconds"])
        table.writerows(
            [trial.number, *(trial.params.get(name) for name in names), trial.error, round(trial.seconds, 2)]
            for trial in found
        )
    pictures = []
    if importances:
        pictures.append(importance_chart(directory / "importance.png", importances))
    if any(trial.error is not None for trial in found):
        pictures.append(parallel_coordinates(directory / "parallel.png", found, space))
    return pictures


def _print(found: list[Any], importances: dict[str, float], pictures: list[Path], most: int = 20) -> None:
    names = list(found[0].params) if found else []
    rows = [
        (
            trial.number,
            *(_format_value(trial.params[name]) for name in names),
            "diverged" if trial.error is None else f"{trial.error:.2%}",
            f"{trial.seconds:.1f}",
        )
        for trial in found[:most]
    ]
    print_table(f"{len(found)} trials, best first", ("trial", *names, "error", "seconds"), rows)
    for name, fraction in importances.items():
        print_line(f"{name} explains {fraction:.0%} of the errors' variance")
    print_line("pictures: " + ", ".join(map(str, pictures)))


def _format_value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
