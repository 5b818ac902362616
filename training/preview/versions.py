"""The plain preview: each sample as it is, and beside it what several epochs make of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from augment.errors import TransformError
from training.canvas import drawable
from training.preview.overlay import drawn, kind
from training.preview.samples import Augmented, Augmenter, PreviewSample
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
    augmented: Sequence[Augmented | None]
    errors: dict[int, str]


def versions(samples: Sequence[PreviewSample], augmenter: Augmenter, epochs: Sequence[int]) -> list[Versions]:
    """Augment samples as some epochs would."""
    made = []
    for sample in samples:
        augmented: list[Augmented | None] = []
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
            Cell(drawn(one.sample.data), size_of(one.sample.data)),
            *(
                Cell(drawn(one.sample.data), f"failed: {one.errors[epoch]}")
                if augmented is None
                else Cell(drawn(augmented.data), _noted(augmented))
                for epoch, augmented in zip(epochs, one.augmented, strict=True)
            ),
        ]
        for one in made
    ]
    titles = ["original", *(f"epoch {epoch}" for epoch in epochs)]
    captions = [caption(one.sample) for one in made]
    return Sheet(rows=rows, titles=titles, captions=captions, heading=heading, cell_inches=CELL_INCHES)


def _noted(augmented: Augmented) -> str:
    return "\n".join(filter(None, (augmented.note, kind(augmented.data["image"]))))


def caption(sample: PreviewSample) -> str:
    """Name a sample in two lines: its class, and its file."""
    return "\n".join(filter(None, (_short(sample.class_name), _short(sample.key.rpartition("/")[2]))))


def _short(name: str) -> str:
    name = drawable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}...{name[-10:]}"


def size_of(data: dict[str, Any]) -> str:
    """Say how large an image is."""
    height, width = data["image"].shape[:2]
    return f"{height} x {width} px"
