"""The parameters of a batch, and how they are drawn.

All samples of a batch are drawn at once: the number of NumPy calls per leaf does not depend on the batch size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.plan import geometry, kernels, program
from augment.plan.lowering import Columns, Fill, Geometry, Integers, Pointwise
from augment.plan.program import Decisions, Leaf, Node


@dataclass(frozen=True, eq=False)
class LeafParams:
    """The parameters of one leaf for a batch.

    Attributes:
        columns: the parameters.
        sizes: (height, width) of the images at this leaf.
        batch_steps: the steps of a geometric leaf.
        is_shared: whether all samples share the only row: they drew nothing, and their images have one size.
    """

    columns: Columns
    sizes: list[kernels.Size]
    batch_steps: list[geometry.BatchSteps]
    is_shared: bool = False


RowsOfLeaf = list[tuple[dict[int, int] | None, LeafParams]]
"""The parameters of one leaf, and the row of each sample that gets it (None: row i belongs to sample i).

A leaf that samples run at different positions of their order has several.
"""


@dataclass(frozen=True, eq=False)
class Params:
    """The parameters of a batch of N samples.

    Attributes:
        sizes: (height, width) of the images.
        decisions: which transforms each sample gets, and in which order.
        leaf_params: the parameters of each leaf that any sample gets, by leaf index.
        keys: uint64 [N], for the transforms that run unmodified.
        step_cache: the steps collected so far, by sample and leaves.
    """

    sizes: list[kernels.Size]
    decisions: Decisions
    leaf_params: dict[int, RowsOfLeaf]
    keys: keys.Key
    step_cache: dict[tuple[int, ...], list[geometry.GeometryStep] | None] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def list_leaves(self, row: int) -> list[int]:
        """Return the indices of the leaves that one sample gets, in order."""
        return self.decisions.chosen_leaves[row]

    def order_leaves(self, row: int) -> list[int]:
        """Return the indices of all leaves in the order in which one sample would run them."""
        order = self.decisions.order
        return list(range(self.decisions.active.shape[1])) if order is None else order[row].tolist()

    def find_leaf(self, leaf_index: int, row: int) -> tuple[LeafParams, int]:
        """Return the parameters of a leaf for a sample, and their row.

        Raises:
            KeyError: the sample does not get this leaf.
        """
        for rows, leaf_params in self.leaf_params[leaf_index]:
            at = row if rows is None else rows.get(row)
            if at is not None:
                return leaf_params, 0 if leaf_params.is_shared else at
        raise KeyError(f"leaf {leaf_index} has no parameters for sample {row}: the sample skips it")

    def steps(self, row: int, leaf_indices: Sequence[int], *, mask: bool = False) -> list[geometry.GeometryStep] | None:
        """Collect the steps of neighboring geometric leaves for one sample; None if one of them rejects it."""
        key = (row, mask, *leaf_indices)
        if key not in self.step_cache:  # needed twice: for the window, and for the image
            self.step_cache[key] = self._collect(row, leaf_indices, mask)
        return self.step_cache[key]

    def _collect(self, row: int, leaf_indices: Sequence[int], mask: bool) -> list[geometry.GeometryStep] | None:
        steps = []
        for leaf_index in leaf_indices:
            leaf_params, at = self.find_leaf(leaf_index, row)
            for batch_steps in leaf_params.batch_steps:
                if batch_steps.rejected[at]:
                    return None
                steps.append(batch_steps.get_step(at, mask=mask))
        return steps


_MAX_SHARED_PARAMS = 1000
"""The maximum number of (leaf, image size) whose steps are kept; only leaves that draw nothing are kept."""


class ParamsSampler:
    """Draws the parameters of a program. Any number of threads may use it.

    Args:
        root: the program.
        leaves: its leaves, in order.
    """

    def __init__(self, root: Node, leaves: Sequence[Leaf]) -> None:
        self._root = root
        self._leaves = leaves
        starts = np.cumsum([0, *(leaf.draws for leaf in leaves)])
        self._slices = [slice(*pair) for pair in pairwise(starts)]
        self._draws = int(starts[-1])
        self._shared_params: dict[tuple[int, int, int], tuple[LeafParams, int, int]] = {}

    def sample(self, sample_keys: keys.Key, sizes: list[kernels.Size]) -> Params:
        """Draw the parameters of a batch from the samples' keys, uint64 [N], and sizes; see `Plan.sample`."""
        decisions = program.decide(self._root, sample_keys)
        uniforms = keys.uniform(sample_keys, "parameters", self._draws)
        height, width = np.array(sizes, np.int64).reshape(-1, 2).T.copy()
        drawn: dict[int, RowsOfLeaf] = {}
        steps: list[tuple[LeafParams, geometry.Frames]] = []
        for leaf_index, rows in self._leaves_in_order(decisions):
            leaf = self._leaves[leaf_index]
            if leaf.lowered is None:
                continue
            # Only for the samples that get it: in a policy, each leaf is for few.
            active = decisions.active[:, leaf_index] if rows is None else decisions.active[rows, leaf_index]
            if not active.all():
                rows = np.flatnonzero(active) if rows is None else rows[active]
                if not len(rows):
                    continue
            at = slice(None) if rows is None else rows
            leaf_params = self._sample_shared(leaf_index, height, width, at)
            if leaf_params is None:
                leaf_params, frames = _sample_leaf(leaf, uniforms[at, self._slices[leaf_index]], height, width, at)
                steps += ((leaf_params, frame) for frame in frames)
            numbers = None if rows is None else {row: number for number, row in enumerate(rows.tolist())}
            drawn.setdefault(leaf_index, []).append((numbers, leaf_params))
        for (leaf_params, _), batch_steps in zip(
            steps, geometry.analyze_steps([frame for _, frame in steps]), strict=True
        ):
            leaf_params.batch_steps.append(batch_steps)
        return Params(sizes, decisions, drawn, sample_keys)

    def sample_single_leaf(self, sample_keys: keys.Key, leaf_index: int, size: kernels.Size) -> Params:
        """Draw the parameters of one sample, a key [1], to which one leaf alone is applied, always."""
        uniforms = keys.uniform(sample_keys, "parameters", self._draws)[:, self._slices[leaf_index]]
        return self.compute_single_leaf(uniforms, sample_keys, leaf_index, size)

    def compute_single_leaf(
        self, uniforms: NDArray[np.float64], sample_keys: keys.Key, leaf_index: int, size: kernels.Size
    ) -> Params:
        """Compute the parameters of one sample to which one leaf alone is applied, from its numbers [1, draws]."""
        active = np.zeros((1, len(self._leaves)), bool)
        active[0, leaf_index] = True
        drawn: dict[int, RowsOfLeaf] = {}
        if self._leaves[leaf_index].lowered is not None:
            height, width = np.array([size], np.int64).T.copy()
            leaf_params, frames = _sample_leaf(self._leaves[leaf_index], uniforms, height, width, slice(None))
            leaf_params.batch_steps.extend(geometry.analyze_steps(frames))
            drawn[leaf_index] = [(None, leaf_params)]
        scopes = [leaf.scope for leaf in self._leaves if leaf.scope is not None]
        entered = np.arange(max(scopes, default=-1) + 1) == self._leaves[leaf_index].scope
        return Params([size], Decisions(entered[np.newaxis], active, None), drawn, sample_keys)

    def _leaves_in_order(self, decisions: Decisions) -> Iterator[tuple[int, NDArray[np.int64] | None]]:
        """Yield the leaves in the order in which samples run them, with these samples (None: all)."""
        if decisions.order is None:
            yield from ((leaf_index, None) for leaf_index in range(len(self._leaves)))
            return
        for column in decisions.order.T:
            for leaf_index in np.unique(column).tolist():
                yield leaf_index, np.flatnonzero(column == leaf_index)

    def _sample_shared(self, leaf_index: int, height: Integers, width: Integers, at: Any) -> LeafParams | None:
        """Return the parameters of a geometric leaf that draws nothing, for images of one size; None for others.

        Updates the sizes in place, as `_sample_leaf` does.
        """
        lowered = self._leaves[leaf_index].lowered
        if not isinstance(lowered, Geometry) or lowered.draws:
            return None
        rows, columns = height[at], width[at]
        if not len(rows) or (rows != rows[0]).any() or (columns != columns[0]).any():
            return None
        key = (leaf_index, int(rows[0]), int(columns[0]))
        kept = self._shared_params.get(key)
        if kept is None:
            out = rows[:1].copy(), columns[:1].copy()
            leaf_params, frames = _sample_leaf(self._leaves[leaf_index], np.zeros((1, 0)), *out, slice(None))
            leaf_params.batch_steps.extend(geometry.analyze_steps(frames))
            kept = replace(leaf_params, is_shared=True), int(out[0][0]), int(out[1][0])
            if len(self._shared_params) < _MAX_SHARED_PARAMS:
                self._shared_params[key] = kept
        height[at], width[at] = kept[1:]
        return kept[0]


def _sample_leaf(
    leaf: Leaf, uniforms: NDArray[np.float64], height: Integers, width: Integers, at: Any
) -> tuple[LeafParams, list[geometry.Frames]]:
    """Draw a leaf's parameters for the samples `at`, and set their sizes (in place) to those after the leaf.

    Returns:
        The parameters, still without steps; and the frames from which the steps are computed.
    """
    lowered = leaf.lowered
    rows, columns = height[at].copy(), width[at].copy()  # copies: the parameters keep them
    sizes = list(zip(rows.tolist(), columns.tolist(), strict=True))
    if isinstance(lowered, (Pointwise, Fill)):
        return LeafParams(lowered.sample(uniforms, rows, columns), sizes, []), []
    assert isinstance(lowered, Geometry)  # noqa: S101  # for the type checker: there are three kinds
    drawn, steps = lowered.sample(uniforms, rows, columns)
    frames = []
    for step in steps:
        frames.append((step, rows, columns))
        rows, columns = step.height, step.width
    height[at], width[at] = rows, columns
    return LeafParams(drawn, sizes, []), frames
