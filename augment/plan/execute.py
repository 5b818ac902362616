"""Running the leaves of one sample: neighbours of one kind share a kernel, the others run unmodified."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import Any

import numpy as np

from augment import keys
from augment.errors import TransformError
from augment.plan import geometry, kernels, pointwise
from augment.plan.draft import Draft, finished
from augment.plan.lowered import Fill, Geometry, NotLoweredError, Operation, Pointwise
from augment.plan.params import Params
from augment.plan.program import Leaf
from augment.plan.window import Window, skip_decoded
from augment.transform import Image, KeyedTransform

_MOST_CHANNELS = 4
"""Of an image that OpenCV's geometric kernels take; the originals split those that have more."""


class Executor:
    """Runs leaves on images; safe to use from any number of threads.

    Args:
        leaves: those of the program.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = leaves
        self._kinds = [_find_kind(leaf) for leaf in leaves]

    def kind(self, place: int) -> type | None:
        """Return what a leaf was lowered to; see `Plan.kind`."""
        return self._kinds[place]

    def run(
        self, image: Image | Draft, params: Params, row: int, places: Sequence[int], window: Window | None
    ) -> Image | Draft:
        """Run some leaves of one sample, in order; see `Plan.run`."""
        if image.ndim != 3:
            raise TransformError(f"an image must be [H, W, C], got the shape {image.shape}")
        owned = False  # whether it may be written to: kernels have made it, and nobody else can have it
        for kind, group in groupby(places, self.kind):
            members, before = list(group), image
            try:
                if kind is Geometry:
                    image = self._run_geometry(finished(image), params, row, members, window)
                elif kind is Pointwise:
                    image = self._run_pointwise(image, params, row, members, owned)
                elif kind is Fill:
                    image = self._run_fills(image, params, row, members, owned)
                else:
                    image = self.run_originals(finished(image), params, row, members)
            except TransformError:
                raise
            except Exception as error:  # of a kernel, on an image for which it is not made
                names = ", ".join(type(self._leaves[place].transform).__name__ for place in members)
                raise TransformError(f"{type(error).__name__} in {names}: {error}") from error
            if isinstance(image, Draft) or kind is None:
                owned = isinstance(image, Draft)
            elif image is not before:
                owned = image.flags.owndata
            window = None
        return image

    def _run_geometry(
        self, image: Image, params: Params, row: int, places: Sequence[int], window: Window | None
    ) -> Image | Draft:
        steps = params.steps(row, places)
        if steps is None or image.shape[2] > _MOST_CHANNELS:
            return self.run_originals(image, params, row, places)
        if window is not None:
            return geometry.run(image, skip_decoded(window, steps, params.sizes[row]))
        self._check_size(image, params, row, places[0])
        return geometry.run(image, steps)

    def _run_pointwise(
        self, image: Image | Draft, params: Params, row: int, places: Sequence[int], owned: bool
    ) -> Image | Draft:
        pending: list[Operation] = []
        channels = image.shape[2]
        for place in places:
            lowered = self._leaves[place].lowered
            assert isinstance(lowered, Pointwise)  # noqa: S101  # for the type checker: that is how they were grouped
            leaf_params, at = params.of(place, row)
            try:
                if image.dtype != np.uint8 or (pending and _yields_float(pending[-1])):
                    raise NotLoweredError("kernels are for uint8")
                pending += lowered.operations(leaf_params.columns, at, channels)
                channels = lowered.channels_after(channels)
            except NotLoweredError:
                image, pending = finished(pointwise.run(image, pending, owned=owned)), []
                image, owned = self._run_original(image, params, row, place), False
                channels = image.shape[2]
        return pointwise.run(image, pending, owned=owned)

    def _run_fills(
        self, image: Image | Draft, params: Params, row: int, places: Sequence[int], owned: bool
    ) -> Image | Draft:
        self._check_size(image, params, row, places[0])
        for place in places:
            lowered = self._leaves[place].lowered
            assert isinstance(lowered, Fill)  # noqa: S101  # for the type checker: that is how they were grouped
            leaf_params, at = params.of(place, row)
            image = kernels.covered(image, lowered.rectangles(leaf_params.columns, at), lowered.value, owned=owned)
            owned = True
        return image

    def _check_size(self, image: Image | Draft, params: Params, row: int, place: int) -> None:
        leaf_params, at = params.of(place, row)
        expected = leaf_params.sizes[at]
        if image.shape[:2] != expected:
            raise TransformError(
                f"{type(self._leaves[place].transform).__name__} has drawn its parameters for an image of {expected}, "
                f"but it has {image.shape[:2]}: a transform before it changed the size unexpectedly"
            )

    def run_originals(self, image: Image, params: Params, row: int, places: Sequence[int]) -> Image:
        """Run the original transforms of some leaves, one by one, with the same parameters."""
        for place in places:
            image = self._run_original(image, params, row, place)
        return image

    def _run_original(self, image: Image, params: Params, row: int, place: int) -> Image:
        leaf = self._leaves[place]
        if leaf.lowered is None or params.steps(row, [place]) is None:
            return self.keyed(params, row, place)({"image": image})["image"]  # type: ignore[no-any-return]
        leaf_params, at = params.of(place, row)
        base = leaf.transform.update_transform_params({}, {"image": image})
        try:
            arguments = leaf.lowered.original(leaf_params.columns, at, image)
            own = np.require(image, requirements=("C", "W"))  # some of the originals write to it
            result: Image = leaf.transform.apply(own, **base | arguments)
        except Exception as error:  # a transform may raise anything at all
            raise TransformError(f"{type(error).__name__} in {type(leaf.transform).__name__}: {error}") from error
        return result if result.ndim == 3 else result[..., np.newaxis]

    def keyed(self, params: Params, row: int, place: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Bind a leaf's original transform to its key for one sample; see `Plan.keyed`."""
        key = keys.fold_in(params.keys[row], "original", place)
        return partial(self._keyed[place].apply_to, key=key, force_apply=True)

    def drawn_by_original(self, place: int) -> dict[str, Any]:
        """Return the parameters that a leaf without a kernel drew when it last ran in this thread."""
        return self._keyed[place].drawn()

    @cached_property
    def _keyed(self) -> list[KeyedTransform]:
        return [KeyedTransform(leaf.transform) for leaf in self._leaves]


def _find_kind(leaf: Leaf) -> type | None:
    return next((kind for kind in (Geometry, Pointwise, Fill) if isinstance(leaf.lowered, kind)), None)


def _yields_float(operation: Operation) -> bool:
    return isinstance(operation, np.ndarray) and operation.dtype != np.uint8
