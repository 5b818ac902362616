"""Each transform of an augmentation alone, from the weak end of its range to the strong end."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from augment.errors import TransformError
from augment.plan.plan import Plan
from augment.plan.trace import apply_at_strength, apply_single_leaf
from augment.transform import Image
from pipeline.images.resize import resize
from training.preview.overlay import draw_annotations, to_displayable
from training.preview.samples import PreviewSample, stretch
from training.preview.similarity import structural_similarity
from training.preview.versions import CELL_INCHES, describe_size, format_caption
from training.sheets import Cell, Sheet

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_DRAWS = 16  # of a transform that runs unmodified; five of them are shown


def list_distinct_leaves(plan: Plan) -> list[int]:
    """List the indices of the distinct transforms: a policy may contain one many times."""
    seen: set[str] = set()
    leaf_indices = []
    for leaf_index, leaf in enumerate(plan.leaves):
        description = describe_transform(leaf.transform, with_options=True)
        if leaf.transform.p > 0 and description not in seen:
            seen.add(description)
            leaf_indices.append(leaf_index)
    return leaf_indices


def describe_transform(transform: Any, *, with_options: bool = False) -> str:
    """Return the name of a transform, with its options if its repr works."""
    try:
        return repr(transform) if with_options else type(transform).__name__
    except Exception:  # the repr of a transform that cannot be serialized raises
        return f"{type(transform).__name__} {id(transform)}"


def strengths_sheet(plan: Plan, sample: PreviewSample, image_size: tuple[int, int] | None, heading: str) -> Sheet:
    """Lay out one sample: a row per transform, a column per point of its range.

    A compiled transform is shown with all its random values at one point of their ranges. An unmodified transform is
    applied 16 times, and five results are shown, in the order of how much they change the image.

    Args:
        plan: the augmentation.
        sample: the sample.
        image_size: the size to which the image is resized first, as for the network.
        heading: of the sheet.

    Returns:
        A sheet; a transform that does the same at any strength has one cell in its row.
    """
    data = stretch(sample.data, image_size)
    rows, captions = [], []
    for leaf_index in list_distinct_leaves(plan):
        leaf = plan.leaves[leaf_index]
        rows.append([Cell(draw_annotations(data), describe_size(data)), *_make_cells(plan, data, leaf_index)])
        lines = [describe_transform(leaf.transform)]
        if leaf.transform.p != 1:
            lines.append(f"p={leaf.transform.p:.3g}")
        if leaf.lowered is None:
            lines.append(f"of {_DRAWS} draws")
        captions.append("\n".join(lines))
    titles = [format_caption(sample).partition("\n")[0] or "original", *(f"{strength:.0%}" for strength in STRENGTHS)]
    titles = titles[: max(map(len, rows))] if max(map(len, rows)) > 2 else [titles[0], "always"]
    return Sheet(rows=rows, titles=titles, captions=captions, heading=heading, cell_inches=CELL_INCHES)


def _make_cells(plan: Plan, data: dict[str, Any], leaf_index: int) -> Iterator[Cell]:
    try:
        shown = _apply_strengths(plan, data, leaf_index)
        if all(np.array_equal(changed["image"], shown[0][0]["image"]) for changed, _ in shown):
            changed, values = shown[-1]
            always = "no change" if np.array_equal(changed["image"], data["image"]) else "always the same"
            yield Cell(draw_annotations(changed), f"{always}: {values}" if values else always)
            return
        for changed, values in shown:
            yield Cell(draw_annotations(changed), values)
    except TransformError as error:
        yield Cell(draw_annotations(data), f"failed: {error}")


def _apply_strengths(plan: Plan, data: dict[str, Any], leaf_index: int) -> Sequence[tuple[dict[str, Any], str]]:
    lowered = plan.leaves[leaf_index].lowered
    if lowered is not None:
        # A transform without random values does the same at any strength.
        strengths = STRENGTHS if lowered.draws else STRENGTHS[-1:]
        shown = [apply_at_strength(plan, data, leaf_index, strength) for strength in strengths]
        return [one for one in shown if one is not None]
    shape = data["image"].shape
    draws = [
        apply_single_leaf(plan, data, plan.sample_single_leaf(0, number, 0, shape, leaf_index), leaf_index)
        for number in range(_DRAWS)
    ]
    draws.sort(key=lambda one: -measure_similarity(data["image"], one[0]["image"]))
    return [draws[round(strength * (_DRAWS - 1))] for strength in STRENGTHS]


def measure_similarity(image: Image, changed: Image) -> float:
    """Compare an image with its transformed version, at the image's size; see `structural_similarity`."""
    changed = resize(to_displayable(changed), (image.shape[0], image.shape[1]))
    return structural_similarity(image, changed)
