"""Saying what became of a pipeline: which transforms share a kernel, what is pushed down, and what runs as it is."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import cv2
import numpy as np

from augment.plan import geometry
from augment.plan.lowered import Fill, Geometry, Pointwise
from augment.plan.program import Leaf, Node

_BORDERS = {
    cv2.BORDER_REPLICATE: "replicated",
    cv2.BORDER_REFLECT: "reflected",
    cv2.BORDER_WRAP: "wrapped",
    cv2.BORDER_REFLECT_101: "reflected",
}


def explain(root: Node) -> str:
    """Describe a program, a line for each segment.

    Segments are runs of neighbouring transforms of one kind. What a sample does not draw is not run, whatever the
    segment.
    """
    leaves = list(root.leaves())
    lines = [_push_down(leaves)]
    for number, (kind, group) in enumerate(groupby(leaves, _kind), 1):
        members = list(group)
        title, notes = {"geometry": _geometry, "point-wise": _pointwise, "fill": _fill, "original": _original}[kind](
            members
        )
        lines.append(f"{number}. {title}: {', '.join(map(_named, members))}")
        lines += [f"     {note}" for note in notes]
    if any(node.kind == "shuffled" for node in _nodes(root)):
        lines.append(
            "The order of some transforms is drawn for each sample; neighbours are merged as the sample meets them."
        )
    return "\n".join(lines)


def _kind(leaf: Leaf) -> str:
    kinds = {Geometry: "geometry", Pointwise: "point-wise", Fill: "fill"}
    return next((name for kind, name in kinds.items() if isinstance(leaf.lowered, kind)), "original")


def _push_down(leaves: Sequence[Leaf]) -> str:
    crops = []
    for leaf in leaves:
        if not isinstance(leaf.lowered, Geometry):
            break
        first = _steps(leaf)[0]
        if not (first.exact and first.inside and first.to_input[0, 0] == 1 == first.to_input[1, 1]):
            break
        crops.append(type(leaf.transform).__name__)
        if len(_steps(leaf)) > 1:
            break
    if crops:
        return (
            f"Push-down: of a JPEG only the window of {' and '.join(crops)} is decoded, no finer than the result needs."
        )
    return "Push-down: a JPEG is decoded whole, no finer than the result needs: the pipeline begins with no crop."


def _geometry(members: Sequence[Leaf]) -> tuple[str, list[str]]:
    sampling = [leaf for leaf in members if any(not step.exact for step in _steps(leaf))]
    notes = [
        f"{type(leaf.transform).__name__} has a {_BORDERS[step.border.mode]} border: a warp of its own behind a crop"
        for leaf in members
        for step in _steps(leaf)
        if step.border.mode in _BORDERS and not step.exact
    ]
    if len({step.interpolation for leaf in sampling for step in _steps(leaf) if not step.exact}) > 1:
        notes.append("different interpolations are not merged: a new warp begins where it changes")
    if len(sampling) > 1:
        return "geometry, one warp where more than one of them samples pixels", notes
    kernel = sampling[0].lowered.kernel if sampling and sampling[0].lowered else "whole pixels rearranged"
    return f"geometry, {kernel}", notes


def _pointwise(members: Sequence[Leaf]) -> tuple[str, list[str]]:
    kernels = dict.fromkeys(leaf.lowered.kernel for leaf in members if leaf.lowered)
    return f"point-wise, {' and '.join(kernels)}", []


def _fill(members: Sequence[Leaf]) -> tuple[str, list[str]]:  # noqa: ARG001  # one signature for all kinds
    return "rectangles filled", []


def _original(members: Sequence[Leaf]) -> tuple[str, list[str]]:
    return "as they are, with a key for each sample", [
        f"{type(leaf.transform).__name__} is not compiled: {leaf.reason}" for leaf in members
    ]


def _named(leaf: Leaf) -> str:
    p = leaf.transform.p
    return type(leaf.transform).__name__ + ("" if p == 1 else f" (p={p:g})")


def _steps(leaf: Leaf) -> list[geometry.Step]:
    """Draw a leaf's steps for one image, to look at what does not depend on the draw."""
    assert isinstance(leaf.lowered, Geometry)  # noqa: S101  # for the type checker
    side = np.array([1000])
    _, steps = leaf.lowered.sample(np.full((1, leaf.draws), 0.3), side, side)
    taken = []
    height = width = side
    for step in steps:
        taken.append(geometry.Moves(step, height, width).of(0))
        height, width = step.height, step.width
    return taken


def _nodes(node: Node) -> list[Any]:
    return [node, *(inner for child in node.children if isinstance(child, Node) for inner in _nodes(child))]
