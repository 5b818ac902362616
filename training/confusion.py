"""Pictures of a model's errors: the confusion matrix, and the worst samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import canvas
from training.canvas import Image

_COLUMNS = 6
_LARGEST_WITH_NUMBERS = 25
"""Most classes for which the cells of a confusion matrix contain numbers: more would overlap."""


def confusion_matrix(path: str | Path, counts: NDArray[np.int64], class_names: Sequence[str]) -> Path:
    """Draw a confusion matrix: shade and number show how many samples of a row's class were predicted as the column's.

    Args:
        path: the PNG to write; missing directories are created.
        counts: [classes, classes], the label in the row, the prediction in the column.
        class_names: of both.

    Returns:
        `path`.
    """
    classes = len(class_names)
    totals = counts.sum(axis=1, keepdims=True)
    fractions = counts / np.maximum(totals, 1)
    names = [canvas.shorten(name) for name in class_names]
    side = min(max(3.0, 0.5 * classes), 14) + 0.08 * max(map(len, names))
    figure = canvas.figure(side + 0.8, side)
    axes = figure.subplots()
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    size = float(np.clip(90 / classes, 4, 9))
    axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 3 else 0, fontsize=size)
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.set(xlabel="predicted", ylabel="label")
    axes.spines[:].set_visible(False)
    if classes <= _LARGEST_WITH_NUMBERS:
        for row, column in np.ndindex(classes, classes):
            if counts[row, column]:
                color = "white" if fractions[row, column] > 0.5 else canvas.TEXT
                axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=color, fontsize=size)
    right = int(np.trace(counts))
    axes.set_title(f"{right:,} of {counts.sum():,} correct ({right / max(1, counts.sum()):.1%})", color=canvas.TEXT)
    return canvas.write(figure, path)


def image_grid(path: str | Path, images: Sequence[Image], captions: Sequence[str], title: str = "") -> Path:
    """Draw images in rows of six, each with a caption below.

    Args:
        path: the PNG to write; missing directories are created.
        images: uint8 [H, W, 1, 3 or 4].
        captions: one per image, of one or more lines.
        title: of the picture.

    Returns:
        `path`.
    """
    columns = min(_COLUMNS, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    figure = canvas.figure((canvas.CELL_INCHES + 0.2) * columns, (canvas.CELL_INCHES + 0.17 * lines) * rows + 0.5)
    figure.suptitle(title, x=0.01, horizontalalignment="left", color=canvas.TEXT)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, image, caption in zip(grid.flat, images, captions, strict=False):
        canvas.show(axes, image, 1.0)
        axes.set_xlabel(caption, color=canvas.TEXT, fontsize=8)
    return canvas.write(figure, path)
