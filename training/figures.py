"""Figures as PNG files: training curves, a chart of rates, a contact sheet of images.

Drawn with Matplotlib's objects, never with pyplot: no window, no global state. Colours are those of Okabe and
Ito 2008, "Color Universal Design", which the colour-blind tell apart, or of viridis where more are needed.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image: TypeAlias = NDArray[np.uint8]
"""Pixels [H, W, C], 0 to 255; C is 1 (gray), 3 (RGB) or 4 (RGBA)."""

Color: TypeAlias = str | tuple[float, float, float, float]

_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_TEXT = "#333333"
_GRID = "#DDDDDD"
_TRAINING: Mapping[str, Any] = {"linewidth": 1, "alpha": 0.5}
_VALIDATION: Mapping[str, Any] = {"linewidth": 2}
_DOTS_PER_INCH = 120
_CELL_INCHES = 1.5  # of an image of a contact sheet, along its longer side


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

    figure = _figure(10, 3.8)
    figure.suptitle(title, x=0.01, horizontalalignment="left", color=_TEXT)
    colors = dict(zip(histories, _colors(len(histories)), strict=True))
    loss, accuracy = figure.subplots(1, 2)
    for axes, metric, label in ((loss, "loss", "loss (nats)"), (accuracy, "accuracy", "accuracy (%)")):
        for run, history in histories.items():
            for key, style in ((metric, _TRAINING), (f"val_{metric}", _VALIDATION)):
                values = history.get(key, ())
                # A line through a single epoch would not be seen.
                marker = "o" if len(values) == 1 else ""
                axes.plot(range(1, len(values) + 1), values, color=colors[run], marker=marker, **style)
        _plain(axes, grid="both")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    loss.set_ylim(bottom=0)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    entries = [(_name(run, history), colors[run], _VALIDATION) for run, history in histories.items()]
    entries += [("validation", _TEXT, _VALIDATION), ("training", _TEXT, _TRAINING)]
    lines = [Line2D([], [], label=label, color=color, **style) for label, color, style in entries]
    figure.legend(handles=lines, loc="outside right upper", frameon=False)
    return _write(figure, path)


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

    figure = _figure(8, 1.4 + 0.45 * len(rates))
    axes = figure.subplots()
    places = range(len(rates))
    axes.barh(places, medians, height=0.6, color=_PALETTE[0])
    spread = (medians - least, greatest - medians)
    axes.errorbar(medians, places, xerr=spread, fmt="none", ecolor=_TEXT, capsize=4)
    for place, value, end in zip(places, medians, greatest, strict=True):
        number = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
        axes.annotate(number, (end, place), (8, 0), textcoords="offset points", va="center", color=_TEXT)
    _plain(axes, grid="x")
    axes.set_yticks(places, list(rates))
    axes.set_ylim(len(rates) - 0.5, -0.5)  # from top to bottom
    axes.set_xlim(0, 1.12 * greatest.max())  # with room for the numbers
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.set_xlabel(f"images/s (median, min to max of {rounds} round{'s' if counts[-1] > 1 else ''})")
    axes.set_title(title, color=_TEXT)
    return _write(figure, path)


def time_chart(
    path: str | Path, seconds: Mapping[str, float], *, title: str = "Time", marked: str | None = None
) -> Path:
    """Draw a bar for the time that each part of some work takes for an image.

    Args:
        path: the PNG to write; missing folders are made.
        seconds: per image, for each part; drawn from top to bottom in this order.
        title: stands above the bars.
        marked: the part whose bar has another colour.

    Returns:
        `path`.

    Raises:
        ValueError: there are no parts.
    """
    if not seconds:
        raise ValueError("time_chart needs at least one part, got none")
    figure = _figure(8, 1.4 + 0.45 * len(seconds))
    axes = figure.subplots()
    milliseconds = [1000 * value for value in seconds.values()]
    colors = [_PALETTE[1 if name == marked else 0] for name in seconds]
    bars = axes.barh(range(len(seconds)), milliseconds, height=0.6, color=colors)
    axes.bar_label(bars, [f"{value:.2f}" for value in milliseconds], padding=8, color=_TEXT)
    _plain(axes, grid="x")
    axes.set_yticks(range(len(seconds)), list(seconds))
    axes.set_ylim(len(seconds) - 0.5, -0.5)  # from top to bottom
    axes.set_xlim(0, 1.12 * max(milliseconds))  # with room for the numbers
    axes.set_xlabel("ms an image")
    axes.set_title(title, color=_TEXT)
    return _write(figure, path)


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
    figure = _figure(_CELL_INCHES * columns + margin, _CELL_INCHES * sum(heights) + 0.25)
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, color=_TEXT, fontsize=9)
    for row, height, caption, cells in zip(rows, heights, captions, grid, strict=True):
        cells[0].set_ylabel(caption, color=_TEXT, fontsize=9, rotation="horizontal", ha="right", va="center")
        for axes, image in zip(cells, row, strict=False):
            _show(axes, image, height)
    return _write(figure, path)


def _show(axes: "Axes", image: Image, cell_height: float) -> None:
    """Draw an image in the middle of its cell, in a thin frame: a white one would have no edge.

    Args:
        axes: the cell.
        image: the pixels.
        cell_height: of the cell, in units of its width. The axes fill the cell whatever the image's shape, so
            that titles and captions line up.
    """
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    side = max(width, height / cell_height)
    axes.imshow(
        image[..., 0] if image.shape[2] == 1 else image,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest" if side < _CELL_INCHES * _DOTS_PER_INCH else "antialiased",
        extent=(0, width, height, 0),
    )
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=_GRID, clip_on=False))
    axes.set_xlim((width - side) / 2, (width + side) / 2)
    axes.set_ylim((height + side * cell_height) / 2, (height - side * cell_height) / 2)


def _figure(width: float, height: float) -> "Figure":
    """Make an empty figure; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")


def _write(figure: "Figure", path: str | Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png", dpi=_DOTS_PER_INCH)
    return path


def _plain(axes: "Axes", grid: Literal["both", "x"]) -> None:
    """Leave of the frame two thin lines, and a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _colors(count: int) -> Sequence[Color]:
    from matplotlib import colormaps

    if count <= len(_PALETTE):
        return _PALETTE[:count]
    return [colormaps["viridis"](place) for place in np.linspace(0, 0.9, count)]
