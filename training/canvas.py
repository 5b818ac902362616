"""Parts of all figures: the sheet, the colors, the axes, and an image in its cell.

Drawn with Matplotlib's objects, never with pyplot: no window, no global state. Colors are those of Okabe and
Ito 2008, "Color Universal Design", which color-blind people can distinguish, or of viridis if more are needed.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image: TypeAlias = NDArray[np.uint8]
"""Pixels [H, W, C], 0 to 255; C is 1 (gray), 3 (RGB) or 4 (RGBA)."""

Color: TypeAlias = str | tuple[float, float, float, float]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
TEXT = "#333333"
GRID = "#DDDDDD"
DOTS_PER_INCH = 120
CELL_INCHES = 1.5
"""Length of the longer side of an image in a sheet."""


def figure(width: float, height: float) -> "Figure":
    """Create an empty figure; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def write(sheet: "Figure", path: str | Path) -> Path:
    """Write a figure as a PNG; missing directories are created."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(sheet)
    sheet.savefig(path, format="png", dpi=DOTS_PER_INCH)
    return path


def style_axes(axes: "Axes", grid: Literal["both", "x"]) -> None:
    """Keep the left and the bottom line of the frame, and draw a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def colors(count: int) -> Sequence[Color]:
    """Return `count` distinguishable colors."""
    from matplotlib import colormaps

    if count <= len(PALETTE):
        return PALETTE[:count]
    return [colormaps["viridis"](position) for position in np.linspace(0, 0.9, count)]


def show(axes: "Axes", image: Image, cell_height: float, cell_inches: float = CELL_INCHES) -> None:
    """Draw an image in the middle of its cell, in a thin frame: a white image would have no edge.

    Args:
        axes: the cell.
        image: the pixels.
        cell_height: of the cell, in units of its width. The axes fill the cell whatever the image's shape, so
            that titles and captions are aligned.
        cell_inches: the cell's width.
    """
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    side = max(width, height / cell_height)
    axes.imshow(
        image[..., 0] if image.shape[2] == 1 else image,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest" if side < cell_inches * DOTS_PER_INCH else "antialiased",
        extent=(0, width, height, 0),
    )
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=GRID, clip_on=False))
    axes.set_xlim((width - side) / 2, (width + side) / 2)
    axes.set_ylim((height + side * cell_height) / 2, (height - side * cell_height) / 2)


def shorten(name: str, limit: int = 18) -> str:
    """Shorten a name to `limit` characters; escape missing glyphs, and dollar signs, which would start a formula."""
    text = escape_missing_glyphs(name).replace("$", r"\$")
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def escape_missing_glyphs(text: str) -> str:
    """Replace characters that the figures' font lacks (Chinese, for example) by their escape sequences."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    known = _characters()
    return "".join(one if one == "\n" or ord(one) in known else one.encode("unicode_escape").decode() for one in text)


@cache
def _characters() -> frozenset[int]:
    """Return the characters of Matplotlib's default font."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
