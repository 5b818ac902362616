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
class TraceStep:
    """One transform that was applied.

    Attributes:
        name: of its class.
        values: what it drew, for people.
        data: what it left: "image" and whatever else belongs to the sample.
    """

    name: str
    values: str
    data: dict[str, Any]


def trace(plan: Plan, data: dict[str, Any], params: Params, row: int) -> list[TraceStep]:
    """Apply a plan to one sample, once for each of its transforms and those before it.

    What stands behind the last step is what `Plan.apply_to` gives. Between neighbours that share a kernel, each step
    shows what the kernel would have given up to there.

    Args:
        plan: the plan.
        data: as `Plan.apply_to` takes it.
        params: of its batch.
        row: its place in the batch.
    """
    leaf_indices = params.list_leaves(row)
    before, steps = data, []
    for count in range(1, len(leaf_indices) + 1):
        after = plan.apply_to(data, _keep_leaves(params, row, leaf_indices[:count]), row)
        leaf_index = leaf_indices[count - 1]
        transform = plan.leaves[leaf_index].transform
        steps.append(
            TraceStep(type(transform).__name__, describe_values(plan, params, row, leaf_index, before["image"]), after)
        )
        before = after
    return steps


def describe_values(plan: Plan, params: Params, row: int, leaf_index: int, image: Image) -> str:
    """Describe what a leaf drew for a sample; for one that runs as it is, it must have run last in this thread.

    Args:
        plan: the plan.
        params: of a batch.
        row: the sample's place in it.
        leaf_index: of the leaf.
        image: as it comes to the leaf.
    """
    lowered = plan.leaves[leaf_index].lowered
    if lowered is None:
        return describe(plan.get_last_params(leaf_index))
    drawn, at = params.find_leaf(leaf_index, row)
    return describe({"shape": image.shape} | lowered.to_original_params(drawn.columns, at, image))


def apply_single_leaf(plan: Plan, data: dict[str, Any], params: Params, leaf_index: int) -> tuple[dict[str, Any], str]:
    """Apply one leaf, whatever the first sample drew of the others.

    Returns:
        What it made of the image and what belongs to it, and what it drew.
    """
    changed = plan.apply_to(data, _keep_leaves(params, 0, [leaf_index]), 0)
    return changed, describe_values(plan, params, 0, leaf_index, data["image"])


def apply_at_strength(
    plan: Plan, data: dict[str, Any], leaf_index: int, strength: float
) -> tuple[dict[str, Any], str] | None:
    """Apply one leaf with every number that it draws at one part of its range.

    Args:
        plan: the plan.
        data: as `Plan.apply_to` takes it.
        leaf_index: of the leaf.
        strength: 0 for the beginning of each range to 1 for its end.

    Returns:
        As `apply_single_leaf`; None for a leaf that runs as it is: its ranges are its own.
    """
    lowered = plan.leaves[leaf_index].lowered
    if lowered is None:
        return None
    uniforms = np.full((1, lowered.draws), min(max(strength, 0.0), 1 - 2.0**-53))
    return apply_single_leaf(plan, data, plan.build_params(leaf_index, uniforms, data["image"].shape), leaf_index)


def _keep_leaves(params: Params, row: int, leaf_indices: Sequence[int]) -> Params:
    """Take all leaves from a sample but some."""
    active: NDArray[np.bool_] = params.decisions.active.copy()
    active[row] = False
    active[row, list(leaf_indices)] = True
    return replace(params, decisions=replace(params.decisions, active=active))
