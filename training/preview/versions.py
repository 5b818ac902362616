"""The plain preview: each sample as it is, and beside it what several epochs make of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from augment.errors import TransformError
from training.canvas import escape_missing_glyphs
from training.preview.overlay import describe_levels, draw_annotations
from training.preview.samples import AugmentedSample, Augmenter, PreviewSample
from training.sheets import Cell, Sheet

CELL_INCHES = 2.0
_LONGEST_NAME = 28  # characters of a row's caption


@dataclass(frozen=True)
class Versions:
    """A sample, and what epochs make of it.

    Attributes:
        sample: as it is.
        augmented: one for each epoch; None where a transform failed.
        errors: what failed, by epoch.
    """

    sample: PreviewSample
    augmented: Sequence[AugmentedSample | None]
    errors: dict[int, str]


def versions(samples: Sequence[PreviewSample], augmenter: Augmenter, epochs: Sequence[int]) -> list[Versions]:
    """Augment samples as some epochs would."""
    made = []
    for sample in samples:
        augmented: list[AugmentedSample | None] = []
        errors = {}
        for epoch in epochs:
            try:
                augmented.append(augmenter(sample, epoch))
            except TransformError as error:
                augmented.append(None)
                errors[epoch] = str(error)
        made.append(Versions(sample, augmented, errors))
    return made


def versions_sheet(made: Sequence[Versions], epochs: Sequence[int], heading: str) -> Sheet:
    """Lay samples and their versions out, a row a sample."""
    rows = [
        [
            Cell(draw_annotations(one.sample.data), describe_size(one.sample.data)),
            *(
                Cell(draw_annotations(one.sample.data), f"failed: {one.errors[epoch]}")
                if augmented is None
                else Cell(draw_annotations(augmented.data), _format_note(augmented))
                for epoch, augmented in zip(epochs, one.augmented, strict=True)
            ),
        ]
        for one in made
    ]
    titles = ["original", *(f"epoch {epoch}" for epoch in epochs)]
    captions = [format_caption(one.sample) for one in made]
    return Sheet(rows=rows, titles=titles, captions=captions, heading=heading, cell_inches=CELL_INCHES)


def _format_note(augmented: AugmentedSample) -> str:
    return "\n".join(filter(None, (augmented.note, describe_levels(augmented.data["image"]))))


def format_caption(sample: PreviewSample) -> str:
    """Name a sample in two lines: its class, and its file."""
    return "\n".join(filter(None, (_shorten_name(sample.class_name), _shorten_name(sample.key.rpartition("/")[2]))))


def _shorten_name(name: str) -> str:
    name = escape_missing_glyphs(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}...{name[-10:]}"


def describe_size(data: dict[str, Any]) -> str:
    """Say how large an image is."""
    height, width = data["image"].shape[:2]
    return f"{height} x {width} px"
