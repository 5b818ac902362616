"""Figures as PNG files: training curves, charts of rates and times. `training/sheets.py` draws contact sheets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training import canvas

_TRAINING: Mapping[str, Any] = {"linewidth": 1, "alpha": 0.5}
_VALIDATION: Mapping[str, Any] = {"linewidth": 2}


def training_curves(
    path: str | Path,
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    title: str = "Training",
) -> Path:
    """Draw loss and accuracy against the epoch, one color per run, and name the final validation accuracy.

    Args:
        path: the PNG to write; missing directories are created.
        histories: for each run its `History.history`: "loss" in nats and "accuracy" in 0 to 1, drawn thin and
            pale, and "val_loss" and "val_accuracy", drawn solid; one value per epoch. A key may be absent.
        title: above the panels.

    Returns:
        `path`.

    Raises:
        ValueError: there are no runs.
    """
    if not histories:
        raise ValueError("training_curves needs at least one run, got none")
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = canvas.figure(10, 3.8)
    figure.suptitle(title, x=0.01, horizontalalignment="left", color=canvas.TEXT)
    colors = dict(zip(histories, canvas.colors(len(histories)), strict=True))
    loss, accuracy = figure.subplots(1, 2)
    for axes, metric, label in ((loss, "loss", "loss (nats)"), (accuracy, "accuracy", "accuracy (%)")):
        for run, history in histories.items():
            for key, style in ((metric, _TRAINING), (f"val_{metric}", _VALIDATION)):
                values = history.get(key, ())
                # A line through a single epoch would be invisible.
                marker = "o" if len(values) == 1 else ""
                axes.plot(range(1, len(values) + 1), values, color=colors[run], marker=marker, **style)
        canvas.style_axes(axes, grid="both")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    loss.set_ylim(bottom=0)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    entries = [(_name(run, history), colors[run], _VALIDATION) for run, history in histories.items()]
    entries += [("validation", canvas.TEXT, _VALIDATION), ("training", canvas.TEXT, _TRAINING)]
    lines = [Line2D([], [], label=label, color=color, **style) for label, color, style in entries]
    figure.legend(handles=lines, loc="outside right upper", frameon=False)
    return canvas.write(figure, path)


def _name(run: str, history: Mapping[str, Sequence[float]]) -> str:
    accuracy = history.get("val_accuracy")
    return f"{run} (final {accuracy[-1]:.1%})" if accuracy else run


def throughput_chart(
    path: str | Path,
    rates: Mapping[str, Sequence[float]],
    *,
    title: str = "Throughput",
) -> Path:
    """Draw a bar per contender: the median of its rates, with a whisker from the lowest to the highest.

    Args:
        path: the PNG to write; missing directories are created.
        rates: images/s of every round, for each contender; drawn from top to bottom in this order.
        title: above the bars.

    Returns:
        `path`.

    Raises:
        ValueError: there are no contenders, or one has no rounds.
    """
    if not rates or not all(len(rounds) for rounds in rates.values()):
        raise ValueError(f"throughput_chart needs contenders with at least one round each, got {dict(rates)}")
    least, medians, greatest = np.array([np.quantile(rounds, (0, 0.5, 1)) for rounds in rates.values()]).T
    counts = sorted({len(rounds) for rounds in rates.values()})
    rounds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    figure = canvas.figure(8, 1.4 + 0.45 * len(rates))
    axes = figure.subplots()
    positions = range(len(rates))
    axes.barh(positions, medians, height=0.6, color=canvas.PALETTE[0])
    spread = (medians - least, greatest - medians)
    axes.errorbar(medians, positions, xerr=spread, fmt="none", ecolor=canvas.TEXT, capsize=4)
    for position, value, end in zip(positions, medians, greatest, strict=True):
        number = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
        axes.annotate(number, (end, position), (8, 0), textcoords="offset points", va="center", color=canvas.TEXT)
    canvas.style_axes(axes, grid="x")
    axes.set_yticks(positions, list(rates))
    axes.set_ylim(len(rates) - 0.5, -0.5)  # from top to bottom
    axes.set_xlim(0, 1.12 * greatest.max())  # with room for the numbers
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.set_xlabel(f"images/s (median, min to max of {rounds} round{'s' if counts[-1] > 1 else ''})")
    axes.set_title(title, color=canvas.TEXT)
    return canvas.write(figure, path)


def time_chart(
    path: str | Path, seconds: Mapping[str, float], *, title: str = "Time", marked: str | None = None
) -> Path:
    """Draw a bar per stage: the time that it takes per image.

    Args:
        path: the PNG to write; missing directories are created.
        seconds: per image, for each stage; drawn from top to bottom in this order.
        title: above the bars.
        marked: the stage whose bar has another color.

    Returns:
        `path`.

    Raises:
        ValueError: there are no stages.
    """
    if not seconds:
        raise ValueError("time_chart needs at least one stage, got none")
    figure = canvas.figure(8, 1.4 + 0.45 * len(seconds))
    axes = figure.subplots()
    milliseconds = [1000 * value for value in seconds.values()]
    colors = [canvas.PALETTE[1 if name == marked else 0] for name in seconds]
    bars = axes.barh(range(len(seconds)), milliseconds, height=0.6, color=colors)
    axes.bar_label(bars, [f"{value:.2f}" for value in milliseconds], padding=8, color=canvas.TEXT)
    canvas.style_axes(axes, grid="x")
    axes.set_yticks(range(len(seconds)), list(seconds))
    axes.set_ylim(len(seconds) - 0.5, -0.5)  # from top to bottom
    axes.set_xlim(0, 1.12 * max(milliseconds))  # with room for the numbers
    axes.set_xlabel("ms per image")
    axes.set_title(title, color=canvas.TEXT)
    return canvas.write(figure, path)
