"""The loader's cost in a training step: `model.fit` on a dataset against `model.fit` on a batch in memory."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pipeline
from augment import policy
from benchmarks.environment import machine, versions
from benchmarks.harness import Say

SMALL = (32, 32)
"""(height, width) of the all-convolutional networks: at 224 x 224 a step would take minutes."""

_SKIPPED = ("graph",)  # it needs layers as argument

SIZE = (224, 224)
BATCH_SIZE = 32


def measure(data: Path, models: Sequence[str] | None, rounds: int, steps: int, say: Say) -> list[dict[str, Any]]:
    """Measure each model on a dataset of `data` with the policy `light`, and on one batch of it, in turns.

    Args:
        data: class-folders.
        models: models of `training.architectures`; None for all.
        rounds: measurements per model, after one warm-up round.
        steps: training steps per measurement.
        say: called with progress messages.

    Raises:
        OptionError: a model is unknown.
    """
    from pipeline.errors import OptionError
    from training.architectures import build
    from training.architectures.registry import NAMES
    from training.step_time import make_step_timer, repeat_first_batch

    rows = []
    for name in models or [name for name in NAMES if name not in _SKIPPED]:
        size = SMALL if name.startswith("all-convolutional") else SIZE
        loader = pipeline.Loader(
            data, image_size=size, batch_size=BATCH_SIZE, augment=policy("light", size), on_error="replace"
        )
        dataset = loader.dataset()
        try:
            model = build(name, input_shape=(*size, 3), classes=len(dataset.class_names))
        except ValueError as error:
            raise OptionError(str(error)) from None
        seconds_per_step = make_step_timer(model, dataset.element_spec)
        sources = {"loader": dataset, "memory": repeat_first_batch(dataset)}
        seconds: dict[str, list[float]] = {kind: [] for kind in sources}
        for number in range(rounds + 1):
            for kind, source in sources.items():
                say(f"{name}: {kind}, {'warm-up' if number == 0 else f'round {number} of {rounds}'}")
                measured = seconds_per_step(source, steps if number else 1)
                seconds[kind] += [measured] if number else []
        rows.append(_make_row(name, size, seconds, rounds, steps))
    return rows


def _make_row(
    name: str, size: tuple[int, int], seconds: dict[str, list[float]], rounds: int, steps: int
) -> dict[str, Any]:
    loader, memory = (statistics.median(seconds[kind]) for kind in ("loader", "memory"))
    ratios = [one / other for one, other in zip(seconds["loader"], seconds["memory"], strict=True)]
    return {
        "workload": "waiting",
        "model": name,
        "image_size": list(size),
        "batch_size": BATCH_SIZE,
        "loader_img_s": round(BATCH_SIZE / loader, 2),
        "memory_img_s": round(BATCH_SIZE / memory, 2),
        "step_costs": round(statistics.median(ratios), 3),
        "step_costs_min": round(min(ratios), 3),
        "step_costs_max": round(max(ratios), 3),
        "rounds": rounds,
        "steps": steps,
        **machine(),
        "versions": versions(),
    }


def line(row: dict[str, Any]) -> str:
    """Format a row for people."""
    height, width = row["image_size"]
    return (
        f"{row['model']:20}{height} x {width}: {row['loader_img_s']:,.1f} images/s from the loader, "
        f"{row['memory_img_s']:,.1f} from memory; a step takes {row['step_costs']:.2f} x as long "
        f"({row['step_costs_min']:.2f} to {row['step_costs_max']:.2f})"
    )
