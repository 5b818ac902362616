"""Charts of kept rows, as PNG bytes: bars with their spread, and curves."""

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008, as in training.figures.
_OURS, _OTHERS, _LIMIT, _TEXT, _GRID = "#D55E00", "#0072B2", "#999999", "#333333", "#DDDDDD"
_LINES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

Rows = Sequence[Mapping[str, Any]]


def draw_bars(rows: Rows, title: str, labels: Mapping[str, str], unit: str = "images/s") -> bytes:
    """Draw the median of each contender with a whisker from its minimum to its maximum.

    Args:
        rows: kept rows, drawn from the fastest to the slowest; rows without a rate are skipped.
        title: the chart's title.
        labels: the contenders' labels.
        unit: the rates' unit.
    """
    timed = sorted((row for row in rows if row["img_s_median"] is not None), key=lambda row: -row["img_s_median"])
    figure, axes = _make_figure(8, 1.2 + 0.36 * len(timed))
    middle = [row["img_s_median"] for row in timed]
    spread = [
        [row["img_s_median"] - row["img_s_min"] for row in timed],
        [row["img_s_max"] - row["img_s_median"] for row in timed],
    ]
    positions = range(len(timed))
    axes.barh(positions, middle, height=0.62, color=[_choose_color(row["peer"]) for row in timed])
    axes.errorbar(middle, positions, xerr=spread, fmt="none", ecolor=_TEXT, elinewidth=1, capsize=3)
    for position, row in enumerate(timed):
        text = f"{row['img_s_median']:,.0f}"
        axes.annotate(text, (row["img_s_max"], position), (6, 0), textcoords="offset points", va="center", color=_TEXT)
    axes.set_yticks(positions, [_find_label(row["peer"], labels) for row in timed])
    axes.set_ylim(len(timed) - 0.4, -0.6)
    axes.set_xlim(0, 1.15 * max((row["img_s_max"] for row in timed), default=1))
    axes.set_xlabel(f"{unit}: median, minimum to maximum of {timed[0]['rounds'] if timed else 0} rounds")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_title(title, color=_TEXT, loc="left")
    return _encode_png(figure)


def draw_curves(rows: Rows, axis: str, title: str, xlabel: str, labels: Mapping[str, str]) -> bytes:
    """Draw the rate of each contender against a setting, with a band from minimum to maximum.

    Args:
        rows: rows of `benchmarks.scaling`.
        axis: "calls" or "images".
        title: the chart's title.
        xlabel: the setting's label.
        labels: the contenders' labels.
    """
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["axis"] == axis and row["img_s_median"] is not None:
            found[row["peer"]].append(row)
    figure, axes = _make_figure(7, 3.6)
    for color, (peer, points) in zip(_LINES, found.items(), strict=False):
        x = [point["value"] for point in points]
        axes.plot(x, [point["img_s_median"] for point in points], "o-", color=color, label=_find_label(peer, labels))
        least, greatest = ([point[end] for point in points] for end in ("img_s_min", "img_s_max"))
        axes.fill_between(x, least, greatest, color=color, alpha=0.2, linewidth=0)
    settings = sorted({row["value"] for row in rows if row["axis"] == axis})
    axes.set_xscale("log", base=2 if axis == "calls" else 10)
    axes.set_xticks(settings, [f"{value:,}" for value in settings])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(xlabel=xlabel, ylabel="images/s")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_title(title, color=_TEXT, loc="left")
    axes.legend(frameon=False)
    return _encode_png(figure)


def _find_label(peer: str, labels: Mapping[str, str]) -> str:
    return labels.get(peer, peer).replace("`", "")


def _choose_color(peer: str) -> str:
    return _OURS if peer.startswith("caudal") else _LIMIT if peer.endswith("-limit") else _OTHERS


def _make_figure(width: float, height: float) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def _encode_png(figure: "Figure") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
