"""The plain preview: each original sample, and its augmented versions in several epochs."""

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
    """A sample and its augmented versions.

    Attributes:
        sample: the original.
        augmented: one per epoch; None where a transform failed.
        errors: the failures, by epoch.
    """

    sample: PreviewSample
    augmented: Sequence[AugmentedSample | None]
    errors: dict[int, str]


def versions(samples: Sequence[PreviewSample], augmenter: Augmenter, epochs: Sequence[int]) -> list[Versions]:
    """Augment samples as in several epochs."""
    augmented_samples = []
    for sample in samples:
        augmented: list[AugmentedSample | None] = []
        errors = {}
        for epoch in epochs:
            try:
                augmented.append(augmenter(sample, epoch))
            except TransformError as error:
                augmented.append(None)
                errors[epoch] = str(error)
        augmented_samples.append(Versions(sample, augmented, errors))
    return augmented_samples


def versions_sheet(samples: Sequence[Versions], epochs: Sequence[int], heading: str) -> Sheet:
    """Lay out samples and their versions, one row per sample."""
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
        for one in samples
    ]
    titles = ["original", *(f"epoch {epoch}" for epoch in epochs)]
    captions = [format_caption(one.sample) for one in samples]
    return Sheet(rows=rows, titles=titles, captions=captions, heading=heading, cell_inches=CELL_INCHES)


def _format_note(augmented: AugmentedSample) -> str:
    return "\n".join(filter(None, (augmented.note, describe_levels(augmented.data["image"]))))


def format_caption(sample: PreviewSample) -> str:
    """Return two lines that name a sample: its class and its file."""
    return "\n".join(filter(None, (_shorten_name(sample.class_name), _shorten_name(sample.key.rpartition("/")[2]))))


def _shorten_name(name: str) -> str:
    name = escape_missing_glyphs(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}...{name[-10:]}"


def describe_size(data: dict[str, Any]) -> str:
    """Return an image's size as text."""
    height, width = data["image"].shape[:2]
    return f"{height} x {width} px"
