"""Contact sheets as PNG files: rows of cells with a note below each, titles above the columns, captions on the left."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from training import canvas
from training.canvas import TEXT, Image, write

_NOTE_POINTS = 6.5
_LINE_INCHES = 1.25 * _NOTE_POINTS / 72
_HEADING_INCHES = 0.6 * 10 / 72  # width of a character of the heading, in 10 points
_CHARACTER_INCHES = 0.62 * _NOTE_POINTS / 72  # in a wide line in DejaVu Sans: neighboring notes must not touch


@dataclass(frozen=True, eq=False)
class Cell:
    """An image of a sheet.

    Attributes:
        image: uint8 [H, W, 1, 3 or 4].
        note: text below it; its lines are wrapped to the cell's width.
    """

    image: Image
    note: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sheet:
    """A grid of images.

    Every image is scaled to fit its cell; a small one keeps its square pixels visible.

    Attributes:
        rows: rows of cells; a row may be shorter than others.
        titles: of the columns.
        captions: of the rows, on the left.
        heading: above the sheet.
        cell_inches: the width of a cell, at 120 dots per inch.
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
        """Write the sheet as a PNG; missing directories are created."""
        columns, width = len(self.titles), self.cell_inches
        # All cells have one width; a row's height follows from its tallest image, within bounds.
        heights = [
            min(max(0.4, *(cell.image.shape[0] / cell.image.shape[1] for cell in row)), 1.6) for row in self.rows
        ]
        notes = [[_wrap(canvas.escape_missing_glyphs(cell.note), width) for cell in row] for row in self.rows]
        lines = sum(max(note.count("\n") + bool(note) for note in row) for row in notes)
        captions = [canvas.escape_missing_glyphs(caption) for caption in self.captions]
        margin = 0.08 * max(len(line) for caption in captions for line in caption.split("\n"))
        heading = textwrap.wrap(
            canvas.escape_missing_glyphs(self.heading), max(20, int((width * columns + margin) / _HEADING_INCHES))
        )
        room = 0.25 + 0.25 * len(heading) + lines * _LINE_INCHES + 0.04 * len(self.rows)
        # Names may contain dollar signs, which must not start a formula.
        plain: dict[str, Any] = {"color": TEXT, "parse_math": False}
        figure = canvas.figure(width * columns + margin, width * sum(heights) + room)
        if heading:
            figure.suptitle("\n".join(heading), x=0.01, horizontalalignment="left", fontsize=10, **plain)
        grid = figure.subplots(len(self.rows), columns, squeeze=False, height_ratios=heights)
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, title in zip(grid[0], self.titles, strict=True):
            axes.set_title(canvas.escape_missing_glyphs(title), fontsize=9, **plain)
        for row, height, caption, own, cells in zip(self.rows, heights, captions, notes, grid, strict=True):
            cells[0].set_ylabel(caption, fontsize=9, rotation="horizontal", ha="right", va="center", **plain)
            for axes, cell, note in zip(cells, row, own, strict=False):
                canvas.show(axes, cell.image, height, width)
                axes.set_xlabel(note, fontsize=_NOTE_POINTS, linespacing=1.15, labelpad=2, **plain)
        return write(figure, path)


def contact_sheet(
    path: str | Path,
    rows: Sequence[Sequence[Image]],
    titles: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
) -> Path:
    """Draw images in a grid, one sample per row: the original first, then its augmented versions.

    Args:
        path: the PNG to write; missing directories are created.
        rows: images of any sizes; a row may be shorter than others.
        titles: of the columns; by default "original", "augmented 1", "augmented 2", ...
        captions: of the rows, on the left, for example class names; none by default.

    Returns:
        `path`.

    Raises:
        ValueError: a row has no image, an image is not uint8 [H, W, 1, 3 or 4], or the number of titles or captions
            differs from the number of columns or rows.
    """
    columns = max(map(len, rows), default=0)
    if titles is None:
        titles = ["original", *(f"augmented {number}" for number in range(1, columns))]
    if captions is None:
        captions = [""] * len(rows)
    return Sheet(rows=[[Cell(image) for image in row] for row in rows], titles=titles, captions=captions).draw(path)


def _wrap(note: str, width: float) -> str:
    characters = max(8, int(width / _CHARACTER_INCHES))
    return "\n".join(chain.from_iterable(textwrap.wrap(line, characters) or [""] for line in note.split("\n")))
