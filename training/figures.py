"""Figures as PNG files: training curves, a chart of rates, a contact sheet of images."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from training import canvas
from training.canvas import Image

_TRAINING: Mapping[str, Any] = {"linewidth": 1, "alpha": 0.5}
_VALIDATION: Mapping[str, Any] = {"linewidth": 2}


def training_curves(
    path: str | Path,
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    title: str = "Training",
) -> Path:
    """Draw loss and accuracy against the epoch, one colour a run, and tell the last validation accuracy.

    Args:
        path: the PNG to write; missing folders are made.
        histories: for each run its `History.history`: "loss" in nats and "accuracy" in 0 to 1, drawn thin and
            pale, and "val_loss" and "val_accuracy", drawn solid; one value an epoch. A key may be absent.
        title: stands above the panels.

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
                # A line through a single epoch would not be seen.
                marker = "o" if len(values) == 1 else ""
                axes.plot(range(1, len(values) + 1), values, color=colors[run], marker=marker, **style)
        canvas.plain(axes, grid="both")
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
    return f"{run} (finally {accuracy[-1]:.1%})" if accuracy else run


def throughput_chart(
    path: str | Path,
    rates: Mapping[str, Sequence[float]],
    *,
    title: str = "Throughput",
) -> Path:
    """Draw a bar for each contender: the median of its rates, with a whisker from the least to the greatest.

    Args:
        path: the PNG to write; missing folders are made.
        rates: images/s of every round, for each contender; drawn from top to bottom in this order.
        title: stands above the bars.

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
    places = range(len(rates))
    axes.barh(places, medians, height=0.6, color=canvas.PALETTE[0])
    spread = (medians - least, greatest - medians)
    axes.errorbar(medians, places, xerr=spread, fmt="none", ecolor=canvas.TEXT, capsize=4)
    for place, value, end in zip(places, medians, greatest, strict=True):
        number = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
        axes.annotate(number, (end, place), (8, 0), textcoords="offset points", va="center", color=canvas.TEXT)
    canvas.plain(axes, grid="x")
    axes.set_yticks(places, list(rates))
    axes.set_ylim(len(rates) - 0.5, -0.5)  # from top to bottom
    axes.set_xlim(0, 1.12 * greatest.max())  # with room for the numbers
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.set_xlabel(f"images/s (median, min to max of {rounds} round{'s' if counts[-1] > 1 else ''})")
    axes.set_title(title, color=canvas.TEXT)
    return canvas.write(figure, path)


def contact_sheet(
    path: str | Path,
    rows: Sequence[Sequence[Image]],
    titles: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
) -> Path:
    """Lay images out in a grid, one sample a row: the original first, then what augmentation made of it.

    Every image is drawn to fit its cell, whatever its size; a small one keeps its square pixels visible.

    Args:
        path: the PNG to write; missing folders are made.
        rows: images of any sizes; a row may be shorter than others.
        titles: of the columns; by default "original", "augmented 1", "augmented 2", ...
        captions: of the rows, on the left, such as class names; none by default.

    Returns:
        `path`.

    Raises:
        ValueError: a row has no image, an image is not uint8 [H, W, 1, 3 or 4], or there is not one title for
            each column and one caption for each row.
    """
    lengths = [len(row) for row in rows]
    if not lengths or min(lengths) == 0:
        raise ValueError(f"contact_sheet needs rows of at least one image, got rows of {lengths}")
    columns = max(lengths)
    if titles is None:
        titles = ["original", *(f"augmented {number}" for number in range(1, columns))]
    if captions is None:
        captions = [""] * len(rows)
    if len(captions) != len(rows) or len(titles) != columns:
        raise ValueError(
            f"{len(rows)} rows need as many captions and {columns} columns as many titles, "
            f"got {len(captions)} captions and {len(titles)} titles"
        )
    for image in chain.from_iterable(rows):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
            raise ValueError(f"images must be uint8 [H, W, 1, 3 or 4], got {image.dtype} {list(image.shape)}")

    # A cell is as wide as every other; a row is as high as its tallest image wants, within bounds.
    heights = [min(max(0.4, *(image.shape[0] / image.shape[1] for image in row)), 1.6) for row in rows]
    margin = 0.08 * max(map(len, captions))
    figure = canvas.figure(canvas.CELL_INCHES * columns + margin, canvas.CELL_INCHES * sum(heights) + 0.25)
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, color=canvas.TEXT, fontsize=9)
    for row, height, caption, cells in zip(rows, heights, captions, grid, strict=True):
        cells[0].set_ylabel(caption, color=canvas.TEXT, fontsize=9, rotation="horizontal", ha="right", va="center")
        for axes, image in zip(cells, row, strict=False):
            canvas.show(axes, image, height)
    return canvas.write(figure, path)
