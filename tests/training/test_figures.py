"""Figures: each function writes one PNG of a size that can be read, and leaves pyplot alone."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import contact_sheet, throughput_chart, training_curves

CURVES = {
    "loss": [2.0, 1.0, 0.5],
    "accuracy": [0.2, 0.6, 0.9],
    "val_loss": [2.1, 1.2, 0.7],
    "val_accuracy": [0.2, 0.5, 0.8],
}


def size(path: Path) -> tuple[int, int]:
    """Read width and height, pixels, from the header of a PNG."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def image(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Make random pixels."""
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    "histories",
    [
        {"plain": CURVES, "augmented": CURVES},
        {"without validation": {"loss": [1.0, 0.5], "accuracy": [0.5, 0.9]}},
        {"one epoch": {key: values[:1] for key, values in CURVES.items()}},
        {f"run {number}": CURVES for number in range(12)},
    ],
    ids=["two runs", "no validation", "one epoch", "more runs than colors"],
)
def test_training_curves_are_drawn(tmp_path: Path, histories: dict[str, Any]) -> None:
    """Any number of runs, with validation or without, fills one picture of two panels."""
    path = training_curves(tmp_path / "made" / "curves.png", histories)
    assert path == tmp_path / "made" / "curves.png"
    assert size(path) == (1200, 456)


def test_throughput_chart_grows_with_its_contenders(tmp_path: Path) -> None:
    """Every contender gets the same height, in a picture of constant width."""
    rates = {f"contender {number}": [100.0 * number, 90.0 * number, 120.0 * number] for number in range(1, 6)}
    one = size(throughput_chart(tmp_path / "one.png", {"alone": [0.5]}))
    five = size(throughput_chart(tmp_path / "five.png", rates, title="Five"))
    assert one == (960, 222)
    assert five == (960, 222 + 4 * 54)


def test_contact_sheet_takes_images_of_differing_sizes(tmp_path: Path) -> None:
    """Gray, color, with alpha, tiny, wide and tall images share a sheet; a row may be short."""
    rows = [[image(8, 8, 1), image(8, 12, 1), image(300, 200)], [image(40, 40, 4)], [image(20, 500)]]
    width, height = size(contact_sheet(tmp_path / "sheet.png", rows, captions=["a", "b", "c"]))
    assert 540 <= width <= 600
    assert 480 <= height <= 600


def test_small_images_keep_square_pixels(tmp_path: Path) -> None:
    """An enlarged image has no colors between those of its pixels, as a smooth one would have."""
    from matplotlib.image import imread

    checkers = (np.indices((6, 6)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    sheet = (imread(contact_sheet(tmp_path / "sheet.png", [[checkers]]))[..., :3] * 255).round()
    middle = sheet[sheet.shape[0] // 2, sheet.shape[1] // 4 : sheet.shape[1] * 3 // 4]
    assert set(np.unique(middle)) == {0, 255}


def test_images_are_not_written_to(tmp_path: Path) -> None:
    """Drawing leaves the pixels as they were."""
    pixels = image(8, 8)
    pixels.flags.writeable = False
    contact_sheet(tmp_path / "sheet.png", [[pixels]])


def test_nothing_is_drawn_through_pyplot(tmp_path: Path) -> None:
    """No figure is left behind in pyplot's global registry."""
    training_curves(tmp_path / "curves.png", {"run": CURVES})
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda path: training_curves(path, {}), "at least one run, got none"),
        (lambda path: throughput_chart(path, {}), "contenders with at least one round each"),
        (lambda path: throughput_chart(path, {"idle": []}), r"got \{'idle': \[\]\}"),
        (lambda path: contact_sheet(path, []), r"rows of at least one image, got rows of \[\]"),
        (lambda path: contact_sheet(path, [[image(8, 8)], []]), r"got rows of \[1, 0\]"),
        (
            lambda path: contact_sheet(path, [[image(8, 8) / 255]]),
            r"must be uint8 .* got float64 \[8, 8, 3\]",
        ),
        (lambda path: contact_sheet(path, [[image(8, 8)[..., 0]]]), r"got uint8 \[8, 8\]"),
        (lambda path: contact_sheet(path, [[image(8, 8)]], ["a", "b"]), "got 1 captions and 2 titles"),
        (lambda path: contact_sheet(path, [[image(8, 8)]], captions=[]), "got 0 captions and 1 titles"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_written(tmp_path: Path, draw: Any, message: str) -> None:
    """The message says what was given, and no file appears."""
    with pytest.raises(ValueError, match=message):
        draw(tmp_path / "figure.png")
    assert not list(tmp_path.iterdir())
