"""What a plan does to one sample, step by step: which transforms, with which values, and what each leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.plan.describe import describe
from augment.plan.params import Params
from augment.plan.plan import Plan
from augment.transform import Image


@dataclass(frozen=True, eq=False)
class Step:
    """One transform that was applied.

    Attributes:
        name: of its class.
        values: what it drew, for people.
        data: what it left: "image" and whatever else belongs to the sample.
    """

    name: str
    values: str
    data: dict[str, Any]


def trace(plan: Plan, data: dict[str, Any], params: Params, row: int) -> list[Step]:
    """Apply a plan to one sample, once for each of its transforms and those before it.

    What stands behind the last step is what `Plan.apply_to` gives. Between neighbours that share a kernel, each step
    shows what the kernel would have given up to there.

    Args:
        plan: the plan.
        data: as `Plan.apply_to` takes it.
        params: of its batch.
        row: its place in the batch.
    """
    places = params.leaves(row)
    before, steps = data, []
    for count in range(1, len(places) + 1):
        after = plan.apply_to(data, _only(params, row, places[:count]), row)
        place = places[count - 1]
        transform = plan.leaves[place].transform
        steps.append(Step(type(transform).__name__, values(plan, params, row, place, before["image"]), after))
        before = after
    return steps


def values(plan: Plan, params: Params, row: int, place: int, image: Image) -> str:
    """Describe what a leaf drew for a sample; for one that runs as it is, it must have run last in this thread.

    Args:
        plan: the plan.
        params: of a batch.
        row: the sample's place in it.
        place: of the leaf.
        image: as it comes to the leaf.
    """
    lowered = plan.leaves[place].lowered
    if lowered is None:
        return describe(plan.drawn_by_original(place))
    drawn, at = params.of(place, row)
    return describe({"shape": image.shape} | lowered.original(drawn.columns, at, image))


def alone(plan: Plan, data: dict[str, Any], params: Params, place: int) -> tuple[dict[str, Any], str]:
    """Apply one leaf, whatever the first sample drew of the others.

    Returns:
        What it made of the image and what belongs to it, and what it drew.
    """
    changed = plan.apply_to(data, _only(params, 0, [place]), 0)
    return changed, values(plan, params, 0, place, data["image"])


def at_strength(plan: Plan, data: dict[str, Any], place: int, strength: float) -> tuple[dict[str, Any], str] | None:
    """Apply one leaf with every number that it draws at one part of its range.

    Args:
        plan: the plan.
        data: as `Plan.apply_to` takes it.
        place: of the leaf.
        strength: 0 for the beginning of each range to 1 for its end.

    Returns:
        As `alone`; None for a leaf that runs as it is: its ranges are its own.
    """
    lowered = plan.leaves[place].lowered
    if lowered is None:
        return None
    uniforms = np.full((1, lowered.draws), min(max(strength, 0.0), 1 - 2.0**-53))
    return alone(plan, data, plan.with_uniforms(place, uniforms, data["image"].shape), place)


def _only(params: Params, row: int, places: Sequence[int]) -> Params:
    """Take all leaves from a sample but some."""
    active: NDArray[np.bool_] = params.decisions.active.copy()
    active[row] = False
    active[row, list(places)] = True
    return replace(params, decisions=replace(params.decisions, active=active))
