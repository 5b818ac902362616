"""Explains a plan: which transforms share a kernel, what is pushed down into the decoder, and what runs unmodified.

The effect of a geometric transform can depend on the draw and on the image. Several images and draws are examined, and
the text is true of all of them.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, product
from typing import Any

import numpy as np

from augment import keys
from augment.plan import geometry, program
from augment.plan.lowering import Fill, Geometry, Integers, Pointwise
from augment.plan.program import Leaf, Node

_SIZES = np.array([(977, 641), (3001, 4007), (63, 95), (5003, 3011), (224, 224), (31, 24)])
_DRAWS = 96
_DECIDED_SAMPLES = 128
_FLOAT_MAKERS = ("Normalize", "ToFloat")

_MAX_CHOICES = 100
"""The most choices among alternatives that are examined one by one; of more, all are assumed to occur together."""


def explain(root: Node) -> str:
    """Describe a program, one line per segment.

    A segment is a run of neighboring transforms of one kind. Transforms that a sample does not draw do not run.
    """
    leaves = list(_iter_possible(root))
    lines = [_describe_push_down(root, leaves)]
    floats, reasons = _name_float_makers(root, leaves), dict(_iter_reasons(root, leaves))
    resizers = _name_resizers(root)
    for number, (kind, group) in enumerate(groupby(leaves, lambda leaf: _name_kind(leaf, reasons)), 1):
        members = list(group)
        title = (
            _describe_geometry(root, members)
            if kind == "geometry"
            else _describe_pointwise(members)
            if kind == "point-wise"
            else kind
        )
        lines.append(f"{number}. {title}: {', '.join(map(_format_leaf, members))}")
        lines += [
            f"     {type(leaf.transform).__name__} is not compiled: {reasons[leaf]}"
            for leaf in members
            if leaf in reasons
        ]
    if floats:
        lines.append(f"After {floats} returns float32, later transforms whose kernels need uint8 run unmodified.")
    if resizers:
        lines.append(
            f"After {resizers} changes the image size, geometry and fills of the same RandomOrder run unmodified."
        )
    if any(node.kind in ("one", "some") for node in _list_nodes(root)):
        lines.append("OneOf and SomeOf: parameters are drawn only for the transforms that a sample gets.")
    if any(node.kind == "shuffled" for node in _list_nodes(root)):
        lines.append("The order of some transforms is random per sample; neighbors are merged in that order.")
    return "\n".join(lines)


def _iter_reasons(root: Node, leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, str]]:
    """Yield each transform that runs unmodified in every sample that gets it, and why."""
    certain, floats = set(_iter_certain(root)), ""
    for leaf in leaves:
        if leaf.lowered is None:
            yield leaf, leaf.reason
            if leaf in certain and type(leaf.transform).__name__ in _FLOAT_MAKERS:
                floats = type(leaf.transform).__name__
            elif _may_return_uint8(leaf):
                floats = ""
        elif isinstance(leaf.lowered, Pointwise):
            if floats:
                yield leaf, f"its kernel needs uint8, but {floats} before it returns float32"
            elif leaf.lowered.is_float and leaf in certain:
                floats = type(leaf.transform).__name__


def _name_float_makers(root: Node, leaves: Sequence[Leaf]) -> str:
    """Name the transforms that make some samples float32, before others whose kernels need uint8."""
    certain = set(_iter_certain(root))
    needy = [leaf for leaf in leaves if isinstance(leaf.lowered, Pointwise)]
    followed = {leaf for leaf in leaves if needy and leaf.index < needy[-1].index}
    followed |= {leaf for leaf, others in _iter_shuffled(root) if any(other in others for other in needy)}
    makers = [
        leaf
        for leaf in leaves
        if leaf in followed and _returns_float(leaf.transform) and (leaf not in certain or leaf.decides)
    ]
    return " or ".join(dict.fromkeys(type(leaf.transform).__name__ for leaf in makers))


def _name_resizers(root: Node) -> str:
    """Name the transforms that may change the size unexpectedly, in some order before others that need it."""
    makers = [
        leaf
        for leaf, others in _iter_shuffled(root)
        if leaf.lowered is None
        and not program.keeps_size(leaf.transform)
        and any(isinstance(other.lowered, (Geometry, Fill)) for other in others)
    ]
    return " or ".join(dict.fromkeys(type(leaf.transform).__name__ for leaf in makers))


def _iter_shuffled(root: Node) -> Iterator[tuple[Leaf, list[Leaf]]]:
    """Yield each leaf in a RandomOrder, and the leaves that it may precede there."""
    for node in _list_nodes(root):
        parts = [list(child.iter_leaves()) if isinstance(child, Node) else [child] for child in node.children]
        for part in parts if node.kind == "shuffled" and node.count > 1 else ():
            others = [leaf for other in parts if other is not part for leaf in other]
            yield from ((leaf, others) for leaf in part)


def _returns_float(transform: Any) -> bool:
    """Return whether a transform, or one in a composition that is not compiled, returns float32 from uint8."""
    inner = getattr(transform, "transforms", ())
    return type(transform).__name__ in _FLOAT_MAKERS or any(map(_returns_float, inner))


def _may_return_uint8(leaf: Leaf) -> bool:
    """Return whether an unmodified transform may turn float32 into uint8: FromFloat, or a user's own."""
    kind = type(leaf.transform)
    return kind.__name__ == "FromFloat" or not kind.__module__.startswith("albumentations.")


def _name_kind(leaf: Leaf, reasons: dict[Leaf, str]) -> str:
    if leaf in reasons:
        return "unmodified, with one key per sample"
    kinds = {Geometry: "geometry", Pointwise: "point-wise", Fill: "filled rectangles"}
    return next(name for kind, name in kinds.items() if isinstance(leaf.lowered, kind))


def _describe_push_down(root: Node, leaves: Sequence[Leaf]) -> str:
    certain = set(_iter_certain(root))
    crops: list[str] = []
    are_certain = is_first = leads = True  # `is_first`: every sample begins with what comes next
    samples, begins = False, ""
    for leaf in leaves:
        # A transform that a sample does not draw does not stop the push-down of later ones.
        leaf_steps = _draw_steps(leaf)
        if not leaf_steps:
            if leaf in certain:
                break
            is_first, begins = False, begins if samples else " for samples that begin with geometry"
            continue
        samples = samples or any(not step.is_exact and not step.is_averaging for steps in leaf_steps for step in steps)
        passes = [step.is_crop for step in leaf_steps[0]]
        if leads and any(step.is_crop and not step.is_whole for step in leaf_steps[0]):
            crops.append(type(leaf.transform).__name__)
            are_certain = are_certain and is_first and leaf in certain and all(passes)
        if not all(passes) or len(leaf_steps) > 1:
            # After a transform that moves or resizes every image, only the scale is pushed down.
            leads = leads and (leaf not in certain or (len(leaf_steps) == 1 and any(passes)))
            is_first = is_first and all(passes)
    scale = f", at the coarsest JPEG scale that keeps the result's detail{begins}" if samples else ""
    if not crops:
        return f"Push-down: none; the whole JPEG is decoded{scale}."
    when = "" if are_certain else ", for samples that begin with it"
    return f"Push-down: only the window of {' and '.join(crops)} is decoded from a JPEG{when}{scale}."


def _describe_geometry(root: Node, members: Sequence[Leaf]) -> str:
    leaf_steps = {leaf: _draw_steps(leaf) for leaf in members}
    sampling = [leaf for leaf in members if any(not step.is_exact for steps in leaf_steps[leaf] for step in steps)]
    if not sampling:
        return "geometry, exact pixel moves"
    if len(sampling) == 1:
        assert sampling[0].lowered is not None  # noqa: S101  # for the type checker: it is a geometry
        return f"geometry, {sampling[0].lowered.kernel}"
    if any(leaf in members and not set(others) <= set(members) for leaf, others in _iter_shuffled(root)):
        warps = sum(_count_warps(leaf_steps[leaf]) for leaf in sampling)
        return f"geometry, up to {warps} warps: in some orders other transforms come between them"
    cache: _Cache = {}
    choices = [_draw_choice(choice, members, cache) for choice in [*_list_choices(root), *_draw_choices(root)]]
    warps = max(map(_count_warps, choices))
    split_warps = max(warps, *(_count_warps(choice, split_warps=2) for choice in choices))
    if warps == 1:
        more = ", or a resize and a warp where merging would change an edge" if split_warps > 1 else ""
        return f"geometry, one warp where more than one of them samples pixels{more}"
    if split_warps > warps:
        return (
            f"geometry, up to {split_warps} warps and resizes: a border, an interpolation or an edge prevents merging"
        )
    return f"geometry, up to {warps} warps: a border or an interpolation prevents merging"


def _count_warps(steps: Sequence[list[geometry.GeometryStep]], split_warps: int = 1) -> int:
    """Count the warps of consecutive steps; returns the maximum over all draws.

    Args:
        steps: the draws of each step.
        split_warps: the count of a group that could be one warp, but runs as a resize and a warp.
    """
    draws = (geometry.group_steps(list(draw)) for draw in zip(*steps, strict=True))
    return max((sum(_count_samplings(group, split_warps) for group in groups) for groups in draws), default=1)


def _count_samplings(group: list[geometry.GeometryStep], split_warps: int) -> int:
    if geometry.is_split(group):
        return split_warps
    return int(any(not step.is_exact for step in group))


def _list_choices(node: Node) -> list[list[Leaf]]:
    """List the leaves that a sample may get together, in order, for each choice among alternatives."""
    parts = [_list_choices(child) if isinstance(child, Node) else [[child]] for child in node.children]
    if node.kind == "one" or node.count == 1:
        return [choice for part in parts for choice in part]
    if math.prod(map(len, parts)) > _MAX_CHOICES:
        return [list(node.iter_leaves())]
    return [list(chain.from_iterable(choice)) for choice in product(*parts)]


def _draw_choices(root: Node) -> list[list[Leaf]]:
    """List the leaves that some samples get, in their order: those with p below 1 may be absent."""
    leaves = list(root.iter_leaves())
    decisions = program.decide(root, keys.fold_in(keys.root(0), "explain", np.arange(_DECIDED_SAMPLES)))
    return [
        [leaves[index] for index in choice]
        for choice in sorted(set(map(tuple, decisions.chosen_leaves)))[:_MAX_CHOICES]
    ]


def _describe_pointwise(members: Sequence[Leaf]) -> str:
    return "point-wise, " + " and ".join(dict.fromkeys(leaf.lowered.kernel for leaf in members if leaf.lowered))


def _format_leaf(leaf: Leaf) -> str:
    p = leaf.transform.p
    return type(leaf.transform).__name__ + ("" if p == 1 else f" (p={p:g})")


def _draw_steps(leaf: Leaf) -> list[list[geometry.GeometryStep]]:
    """Draw a geometric leaf's steps for several images: the draws of each step that the original accepts."""
    return _draw_choice([leaf], [leaf], {})


_Cache = dict[tuple[Leaf, bytes], tuple[list[geometry.BatchSteps], Integers]]
"""The steps of a leaf for images of some sizes, and the sizes after it."""


def _draw_choice(choice: Sequence[Leaf], members: Sequence[Leaf], cache: _Cache) -> list[list[geometry.GeometryStep]]:
    """Draw the steps of some members of a choice for several images, each of the size that those before it make.

    Returns:
        The draws of each step, for the images that all transforms of the choice accept.
    """
    sizes: Integers = np.tile(_SIZES, (_DRAWS // len(_SIZES), 1)).T
    accepted, batches = np.ones(_DRAWS, bool), []
    for leaf in choice:
        if not isinstance(leaf.lowered, Geometry):
            continue
        key = leaf, sizes.tobytes()
        if key not in cache:
            cache[key] = _draw_leaf(leaf, sizes)
        leaf_steps, sizes = cache[key]
        accepted &= ~np.any([np.isnan(batch.steps.to_input[:, 0, 0]) for batch in leaf_steps], axis=0)
        batches += leaf_steps if leaf in members else []
    rows = np.flatnonzero(accepted).tolist()
    return [[batch.get_step(row) for row in rows] for batch in batches]


def _draw_leaf(leaf: Leaf, sizes: Integers) -> tuple[list[geometry.BatchSteps], Integers]:
    """Draw a geometric leaf's steps for images of some sizes, int64 [2, N]; return the sizes after it, too."""
    assert isinstance(leaf.lowered, Geometry)  # noqa: S101  # for the type checker
    height, width = sizes
    uniforms = keys.uniform(keys.fold_in(keys.root(0), leaf.index, np.arange(_DRAWS)), "explain", leaf.draws)
    _, all_steps = leaf.lowered.sample(uniforms, height, width)
    frames = []
    for steps in all_steps:
        frames.append((steps, height, width))
        height, width = steps.height, steps.width
    return geometry.analyze_steps(frames), np.stack([height, width])


def _iter_possible(node: Node) -> Iterator[Leaf]:
    """Yield the leaves that some samples get."""
    for child in node.children if node.p > 0 else ():
        if isinstance(child, Node):
            yield from _iter_possible(child)
        elif child.p > 0:
            yield child


def _iter_certain(node: Node) -> Iterator[Leaf]:
    """Yield the leaves that every sample gets."""
    if node.kind != "all" or node.p < 1:
        return
    for child in node.children:
        if isinstance(child, Node):
            yield from _iter_certain(child)
        elif child.p >= 1:
            yield child


def _list_nodes(node: Node) -> list[Node]:
    return [node, *(inner for child in node.children if isinstance(child, Node) for inner in _list_nodes(child))]
