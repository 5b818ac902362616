"""Sheets of images as PNG files: rows of cells, a note below each, titles above the columns, captions on the left."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from training import canvas
from training.canvas import DOTS_PER_INCH, GRID, TEXT, Image, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NOTE_POINTS = 6.5
_LINE_INCHES = 1.25 * _NOTE_POINTS / 72
_CHARACTER_INCHES = 0.56 * _NOTE_POINTS / 72  # mean width in DejaVu Sans


@dataclass(frozen=True, eq=False)
class Cell:
    """An image of a sheet.

    Attributes:
        image: uint8 [H, W, 1, 3 or 4].
        note: stands below it; its lines are wrapped to the cell's width.
    """

    image: Image
    note: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sheet:
    """A grid of images.

    Every image is drawn to fit its cell, whatever its size; a small one keeps its square pixels visible.

    Attributes:
        rows: of cells; a row may be shorter than others.
        titles: of the columns.
        captions: of the rows, on the left.
        heading: stands above all.
        cell_inches: the width of a cell, at 120 dots an inch.
    """

    rows: Sequence[Sequence[Cell]]
    titles: Sequence[str]
    captions: Sequence[str]
    heading: str = ""
    cell_inches: float = 1.5

    def __post_init__(self) -> None:
        lengths = [len(row) for row in self.rows]
        if not lengths or min(lengths) == 0:
            raise ValueError(f"a sheet needs rows of at least one image, got rows of {lengths}")
        if len(self.captions) != len(lengths) or len(self.titles) != max(lengths):
            raise ValueError(
                f"{len(lengths)} rows need as many captions and {max(lengths)} columns as many titles, "
                f"got {len(self.captions)} captions and {len(self.titles)} titles"
            )
        for image in (cell.image for cell in chain.from_iterable(self.rows)):
            if str(image.dtype) != "uint8" or image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
                raise ValueError(f"images must be uint8 [H, W, 1, 3 or 4], got {image.dtype} {list(image.shape)}")

    def draw(self, path: str | Path) -> Path:
        """Write the sheet as a PNG; missing folders are made."""
        columns, width = len(self.titles), self.cell_inches
        # A cell is as wide as every other; a row is as high as its tallest image wants, within bounds.
        heights = [
            min(max(0.4, *(cell.image.shape[0] / cell.image.shape[1] for cell in row)), 1.6) for row in self.rows
        ]
        notes = [[_wrapped(cell.note, width) for cell in row] for row in self.rows]
        lines = sum(max(note.count("\n") + bool(note) for note in row) for row in notes)
        margin = 0.08 * max(len(line) for caption in self.captions for line in caption.split("\n"))
        room = 0.25 + 0.25 * bool(self.heading) + lines * _LINE_INCHES + 0.04 * len(self.rows)
        figure = canvas.figure(width * columns + margin, width * sum(heights) + room)
        if self.heading:
            figure.suptitle(self.heading, x=0.01, horizontalalignment="left", color=TEXT, fontsize=10)
        grid = figure.subplots(len(self.rows), columns, squeeze=False, height_ratios=heights)
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, title in zip(grid[0], self.titles, strict=True):
            axes.set_title(title, color=TEXT, fontsize=9)
        for row, height, caption, own, cells in zip(self.rows, heights, self.captions, notes, grid, strict=True):
            cells[0].set_ylabel(caption, color=TEXT, fontsize=9, rotation="horizontal", ha="right", va="center")
            for axes, cell, note in zip(cells, row, own, strict=False):
                _show(axes, cell.image, height, width)
                axes.set_xlabel(note, color=TEXT, fontsize=_NOTE_POINTS, linespacing=1.15, labelpad=2)
        return write(figure, path)


def contact_sheet(
    path: str | Path,
    rows: Sequence[Sequence[Image]],
    titles: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
) -> Path:
    """Lay images out in a grid, one sample a row: the original first, then what augmentation made of it.

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
    columns = max(map(len, rows), default=0)
    if titles is None:
        titles = ["original", *(f"augmented {number}" for number in range(1, columns))]
    if captions is None:
        captions = [""] * len(rows)
    return Sheet(rows=[[Cell(image) for image in row] for row in rows], titles=titles, captions=captions).draw(path)


def _aspect(image: Image) -> float:
    return float(image.shape[0] / image.shape[1])


def _wrapped(note: str, width: float) -> str:
    characters = max(8, int(width / _CHARACTER_INCHES))
    return "\n".join(chain.from_iterable(textwrap.wrap(line, characters) or [""] for line in note.split("\n")))


def _show(axes: "Axes", image: Image, cell_height: float, cell_inches: float) -> None:
    """Draw an image in the middle of its cell, in a thin frame: a white one would have no edge.

    Args:
        axes: the cell.
        image: the pixels.
        cell_height: of the cell, in units of its width. The axes fill the cell whatever the image's shape, so
            that titles and captions line up.
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
