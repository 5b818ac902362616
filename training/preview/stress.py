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
    """What one transform did to one sample.

    Attributes:
        transform: its name.
        sample: the sample.
        epoch: in which it happens.
        similarity: of the sample and what became of it, by structure: -1 to 1.
        values: what the transform drew.
        before: the sample, as large as the network sees it: its image, and what belongs to it.
        after: what became of them.
    """

    transform: str
    sample: PreviewSample
    epoch: int
    similarity: float
    values: str
    before: dict[str, Any] = field(repr=False)
    after: dict[str, Any] = field(repr=False)


class Stress(NamedTuple):
    """What was found.

    Attributes:
        changes: for each transform that differs from the others its greatest changes, the greatest first; one a sample.
        failed: what could not be applied, and how often.
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
        samples: to try.
        augmenter: the augmentation.
        epochs: each gives every sample other values.
        image_size: what images are resized to before they are changed; None for their own.
        worst: samples a transform.
        progress: is told how many samples are done, of how many.
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
        for own in found:  # no more are kept than are shown
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
    """Apply one transform with what it draws for a sample in an epoch."""
    plan = augmenter.plan
    assert plan is not None  # noqa: S101  # for the type checker: the caller has looked
    params = plan.sample_single_leaf(augmenter.seed, epoch, sample.index, before["image"].shape, leaf_index)
    after, values = apply_single_leaf(plan, before, params, leaf_index)
    similarity = measure_similarity(before["image"], after["image"])
    return Change(
        describe_transform(plan.leaves[leaf_index].transform), sample, epoch, similarity, values, before, after
    )


def stress_sheet(changes: Sequence[Sequence[Change]], heading: str) -> Sheet:
    """Lay changes out in pairs, a row for each transform: the sample, and what became of it."""
    rows, captions = [], []
    for own in changes:
        rows.append([cell for change in own for cell in _make_pair(change)])
        captions.append(own[0].transform)
    most = max(map(len, changes))
    titles = [title for number in range(1, most + 1) for title in (f"{_ordinal(number)} most changed", "became")]
    return Sheet(rows=rows, titles=titles, captions=captions, heading=heading, cell_inches=0.8 * CELL_INCHES)


def _make_pair(change: Change) -> tuple[Cell, Cell]:
    became = f"similarity {change.similarity:.2f}" + f"\n{change.values}" * bool(change.values)
    return Cell(draw_annotations(change.before), format_caption(change.sample)), Cell(
        draw_annotations(change.after), became
    )


def _ordinal(number: int) -> str:
    return {1: "the", 2: "second", 3: "third"}.get(number, f"{number}th")
