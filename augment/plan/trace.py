"""Traces a plan for one sample: each transform, its values and its result."""

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
        name: the name of its class.
        values: the values that it drew, for people.
        data: its result: "image" and the other targets of the sample.
    """

    name: str
    values: str
    data: dict[str, Any]


def trace(plan: Plan, data: dict[str, Any], params: Params, row: int) -> list[TraceStep]:
    """Apply a plan to one sample, once for each of its transforms and those before it.

    The last step has the result of `Plan.apply_to`. Between neighbors that share a kernel, each step shows the kernel's
    result up to that transform.

    Args:
        plan: the plan.
        data: the targets, as for `Plan.apply_to`.
        params: the parameters of its batch.
        row: the row of the sample in the batch.
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
    """Describe what a leaf drew for a sample; a leaf that runs unmodified must have run last in this thread.

    Args:
        plan: the plan.
        params: the parameters of a batch.
        row: the row of the sample in it.
        leaf_index: the index of the leaf.
        image: the image before the leaf.
    """
    lowered = plan.leaves[leaf_index].lowered
    if lowered is None:
        return describe(plan.get_last_params(leaf_index))
    drawn, at = params.find_leaf(leaf_index, row)
    return describe({"shape": image.shape} | lowered.to_original_params(drawn.columns, at, image))


def apply_single_leaf(plan: Plan, data: dict[str, Any], params: Params, leaf_index: int) -> tuple[dict[str, Any], str]:
    """Apply one leaf to the first sample, whatever it drew for the others.

    Returns:
        The image and its targets, augmented, and a description of what the leaf drew.
    """
    changed = plan.apply_to(data, _keep_leaves(params, 0, [leaf_index]), 0)
    return changed, describe_values(plan, params, 0, leaf_index, data["image"])


def apply_at_strength(
    plan: Plan, data: dict[str, Any], leaf_index: int, strength: float
) -> tuple[dict[str, Any], str] | None:
    """Apply one leaf with every number that it draws at one fraction of its range.

    Args:
        plan: the plan.
        data: the targets, as for `Plan.apply_to`.
        leaf_index: the index of the leaf.
        strength: from 0, the beginning of each range, to 1, its end.

    Returns:
        As `apply_single_leaf`; None for a leaf that runs unmodified: its ranges are not known.
    """
    lowered = plan.leaves[leaf_index].lowered
    if lowered is None:
        return None
    uniforms = np.full((1, lowered.draws), min(max(strength, 0.0), 1 - 2.0**-53))
    return apply_single_leaf(plan, data, plan.build_params(leaf_index, uniforms, data["image"].shape), leaf_index)


def _keep_leaves(params: Params, row: int, leaf_indices: Sequence[int]) -> Params:
    """Return parameters in which a sample gets only some leaves."""
    active: NDArray[np.bool_] = params.decisions.active.copy()
    active[row] = False
    active[row, list(leaf_indices)] = True
    return replace(params, decisions=replace(params.decisions, active=active))
