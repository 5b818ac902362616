"""Pictures of a search: the importance of each dimension, and the error of each trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training import canvas
from training.search import Trial
from training.space import Choice, SearchSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def importance_chart(path: str | Path, importances: Mapping[str, float]) -> Path:
    """Draw a bar per dimension: the fraction of the errors' variance that it explains.

    Args:
        path: the PNG to write; missing directories are created.
        importances: fractions, from 0 to 1.

    Returns:
        `path`.
    """
    ordered = dict(sorted(importances.items(), key=lambda item: -item[1]))
    figure = canvas.figure(8, 1.3 + 0.4 * len(ordered))
    axes = figure.subplots()
    positions = range(len(ordered))
    axes.barh(positions, list(ordered.values()), height=0.6, color=canvas.PALETTE[0])
    for position, fraction in enumerate(ordered.values()):
        axes.annotate(
            f"{fraction:.0%}", (fraction, position), (6, 0), textcoords="offset points", va="center", color=canvas.TEXT
        )
    canvas.style_axes(axes, grid="x")
    axes.set_yticks(positions, list(ordered))
    axes.set_ylim(len(ordered) - 0.5, -0.5)
    axes.set_xlim(0, 1.1)
    axes.set(xlabel="fraction of the errors' variance that it explains", title="What the error depends on")
    return canvas.write(figure, path)


def parallel_coordinates(path: str | Path, trials: Sequence[Trial], space: SearchSpace) -> Path:
    """Draw a line per trial, through its value on each dimension's axis, to its error; the best line is thick.

    Args:
        path: the PNG to write; missing directories are created.
        trials: at least one with an error.
        space: defines the axes.

    Returns:
        `path`.
    """
    from matplotlib import colormaps

    # The best is drawn last, over the others; among equals the first trial, as in `search.list_finished`.
    shown = sorted(
        (trial for trial in trials if trial.error is not None), key=lambda trial: (-(trial.error or 0), -trial.number)
    )
    errors = np.array([trial.error for trial in shown], float)
    names = list(space.dimensions)
    columns = [_to_positions(space, name, [trial.params[name] for trial in shown]) for name in names]
    columns.append(_scale(errors))
    figure = canvas.figure(2.2 + 1.7 * len(names), 4.5)
    axes = figure.subplots()
    shades = colormaps["viridis"](0.9 * _scale(errors))
    for number, line in enumerate(np.stack(columns, axis=1)):
        best = number == len(shown) - 1
        style = {"color": canvas.PALETTE[1], "linewidth": 3.0} if best else {"color": shades[number], "linewidth": 1.0}
        axes.plot(range(len(columns)), line, alpha=1 if best else 0.7, zorder=3 if best else 2, **style)
    for position, name in enumerate(names):
        _draw_axis(axes, position, _list_ticks(space, name, [trial.params[name] for trial in shown]))
    ends = np.unique([errors.min(), errors.max()])
    _draw_axis(axes, len(names), [(float(p), f"{error:.1%}") for p, error in zip(_scale(ends), ends, strict=True)])
    axes.set_xticks(range(len(columns)), [*names, "error"])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.3, len(columns) - 1 + 0.5)
    axes.set_title(f"{len(shown)} trials; the best (thick line) has an error of {errors.min():.1%}", color=canvas.TEXT)
    return canvas.write(figure, path)


def _draw_axis(axes: "Axes", position: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(position, color=canvas.GRID, zorder=1)
    for height, label in ticks:
        axes.annotate(
            label,
            (position, height),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=canvas.TEXT,
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
        )


def _to_positions(space: SearchSpace, name: str, values: Sequence[Any]) -> NDArray[np.float64]:
    dimension = space.dimensions[name]
    if isinstance(dimension, Choice):
        return np.array([dimension.values.index(value) for value in values]) / max(1, len(dimension.values) - 1)
    numbers = np.array(values, float)
    return _scale(np.log(numbers) if dimension.log else numbers)


def _list_ticks(space: SearchSpace, name: str, values: Sequence[Any]) -> list[tuple[float, str]]:
    dimension = space.dimensions[name]
    if isinstance(dimension, Choice):
        count = max(1, len(dimension.values) - 1)
        return [(position / count, canvas.shorten(str(value), 24)) for position, value in enumerate(dimension.values)]
    numbers = np.unique(np.array(values, float))
    positions = _scale(np.log(numbers) if dimension.log else numbers)
    discrete = dimension.is_finite and len(numbers) <= 6
    chosen = range(len(numbers)) if discrete else (0, len(numbers) - 1)
    return [(float(positions[number]), f"{numbers[number]:.3g}") for number in chosen]


def _scale(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale numbers to 0 to 1; equal numbers become 0.5."""
    span = np.ptp(numbers)
    return (numbers - numbers.min()) / span if span else np.full(len(numbers), 0.5)
