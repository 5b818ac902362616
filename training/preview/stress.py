"""Are the labels still right? The samples that each transform changes most, for a person to look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from augment.errors import TransformError
from augment.plan.trace import apply_single_leaf
from training.preview.overlay import draw_annotations
from training.preview.samples import Augmenter, PreviewSample, stretch
from training.preview.strengths import describe_transform, list_distinct_leaves, measure_similarity
from training.preview.versions import CELL_INCHES, format_caption
from training.sheets import Cell, Sheet


@dataclass(frozen=True)
class Change:
    """The change of one sample by one transform.

    Attributes:
        transform: its name.
        sample: the sample.
        epoch: the epoch of the random values.
        similarity: structural similarity before and after, -1 to 1.
        values: the transform's random values.
        before: the image and its targets, in the size of the network's input.
        after: the same after the transform.
    """

    transform: str
    sample: PreviewSample
    epoch: int
    similarity: float
    values: str
    before: dict[str, Any] = field(repr=False)
    after: dict[str, Any] = field(repr=False)


class Stress(NamedTuple):
    """The result of `stress`.

    Attributes:
        changes: for each distinct transform its greatest changes, the greatest first; at most one per sample.
        failed: transforms that failed, and how often.
    """

    changes: list[list[Change]]
    failed: list[str]


def stress(
    samples: Sequence[PreviewSample],
    augmenter: Augmenter,
    epochs: Sequence[int],
    image_size: tuple[int, int] | None,
    worst: int = 3,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Stress:
    """Find the samples that each transform changes most, each transform applied alone.

    Args:
        samples: the samples.
        augmenter: the augmentation.
        epochs: each epoch has its own random values per sample.
        image_size: the size to which images are resized first; None keeps their own.
        worst: number of samples per transform.
        progress: called with the number of finished samples and the total.
    """
    plan = augmenter.plan
    if plan is None:
        return Stress([], [])
    leaf_indices = list_distinct_leaves(plan)
    found: list[dict[int, Change]] = [{} for _ in leaf_indices]
    errors: list[list[str]] = [[] for _ in leaf_indices]
    for done, sample in enumerate(samples, 1):
        before = stretch(sample.data, image_size)
        for epoch in epochs:
            for leaf_index, own, failed in zip(leaf_indices, found, errors, strict=True):
                try:
                    change = _apply_alone(augmenter, sample, epoch, leaf_index, before)
                except TransformError as error:
                    failed.append(f"{error}, on {sample.key}")
                    continue
                if sample.index not in own or change.similarity < own[sample.index].similarity:
                    own[sample.index] = change
        for own in found:  # keep only those that are shown
            for change in sorted(own.values(), key=lambda change: change.similarity)[worst:]:
                del own[change.sample.index]
        progress(done, len(samples))
    tries = len(samples) * len(epochs)
    return Stress(
        [sorted(own.values(), key=lambda change: change.similarity) for own in found if own],
        [f"{len(failed)} of {tries} times: {failed[0]}" for failed in errors if failed],
    )


def _apply_alone(
    augmenter: Augmenter, sample: PreviewSample, epoch: int, leaf_index: int, before: dict[str, Any]
) -> Change:
    """Apply one transform with its random values for a sample in an epoch."""
    plan = augmenter.plan
    assert plan is not None  # noqa: S101  # for the type checker: the caller has checked
    params = plan.sample_single_leaf(augmenter.seed, epoch, sample.index, before["image"].shape, leaf_index)
    after, values = apply_single_leaf(plan, before, params, leaf_index)
    similarity = measure_similarity(before["image"], after["image"])
    return Change(
        describe_transform(plan.leaves[leaf_index].transform), sample, epoch, similarity, values, before, after
    )


def stress_sheet(changes: Sequence[Sequence[Change]], heading: str) -> Sheet:
    """Lay out changes in pairs, a row per transform: the sample before and after."""
    rows, captions = [], []
    for own in changes:
        rows.append([cell for change in own for cell in _make_pair(change)])
        captions.append(own[0].transform)
    most = max(map(len, changes))
    titles = [title for number in range(1, most + 1) for title in (f"{_ordinal(number)} most changed", "augmented")]
    return Sheet(rows=rows, titles=titles, captions=captions, heading=heading, cell_inches=0.8 * CELL_INCHES)


def _make_pair(change: Change) -> tuple[Cell, Cell]:
    note = f"similarity {change.similarity:.2f}" + f"\n{change.values}" * bool(change.values)
    return (
        Cell(draw_annotations(change.before), format_caption(change.sample)),
        Cell(draw_annotations(change.after), note),
    )


def _ordinal(number: int) -> str:
    return {1: "the", 2: "second", 3: "third"}.get(number, f"{number}th")
