"""`caudal diagnose`: the time of each stage of a dataset, and recommendations."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from caudal.commands.options import JsonOption, LoaderOptions, SourceArgument, with_options
from caudal.output import describe_contents, import_tensorflow, print_contents, print_json, print_line, progress_bar

if TYPE_CHECKING:
    from pipeline import Loader
    from pipeline.diagnosis import Diagnosis, Timing

_LONG_STEP_S = 2.0  # a longer training step is measured once
_WIDTH = 28  # of the longest bar, in characters: the table fits into 80 columns


@with_options
def diagnose(
    source: SourceArgument,
    options: LoaderOptions = LoaderOptions(),
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Architecture to measure as well: is the model the bottleneck?")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; measurements alternate.")] = 3,
    out: Annotated[str | None, typer.Option(metavar="PNG", help="Also write the chart as a PNG.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure a dataset stage by stage on this machine, and recommend what makes it faster."""
    from pipeline.diagnosis import diagnose as measure

    import_tensorflow()
    loader = options.loader(source)
    step = None if model is None else _make_step_timer(loader, model)
    with progress_bar("measuring", "measurements") as progress:
        found = measure(loader, model=step, rounds=rounds, progress=progress)
    picture = None if out is None else _draw(found, Path(out))
    if json:
        print_json(_to_json(found) | describe_contents(loader) | ({} if picture is None else {"picture": str(picture)}))
    else:
        _print(found)
        print_contents(describe_contents(loader))
        if picture is not None:
            print()
            print_line(f"chart: {picture}")


def _make_step_timer(loader: "Loader", name: str) -> Callable[[], float]:
    """Return a function that trains on a batch in memory for about 1 s, at least one step: seconds per image."""
    from training.architectures import build
    from training.step_time import make_step_timer, repeat_first_batch

    dataset = loader.dataset()
    shape = tuple(dataset.element_spec[0].shape[1:])
    try:
        step_s = make_step_timer(build(name, input_shape=shape, classes=len(dataset.class_names)), dataset.element_spec)
    except ValueError as error:
        raise typer.BadParameter(f"--model: {error}") from None
    batch = repeat_first_batch(dataset)
    images = len(next(iter(batch))[0])
    measured: list[float] = []

    def seconds_per_image() -> float:
        if not measured:
            measured.append(step_s(batch, 1))
        elif measured[-1] < _LONG_STEP_S:  # longer steps are not repeated
            measured.append(step_s(batch, max(1, round(1 / measured[-1]))))
        return measured[-1] / images

    return seconds_per_image


def _to_json(found: "Diagnosis") -> dict[str, Any]:
    from augment.plan import compiled, encoded

    return {
        "bottleneck": found.bottleneck,
        "verdict": found.verdict,
        "of_limit": round(found.of_limit, 3),
        "stages": {name: _timing_to_json(timing) for name, timing in found.stages.items()},
        "whole": _timing_to_json(found.whole),
        "model": None if found.model is None else _timing_to_json(found.model),
        "advice": [
            {"action": one.action, "factor": round(one.factor, 2), "option": one.option} for one in found.advice
        ],
        "images": found.images,
        "batch_size": found.batch_size,
        "num_parallel_calls": found.num_parallel_calls,
        "processors": found.processors._asdict(),
        "kernels": compiled.status(),
        "decoder": encoded.status(),
    }


def _timing_to_json(timing: "Timing") -> dict[str, float]:
    return {
        "images_per_second": round(timing.images_per_second, 1),
        "least": round(timing.least, 1),
        "greatest": round(timing.greatest, 1),
        "seconds_per_image": round(timing.seconds_per_image, 7),
    }


def _list_timings(found: "Diagnosis") -> dict[str, "Timing"]:
    """Return the timings by name, in the order of the stages."""
    return {**found.stages, "whole": found.whole} | ({} if found.model is None else {"model": found.model})


def _print(found: "Diagnosis") -> None:
    """Print the time of each stage as a bar, and its rate; the longest bar is the bottleneck."""
    from rich.console import Console
    from rich.table import Table

    from augment.plan import compiled, encoded

    table = Table(box=None, pad_edge=False, header_style="dim")
    columns: tuple[tuple[str, Literal["left", "right"]], ...] = (
        ("", "left"),
        ("ms/image", "right"),
        ("", "left"),
        ("images/s", "right"),
    )
    for column, justify in columns:
        table.add_column(column, justify=justify, no_wrap=True)
    rows = _list_timings(found)
    most = max(timing.seconds_per_image for timing in rows.values())
    for name, timing in rows.items():
        bar = "█" * round(_WIDTH * timing.seconds_per_image / most)
        spread = f"{timing.images_per_second:,.0f} ({timing.least:,.0f} to {timing.greatest:,.0f})"
        style = "bold" if name == found.bottleneck else None
        table.add_row(name, f"{1000 * timing.seconds_per_image:.3f}", bar, spread, style=style)
    print(
        f"{found.images:,} images per measurement, batches of {found.batch_size}, "
        f"{found.num_parallel_calls} parallel calls; medians (min to max)\n"
        "time per stage while all run, and rate of each stage alone:\n"
    )
    Console().print(table)
    print()
    print_line(found.verdict)
    for advice in found.advice[1:]:
        print_line(f"or: {advice.sentence}")
    print_line(f"processors: {found.processors.usable} usable, limited by {found.processors.bound}")
    print_line(compiled.status())
    print_line(encoded.status())


def _draw(found: "Diagnosis", path: Path) -> Path:
    from pipeline.errors import ConvertError
    from training import time_chart

    seconds = {name: timing.seconds_per_image for name, timing in _list_timings(found).items()}
    try:
        return time_chart(path, seconds, title=found.verdict.partition(";")[0], marked=found.bottleneck)
    except OSError as error:
        raise ConvertError(f"{path} cannot be written: {error.strerror}") from None
