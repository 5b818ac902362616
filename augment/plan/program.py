"""The program: a composition of transforms as a tree, and which of them each sample gets, in which order.

Albumentations decides for every image what to apply. Here the same decisions are drawn for a whole batch at once, with
the probabilities and the rules of the compositions (version 2.0.8).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count as count_up
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.plan.lowering import REGISTRY, Floats, Lowered, NotLoweredError, Pointwise

Choice = NDArray[np.bool_]
"""Which samples get a part of the program, [N]."""


@dataclass(eq=False)
class Leaf:
    """A transform of the program.

    Attributes:
        transform: the original; a whole composition if its rules are not compiled.
        lowered: its lowering; None for a transform that runs unmodified.
        reason: why it runs unmodified.
        decides: whether it is a composition that draws by itself whether it is applied.
        forced: whether an enclosing OneOf that chooses it applies it regardless of its p.
        scope: the number of the outermost `A.Compose` around it; None without one.
        index: its index in the list of leaves.
    """

    transform: Any
    lowered: Lowered | None
    reason: str = ""
    decides: bool = False
    forced: bool = False
    scope: int | None = None
    index: int = -1

    @property
    def p(self) -> float:
        """The probability that the plan applies it once it is reached."""
        return 1.0 if self.decides else float(self.transform.p)

    @property
    def draws(self) -> int:
        """The number of uniform numbers that its parameters need."""
        return self.lowered.draws if self.lowered else 0


@dataclass(eq=False)
class Node:
    """A composition of the program.

    Attributes:
        kind: "all" (Compose, Sequential), "one" (OneOf), "some" (SomeOf) or "shuffled" (RandomOrder).
        p: the probability that any of it is applied.
        children: the parts.
        count: how many parts are chosen, for "some" and "shuffled".
        forced: whether an enclosing OneOf that chooses it applies it regardless of its p.
        transform: the composition.
        scope: its number among the outermost `A.Compose`s, which handle boxes and keypoints; None for others.
    """

    kind: str
    p: float
    children: Sequence["Node | Leaf"]
    count: int = 0
    forced: bool = True
    transform: Any = None
    scope: int | None = None

    def iter_leaves(self) -> Iterator[Leaf]:
        """Walk the leaves in order."""
        for child in self.children:
            if isinstance(child, Leaf):
                yield child
            else:
                yield from child.iter_leaves()


def build(transform: Any) -> Node:
    """Turn a composition, or a single transform, into a program."""
    import albumentations as A  # noqa: N812  # its users know it by this name

    import augment.plan.transforms  # noqa: F401  # registers the lowerings

    root = _build_node(transform)
    if isinstance(root, Leaf) or type(transform) is not A.Compose:
        root = Node("all", 1.0, [root])
    _number_scopes(root, count_up())
    size_is_known = True
    for index, leaf in enumerate(root.iter_leaves()):
        leaf.index = index
        if leaf.lowered and not size_is_known and not isinstance(leaf.lowered, Pointwise):
            leaf.lowered, leaf.reason = None, "an earlier transform may change the image size"
        size_is_known = size_is_known and (leaf.lowered is not None or keeps_size(leaf.transform))
    return root


def _number_scopes(part: Node | Leaf, numbers: Iterator[int], scope: int | None = None) -> None:
    """Number the outermost `A.Compose`s, and tell each leaf in which it is."""
    import albumentations as A  # noqa: N812  # its users know it by this name

    if isinstance(part, Leaf):
        part.scope = scope
        return
    if scope is None and type(part.transform) is A.Compose:
        part.scope = scope = next(numbers)
    for child in part.children:
        _number_scopes(child, numbers, scope)


def list_scopes(root: Node) -> list[Any]:
    """List the outermost `A.Compose`s of a program, by their numbers (see `Leaf.scope`)."""
    return [node.transform for node in _walk_nodes(root) if node.scope is not None]


@dataclass(frozen=True)
class Decisions:
    """The decisions for a batch of N samples and L leaves.

    Attributes:
        entered: bool [N, S], which samples enter which of the outermost `A.Compose`s.
        active: bool [N, L], which leaves each sample gets.
        order: int64 [N, L], the leaves in the order in which each sample runs them; None if that is 0, 1, 2, ...
    """

    entered: NDArray[np.bool_]
    active: NDArray[np.bool_]
    order: NDArray[np.int64] | None

    @cached_property
    def chosen_leaves(self) -> list[list[int]]:
        """The leaves that each sample gets, in order."""
        active = self.active.tolist()
        orders = [range(self.active.shape[1])] * len(active) if self.order is None else self.order.tolist()
        return [[leaf for leaf in order if own[leaf]] for own, order in zip(active, orders, strict=True)]


def decide(root: Node, sample_keys: keys.Key) -> Decisions:
    """Decide which leaves each sample gets, and in which order.

    Args:
        root: the program.
        sample_keys: uint64 [N].
    """
    count = len(list(root.iter_leaves()))
    active = np.zeros((len(sample_keys), count), bool)
    positions = np.broadcast_to(np.arange(count), active.shape).copy()
    uniforms = keys.uniform(sample_keys, "decide", _count_decisions(root))
    entered = np.zeros((len(sample_keys), len(list_scopes(root))), bool)
    _Decider(uniforms, active, positions, entered).enter(root, np.ones(len(sample_keys), bool), forced=False)
    is_static = all(node.kind != "shuffled" for node in _walk_nodes(root))
    return Decisions(entered, active, None if is_static else np.argsort(positions, axis=1))


class _Decider:
    """Walks the program once, with one column of uniform numbers per decision."""

    def __init__(
        self, uniforms: Floats, active: NDArray[np.bool_], positions: NDArray[np.int64], entered: NDArray[np.bool_]
    ) -> None:
        self._columns = iter(uniforms.T)
        self._active = active
        self._positions = positions
        self._entered = entered

    def enter(self, part: Node | Leaf, chosen: Choice, *, forced: bool) -> None:
        """Decide on a part of the program for the samples that reach it."""
        coin = next(self._columns)
        if not (forced and (isinstance(part, Leaf) or part.forced)):
            chosen = chosen & (coin < part.p)
        if isinstance(part, Leaf):
            self._active[:, part.index] = chosen
            return
        if part.scope is not None:
            self._entered[:, part.scope] = chosen
        getattr(self, f"_{part.kind}")(part, chosen)

    def _all(self, node: Node, chosen: Choice) -> None:
        for child in node.children:
            self.enter(child, chosen, forced=False)

    def _one(self, node: Node, chosen: Choice) -> None:
        weights = np.cumsum([_get_probability(child) for child in node.children])
        choice = np.searchsorted(weights / weights[-1], next(self._columns), side="right")
        for number, child in enumerate(node.children):
            self.enter(child, chosen & (choice == number), forced=True)

    def _some(self, node: Node, chosen: Choice) -> None:
        ranks = self._draw_ranks(node)
        for number, child in enumerate(node.children):
            self.enter(child, chosen & (ranks[:, number] < node.count), forced=False)

    def _shuffled(self, node: Node, chosen: Choice) -> None:
        ranks = self._draw_ranks(node)
        sizes = np.array([1 if isinstance(child, Leaf) else len(list(child.iter_leaves())) for child in node.children])
        starts = np.array([(sizes * (ranks < ranks[:, [number]])).sum(axis=1) for number in range(len(sizes))])
        first = next((leaf.index for leaf in node.iter_leaves()), 0)
        before = first
        for number, child in enumerate(node.children):
            own = slice(before, before + sizes[number])
            self._positions[:, own] += (first + starts[number] - before)[:, np.newaxis]
            before += sizes[number]
            self.enter(child, chosen & (ranks[:, number] < node.count), forced=False)

    def _draw_ranks(self, node: Node) -> NDArray[np.int64]:
        drawn = np.stack([next(self._columns) for _ in node.children], axis=1)
        return np.argsort(np.argsort(drawn, axis=1), axis=1)


def _build_node(transform: Any) -> Node | Leaf:
    import albumentations as A  # noqa: N812  # its users know it by this name

    kind = type(transform)
    if kind in (A.Compose, A.Sequential) or (kind in (A.SomeOf, A.RandomOrder) and not transform.transforms):
        return Node("all", transform.p, [_build_node(child) for child in transform.transforms], transform=transform)
    if kind is A.OneOf and sum(map(_get_probability, transform.transforms)) > 0:
        return Node("one", transform.p, [_build_forced(child) for child in transform.transforms])
    if kind in (A.SomeOf, A.RandomOrder) and not transform.replace:
        count = min(transform.n, len(transform.transforms))
        children = [_build_node(child) for child in transform.transforms]
        return Node("some" if kind is A.SomeOf else "shuffled", transform.p, children, count, forced=False)
    if isinstance(transform, A.BaseCompose):
        forcible = (A.Compose, A.Sequential, A.OneOf, A.SelectiveChannelTransform, A.ReplayCompose)
        return Leaf(transform, None, f"this {kind.__name__} is not supported", decides=kind not in forcible)
    lowered = REGISTRY.get(kind)
    if lowered is None:
        return Leaf(transform, None, getattr(transform, "not_lowered", "it has no kernel"))
    try:
        return Leaf(transform, lowered(transform))
    except NotLoweredError as error:
        return Leaf(transform, None, str(error))


def _build_forced(transform: Any) -> Node | Leaf:
    part = _build_node(transform)
    if isinstance(part, Leaf):
        part.forced = True
    return part


_KEEP_SIZE = {
    *("ElasticTransform", "GridDistortion", "GridElasticDeform", "OpticalDistortion", "PiecewiseAffine"),
    *("ThinPlateSpline", "RandomGridShuffle", "PixelDropout", "MaskDropout", "NoOp", "CoarseDropout", "Erasing"),
    *("GridDropout", "XYMasking", "ConstrainedCoarseDropout", "TimeMasking", "FrequencyMasking"),
}
"""The transforms, besides each `ImageOnlyTransform`, that keep the size of the image."""


def keeps_size(transform: Any) -> bool:
    """Return whether a transform that runs unmodified is known to keep the size of the image."""
    import albumentations as A  # noqa: N812  # its users know it by this name

    if not type(transform).__module__.startswith("albumentations."):
        return False  # a user's own transform may do anything
    return isinstance(transform, A.ImageOnlyTransform) or type(transform).__name__ in _KEEP_SIZE


def _get_probability(part: Any) -> float:
    return float(part.transform.p if isinstance(part, Leaf) else part.p)


def _count_decisions(part: Node | Leaf) -> int:
    """Count the uniform numbers that deciding on a part needs."""
    if isinstance(part, Leaf):
        return 1
    own = {"one": 1, "some": len(part.children), "shuffled": len(part.children)}.get(part.kind, 0)
    return 1 + own + sum(map(_count_decisions, part.children))


def _walk_nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        if isinstance(child, Node):
            yield from _walk_nodes(child)
