"""The picture of a learning curve: measurements, fitted power laws with their bands, and extrapolation."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training import canvas
from training.learning_curve import LearningCurve
from training.power_law import PowerLaw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AHEAD = 8
"""The extrapolation reaches at least this multiple of the largest training set."""

_FURTHEST = 1000
"""The extrapolation reaches at most this multiple: a target beyond it is not drawn."""


def curve_chart(path: str | Path, curve: LearningCurve, target: float | None = None) -> Path:
    """Draw error against number of training samples, both logarithmic.

    A dot is a measurement, a line a fitted law, its band 95 % of the bootstrap; extrapolations are dashed. A
    horizontal line marks the target, with the number of samples that each law needs for it. An arrow shows the
    augmentation's worth at the largest training set.

    Args:
        path: the PNG to write; missing directories are created.
        curve: the measured learning curves.
        target: an error, from 0 to 1.

    Returns:
        `path`.
    """
    figure = canvas.figure(9.5, 5.5)
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    sizes = curve.sizes
    ahead = float(sizes[-1] * _AHEAD)
    if target is not None:
        needed = [law.examples_for(target)[0] for law in curve.laws.values()]
        reached = [number for number in needed if number < sizes[-1] * _FURTHEST]
        ahead = max([ahead, *(1.5 * number for number in reached)])
    for (name, law), color in zip(curve.laws.items(), canvas.colors(max(2, len(curve.laws))), strict=False):
        _draw(axes, curve, name, law, color, ahead)
    lowest = min(point.error for point in curve.points)
    bottom = min([max(lowest, 0.5 / curve.held_out), *([target] if target else [])])
    axes.set_ylim(bottom / 1.9, min(1.0, max(point.error for point in curve.points) * 1.5))
    axes.set_xlim(sizes[0] / 1.3, ahead)
    if target is not None:
        axes.axhline(target, color=canvas.TEXT, linewidth=1, linestyle=":")
        _draw_target(axes, curve, target)
    _draw_worth(axes, curve)
    canvas.style_axes(axes, grid="both")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{100 * value:g}" if _leading_digit(value) in (2, 5) else "")
    axes.set(xlabel="training samples", ylabel=f"error on {curve.held_out:,} held-out samples (%)")
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    seeds = len({point.seed for point in curve.points})
    axes.set_title(
        f"Learning curves: {seeds} seed{'s' if seeds > 1 else ''} per size; lines: fitted power laws with 95 % bands; "
        "dashed: extrapolated",
        color=canvas.TEXT,
        fontsize=10,
    )
    return canvas.write(figure, path)


def _draw(axes: "Axes", curve: LearningCurve, name: str, law: PowerLaw, color: canvas.Color, ahead: float) -> None:
    measured = np.geomspace(curve.sizes[0], curve.sizes[-1], 60)
    further = np.geomspace(curve.sizes[-1], ahead, 40)
    points = [point for point in curve.points if point.curve == name]
    shown = [max(point.error, 0.5 / curve.held_out) for point in points]
    axes.plot([point.examples for point in points], shown, "o", color=color, alpha=0.45, markersize=4)
    a, b, c = law.params
    axes.plot(measured, law(measured), color=color, linewidth=2, label=f"{name}: {a:.2g} n^(-{b:.2f}) + {c:.2g}")
    axes.plot(further, law(further), color=color, linewidth=1.5, linestyle="--")
    whole = np.concatenate([measured, further])
    low, high = law.band(whole)
    axes.fill_between(whole, np.maximum(low, 1e-9), high, color=color, alpha=0.12, linewidth=0)


def _draw_target(axes: "Axes", curve: LearningCurve, target: float) -> None:
    """Label the target's line, and mark where each law crosses it."""
    left, right = axes.get_xlim()
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": canvas.TEXT}
    axes.annotate(f"target: {target:.2%}", (left, target), (4, 3), **style)
    for law, color in zip(curve.laws.values(), canvas.colors(max(2, len(curve.laws))), strict=False):
        needed = law.examples_for(target)[0]
        if left < needed < right:
            axes.plot([needed], [target], "D", color=color, markersize=6)
            axes.annotate(f"{float(f'{needed:.2g}'):,.0f}", (needed, target), (0, -14), ha="center", **style)


def _draw_worth(axes: "Axes", curve: LearningCurve) -> None:
    worth = curve.worth()
    if not worth:
        return
    last = worth[-1]
    equivalent = last.equivalent[0]
    augmented = next(law for name, law in curve.laws.items() if name.endswith("augmentation"))
    error = float(augmented([last.examples])[0])
    end = min(equivalent, axes.get_xlim()[1])
    if end <= last.examples:
        return
    axes.annotate("", (end, error), (last.examples, error), arrowprops={"arrowstyle": "->", "color": canvas.TEXT})
    text = (
        f"augmentation equals\n{equivalent / last.examples:.1f} times the samples"
        if math.isfinite(equivalent)
        else ("not reached\nwithout augmentation")
    )
    middle = math.sqrt(end * last.examples)
    axes.annotate(text, (middle, error), (0, 5), textcoords="offset points", ha="center", fontsize=8, color=canvas.TEXT)


def _leading_digit(value: float) -> int:
    """Return the first digit of a tick of a logarithmic axis."""
    return round(value / 10 ** math.floor(math.log10(value) + 1e-9)) if value > 0 else 0
