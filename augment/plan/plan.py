"""The plan: an Albumentations pipeline compiled to a few kernels.

`compile` reads the user's unmodified objects; `Plan.sample` draws the parameters of a whole batch at once;
`Plan.apply` runs one sample's kernels; `Plan.reference` runs the original transforms one by one with the same
parameters, and is what the kernels are tested against.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import groupby, pairwise, takewhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from augment.errors import TransformError
from augment.plan import geometry, kernels, pointwise, program
from augment.plan.draft import Draft, finished
from augment.plan.explain import explain
from augment.plan.lowered import Fill, Geometry, Integers, NotLoweredError, Operation, Pointwise
from augment.plan.params import Drawn, Params
from augment.plan.program import Decisions, Leaf
from augment.plan.targets import Targets
from augment.transform import Image, KeyedTransform, composed


class Window(NamedTuple):
    """The part of an image that a plan needs, and how finely it needs it.

    Attributes:
        top: of the part, in pixels of the whole image.
        left: likewise.
        height: likewise.
        width: likewise.
        finest: pixels of the image for each pixel of what is made of it, at the finest place: decoded at 1/2, 1/4 or
            1/8 of its size, an image is still fine enough where this is at least 2, 4 or 8.
    """

    top: int
    left: int
    height: int
    width: int
    finest: float

    @property
    def ratio(self) -> int:
        """The largest of the JPEG decoder's divisors (1, 2, 4, 8) at which the image is still fine enough."""
        finest = self.finest
        return 8 if finest >= 8 else 4 if finest >= 4 else 2 if finest >= 2 else 1

    def scaled(self, ratio: int) -> tuple[int, int, int, int]:
        """Give the window (top, left, height, width) of the image at 1/ratio of its size that covers this one."""
        top, left = self.top // ratio, self.left // ratio
        return top, left, -(-(self.top + self.height) // ratio) - top, -(-(self.left + self.width) // ratio) - left


_MOST_KEPT = 1000
"""Sizes of images, times leaves, for which it is kept what leaves do that draw nothing; more are computed each time."""

_MOST_CHANNELS = 4
"""Of an image that OpenCV's geometric kernels take; the originals split those that have more."""


class Plan:
    """A compiled pipeline; safe to use from any number of threads.

    Args:
        transform: an Albumentations composition or transform, or a list of them.

    Attributes:
        transform: the composition, unmodified.
        leaves: its transforms in order, with what became of each.

    Raises:
        TransformError: it is something else.
    """

    def __init__(self, transform: Any) -> None:
        self.transform = composed(transform)
        self._root = program.build(self.transform)
        self.leaves = list(self._root.leaves())
        starts = np.cumsum([0, *(leaf.draws for leaf in self.leaves)])
        self._slices = [slice(*pair) for pair in pairwise(starts)]
        self._draws = int(starts[-1])
        self._kinds = [_kind(leaf) for leaf in self.leaves]
        self._kept: dict[tuple[int, int, int], tuple[Drawn, int, int]] = {}

    def __reduce__(self) -> tuple[type["Plan"], tuple[Any]]:
        return Plan, (self.transform,)  # what is kept for speed is made again

    def sample(self, seed: int, epoch: int, indices: ArrayLike, shapes: Sequence[Sequence[int]]) -> Params:
        """Draw the parameters of a batch.

        Args:
            seed: of the dataset.
            epoch: from 0 on.
            indices: int64 [N], the samples.
            shapes: of the N images, (height, width) or (height, width, channels).
        """
        return self.draw(keys.fold_in(keys.root(seed), "augment", epoch, np.asarray(indices, np.int64)), shapes)

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Params:
        """Draw the parameters of a batch from the samples' keys, uint64 [N]; see `sample`."""
        decisions = program.decide(self._root, sample_keys)
        uniforms = keys.uniform(sample_keys, "parameters", self._draws)
        sizes = [(int(shape[0]), int(shape[1])) for shape in shapes]
        height, width = np.array(sizes, np.int64).reshape(-1, 2).T.copy()
        drawn: dict[int, list[tuple[dict[int, int] | None, Drawn]]] = {}
        steps: list[tuple[Drawn, geometry.Frames]] = []
        for place, rows in self._meetings(decisions):
            leaf = self.leaves[place]
            if leaf.lowered is None:
                continue
            # Only for the samples that get it: in a policy, few leaves are for many.
            active = decisions.active[:, place] if rows is None else decisions.active[rows, place]
            if not active.all():
                rows = np.flatnonzero(active) if rows is None else rows[active]
                if not len(rows):
                    continue
            at = slice(None) if rows is None else rows
            own = self._shared(place, height, width, at)
            if own is None:
                own, frames = _draw(leaf, uniforms[at, self._slices[place]], height, width, at)
                steps += ((own, frame) for frame in frames)
            numbers = None if rows is None else {row: number for number, row in enumerate(rows.tolist())}
            drawn.setdefault(place, []).append((numbers, own))
        for (own, _), moves in zip(steps, geometry.known([frame for _, frame in steps]), strict=True):
            own.moves.append(moves)
        return Params(sizes, decisions, drawn, sample_keys)

    def _shared(self, place: int, height: Integers, width: Integers, at: Any) -> Drawn | None:
        """Give what a geometric leaf that draws nothing is for all images of a size, as `_draw`; None for others."""
        lowered = self.leaves[place].lowered
        if not isinstance(lowered, Geometry) or lowered.draws:
            return None
        rows, columns = height[at], width[at]
        if not len(rows) or (rows != rows[0]).any() or (columns != columns[0]).any():
            return None
        key = (place, int(rows[0]), int(columns[0]))
        kept = self._kept.get(key)
        if kept is None:
            out = rows[:1].copy(), columns[:1].copy()
            drawn, frames = _draw(self.leaves[place], np.zeros((1, 0)), *out, slice(None))
            drawn.moves.extend(geometry.known(frames))
            kept = replace(drawn, is_shared=True), int(out[0][0]), int(out[1][0])
            if len(self._kept) < _MOST_KEPT:
                self._kept[key] = kept
        height[at], width[at] = kept[1:]
        return kept[0]

    def with_uniforms(self, place: int, uniforms: NDArray[np.float64], shape: Sequence[int]) -> Params:
        """Make the parameters of one sample that gets one leaf alone, from the numbers [1, draws] that it draws."""
        size = int(shape[0]), int(shape[1])
        height, width = np.array([size], np.int64).T.copy()
        active = np.zeros((1, len(self.leaves)), bool)
        active[0, place] = True
        drawn, frames = _draw(self.leaves[place], uniforms, height, width, slice(None))
        drawn.moves.extend(geometry.known(frames))
        decisions = Decisions(np.ones(1, bool), active, None)
        return Params([size], decisions, {place: [(None, drawn)]}, keys.fold_in(keys.root(0), "given", [0]))

    def lone(self, seed: int, epoch: int, index: int, shape: Sequence[int], place: int) -> Params:
        """Draw the parameters of one sample that gets one leaf alone, and surely; arguments as those of `sample`."""
        key = keys.fold_in(keys.root(seed), "augment", epoch, [index])
        uniforms = keys.uniform(key, "parameters", self._draws)[:, self._slices[place]]
        if self.leaves[place].lowered is not None:
            return replace(self.with_uniforms(place, uniforms, shape), keys=key)
        active = np.zeros((1, len(self.leaves)), bool)
        active[0, place] = True
        return Params([(int(shape[0]), int(shape[1]))], Decisions(np.ones(1, bool), active, None), {}, key)

    def drawn_by_original(self, place: int) -> dict[str, Any]:
        """Give what a leaf that runs as it is drew when it ran last in this thread."""
        return self._keyed[place].drawn()

    def window(self, params: Params, row: int) -> Window | None:
        """Say which part of an image a sample needs: what the crops leave with which its pipeline begins.

        Args:
            params: of its batch.
            row: its place in the batch.

        Returns:
            The window, or None where the whole image is needed as it is.
        """
        places = list(takewhile(lambda place: self.kind(place) is Geometry, params.leaves(row)))
        steps = self.steps(params, row, places)
        if not steps:
            return None
        part, cropped = geometry.prefix_window(steps, params.sizes[row])
        window = Window(*part, geometry.finest(steps[cropped:]))
        is_whole = part == (0, 0, *params.sizes[row]) and window.ratio == 1
        return None if is_whole else window

    def apply(self, image: Image, params: Params, row: int, window: Window | None = None) -> Image:
        """Augment one image.

        Args:
            image: [H, W, C], of the size for which the parameters were drawn; it is not written to.
            params: of its batch.
            row: its place in the batch.
            window: where `image` is only the part that `Plan.window` asked for: that, decoded at 1/`window.ratio`.

        Returns:
            [H', W', C']; it may be a view of `image`.

        Raises:
            TransformError: a transform failed on this image.
        """
        return finished(self.draft(image, params, row, window))

    def draft(self, image: Image, params: Params, row: int, window: Window | None = None) -> Image | Draft:
        """Augment one image as `apply`, but leave to be made with others what the compiled kernels can do.

        See `augment.plan.draft.finish`. Until then the image must not be written to.
        """
        return self._run(image, params, row, params.leaves(row), window)

    def reference(self, image: Image, params: Params, row: int) -> Image:
        """Augment one image by the original transforms, one by one, with the same parameters; as `apply`."""
        image = image.copy()  # some of Albumentations' transforms write to it
        for place in params.leaves(row):
            image = self._original(image, params, row, place)
        return image

    def explain(self) -> str:
        """Say which transforms share a kernel, what is pushed down into the decoder, and what runs as it is and why."""
        return explain(self._root)

    def to_dict(self) -> dict[str, Any]:
        """Describe the pipeline as Albumentations serialises it, or by its repr where it cannot be serialised."""
        return KeyedTransform(self.transform).to_dict()

    def _meetings(self, decisions: Decisions) -> Iterator[tuple[int, NDArray[np.int64] | None]]:
        """Walk the leaves in the order in which the samples meet them, with the samples (None: all)."""
        if decisions.order is None:
            yield from ((place, None) for place in range(len(self.leaves)))
            return
        for column in decisions.order.T:
            for place in np.unique(column).tolist():
                yield place, np.flatnonzero(column == place)

    def apply_to(self, data: dict[str, Any], params: Params, row: int) -> dict[str, Any]:
        """Augment an image and what belongs to it.

        Args:
            data: "image", and any of "mask", "masks", "bboxes", "keypoints" and the label fields, as an `A.Compose`
                takes them; boxes and keypoints need the `bbox_params` and `keypoint_params` of the compiled
                `A.Compose`.
            params: of its batch.
            row: its place in the batch.

        Returns:
            The same names, augmented.

        Raises:
            TransformError: a transform failed on this sample.
        """
        return self._targets.apply(data, params, row)

    def kind(self, place: int) -> type | None:
        """Say what a leaf was lowered to: `Geometry`, `Pointwise`, `Fill`, or None where it runs as it is."""
        return self._kinds[place]

    def run(self, image: Image, params: Params, row: int, places: Sequence[int], window: Window | None = None) -> Image:
        """Run some leaves of one sample, in order; as `apply`, which runs those that the sample drew."""
        return finished(self._run(image, params, row, places, window))

    def _run(
        self, image: Image | Draft, params: Params, row: int, places: Sequence[int], window: Window | None
    ) -> Image | Draft:
        if image.ndim != 3:
            raise TransformError(f"an image must be [H, W, C], got the shape {image.shape}")
        owned = False  # whether it may be written to: kernels have made it, and nobody else can have it
        for kind, group in groupby(places, self.kind):
            members, before = list(group), image
            try:
                if kind is Geometry:
                    image = self._geometry(finished(image), params, row, members, window)
                elif kind is Pointwise:
                    image = self._pointwise(image, params, row, members, owned)
                elif kind is Fill:
                    image = self._fill(image, params, row, members, owned)
                else:
                    image = self._originals(finished(image), params, row, members)
            except TransformError:
                raise
            except Exception as error:  # of a kernel, on an image for which it is not made
                names = ", ".join(type(self.leaves[place].transform).__name__ for place in members)
                raise TransformError(f"{type(error).__name__} in {names}: {error}") from error
            if isinstance(image, Draft) or kind is None:
                owned = isinstance(image, Draft)
            elif image is not before:
                owned = image.flags.owndata
            window = None
        return image

    def _geometry(
        self, image: Image, params: Params, row: int, places: Sequence[int], window: Window | None
    ) -> Image | Draft:
        steps = self.steps(params, row, places)
        if steps is None or image.shape[2] > _MOST_CHANNELS:
            return self._originals(image, params, row, places)
        if window is not None:
            return geometry.run(image, _after(window, steps, params.sizes[row]))
        self._check_size(image, params, row, places[0])
        return geometry.run(image, steps)

    def _check_size(self, image: Image | Draft, params: Params, row: int, place: int) -> None:
        drawn, at = params.of(place, row)
        expected = drawn.sizes[at]
        if image.shape[:2] != expected:
            raise TransformError(
                f"{type(self.leaves[place].transform).__name__} has drawn its parameters for an image of {expected}, "
                f"but it has {image.shape[:2]}: a transform before it changed the size unexpectedly"
            )

    def steps(
        self, params: Params, row: int, places: Sequence[int], *, mask: bool = False
    ) -> list[geometry.Step] | None:
        """Collect the steps of neighbouring geometric leaves for one sample; None where one of them refuses it."""
        key = (row, mask, *places)
        if key not in params.kept:  # the window is asked for first, and the image augmented later
            params.kept[key] = self._collected(params, row, places, mask)
        return params.kept[key]

    @staticmethod
    def _collected(params: Params, row: int, places: Sequence[int], mask: bool) -> list[geometry.Step] | None:
        steps = []
        for place in places:
            drawn, at = params.of(place, row)
            for moves in drawn.moves:
                if moves.refused[at]:
                    return None
                steps.append(moves.of(at, mask=mask))
        return steps

    def _pointwise(
        self, image: Image | Draft, params: Params, row: int, places: Sequence[int], owned: bool
    ) -> Image | Draft:
        pending: list[Operation] = []
        channels = image.shape[2]
        for place in places:
            lowered = self.leaves[place].lowered
            assert isinstance(lowered, Pointwise)  # noqa: S101  # for the type checker: that is how they were grouped
            drawn, at = params.of(place, row)
            try:
                if image.dtype != np.uint8 or (pending and self._yields_float(pending)):
                    raise NotLoweredError("kernels are for uint8")
                pending += lowered.operations(drawn.columns, at, channels)
                channels = lowered.channels_after(channels)
            except NotLoweredError:
                image, pending = finished(pointwise.run(image, pending, owned=owned)), []
                image, owned = self._original(image, params, row, place), False
                channels = image.shape[2]
        return pointwise.run(image, pending, owned=owned)

    @staticmethod
    def _yields_float(operations: Sequence[Operation]) -> bool:
        last = operations[-1]
        return isinstance(last, np.ndarray) and last.dtype != np.uint8

    def _fill(
        self, image: Image | Draft, params: Params, row: int, places: Sequence[int], owned: bool
    ) -> Image | Draft:
        self._check_size(image, params, row, places[0])
        for place in places:
            lowered = self.leaves[place].lowered
            assert isinstance(lowered, Fill)  # noqa: S101  # for the type checker: that is how they were grouped
            drawn, at = params.of(place, row)
            image = kernels.covered(image, lowered.rectangles(drawn.columns, at), lowered.value, owned=owned)
            owned = True
        return image

    def _originals(self, image: Image, params: Params, row: int, places: Sequence[int]) -> Image:
        for place in places:
            image = self._original(image, params, row, place)
        return image

    def _original(self, image: Image, params: Params, row: int, place: int) -> Image:
        leaf = self.leaves[place]
        if leaf.lowered is None or self._is_refused(params, row, place):
            return self.keyed(params, row, place)({"image": image})["image"]  # type: ignore[no-any-return]
        drawn, at = params.of(place, row)
        base = leaf.transform.update_transform_params({}, {"image": image})
        try:
            arguments = leaf.lowered.original(drawn.columns, at, image)
            own = np.require(image, requirements=("C", "W"))  # some of the originals write to it
            return _three_dimensional(leaf.transform.apply(own, **base | arguments))
        except Exception as error:  # a transform may raise anything at all
            raise TransformError(f"{type(error).__name__} in {type(leaf.transform).__name__}: {error}") from error

    def _is_refused(self, params: Params, row: int, place: int) -> bool:
        drawn, at = params.of(place, row)
        return any(moves.refused[at] for moves in drawn.moves)

    def keyed(self, params: Params, row: int, place: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Give a leaf's original transform with its key for one sample: it takes and gives Albumentations' targets."""
        key = keys.fold_in(params.keys[row], "original", place)
        return partial(self._keyed[place].apply_to, key=key, force_apply=True)

    @cached_property
    def _keyed(self) -> list[KeyedTransform]:
        return [KeyedTransform(leaf.transform) for leaf in self.leaves]

    @cached_property
    def _targets(self) -> Targets:
        return Targets(self)


def _kind(leaf: Leaf) -> type | None:
    return next((kind for kind in (Geometry, Pointwise, Fill) if isinstance(leaf.lowered, kind)), None)


def _after(window: Window, steps: list[geometry.Step], size: kernels.Size) -> list[geometry.Step]:
    """Give the steps that are left where an image has been decoded in part, and perhaps coarsely."""
    (top, left, height, width), cropped = geometry.prefix_window(steps, size)
    ratio, steps = window.ratio, steps[cropped:]
    if ratio == 1:
        return steps
    decoded_top, decoded_left, *_ = window.scaled(ratio)
    shift = [(start + 0.5) / ratio - 0.5 - decoded for start, decoded in ((left, decoded_left), (top, decoded_top))]
    to_input = np.array([[1 / ratio, 0, shift[0]], [0, 1 / ratio, shift[1]], [0, 0, 1]])
    sampling = next(step for step in steps if not step.exact)
    return [sampling._replace(to_input=to_input, size=(height, width), inside=True, whole=True), *steps]


def compile(transform: Any) -> Plan:  # noqa: A001  # `augment.compile` says what it does
    """Compile an Albumentations pipeline; see `Plan`."""
    return Plan(transform)


def _draw(
    leaf: Leaf, uniforms: NDArray[np.float64], height: Integers, width: Integers, at: Any
) -> tuple[Drawn, list[geometry.Frames]]:
    """Draw a leaf's parameters for the samples `at`, and move on to the sizes that it leaves (in place).

    Returns:
        What it drew, still without its moves; and the steps of which they are to be made.
    """
    lowered = leaf.lowered
    rows, columns = height[at].copy(), width[at].copy()  # what is drawn keeps them, and they change below
    sizes = list(zip(rows.tolist(), columns.tolist(), strict=True))
    if isinstance(lowered, (Pointwise, Fill)):
        return Drawn(lowered.sample(uniforms, rows, columns), sizes, []), []
    assert isinstance(lowered, Geometry)  # noqa: S101  # for the type checker: there are three kinds
    drawn, steps = lowered.sample(uniforms, rows, columns)
    frames = []
    for step in steps:
        frames.append((step, rows, columns))
        rows, columns = step.height, step.width
    height[at], width[at] = rows, columns
    return Drawn(drawn, sizes, []), frames


def _three_dimensional(image: Image) -> Image:
    return image if image.ndim == 3 else image[..., np.newaxis]
