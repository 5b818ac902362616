"""Runs the leaves of one sample: neighbors of one kind share a kernel, the others run unmodified."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import Any

import numpy as np

from augment import keys
from augment.errors import TransformError
from augment.plan import geometry, kernels, pointwise
from augment.plan.deferred import DeferredImage, materialize
from augment.plan.encoded import UndecodableError
from augment.plan.lowering import Fill, Geometry, NotLoweredError, Operation, Pointwise
from augment.plan.params import Params
from augment.plan.program import Leaf
from augment.plan.window import Window, skip_decoded
from augment.transform import Image, KeyedTransform

_MAX_CHANNELS = 4
"""The most channels that OpenCV's geometric functions accept; the originals split images that have more."""


class Executor:
    """Runs leaves on images. Any number of threads may use it.

    Args:
        leaves: the leaves of the program.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = leaves
        self._kinds = [_find_kind(leaf) for leaf in leaves]

    def get_kind(self, leaf_index: int) -> type | None:
        """Return what a leaf was lowered to; see `Plan.get_kind`."""
        return self._kinds[leaf_index]

    def run(
        self, image: Image | DeferredImage, params: Params, row: int, leaf_indices: Sequence[int], window: Window | None
    ) -> Image | DeferredImage:
        """Run some leaves of one sample, in order; see `Plan.run`."""
        is_owned = False  # whether it may be written to: a kernel computed it, and nobody else has it
        is_first = True
        for kind, group in groupby(leaf_indices, self.get_kind):
            members, before = list(group), image
            fits = window is not None or self.fits(image.shape, params, row, members[0])
            if not fits and is_first:
                raise self._make_size_error(image.shape, params, row, members[0])
            try:
                if kind is None or not fits:
                    image = self.run_originals(materialize(image), params, row, members)
                elif kind is Geometry:
                    image = self._run_geometry(image, params, row, members, window)
                elif kind is Pointwise:
                    image = self._run_pointwise(image, params, row, members, is_owned)
                else:
                    image = self._run_fills(image, params, row, members, is_owned)
            except (TransformError, UndecodableError):
                raise
            except Exception as error:  # a kernel rejects the image
                names = ", ".join(type(self._leaves[leaf_index].transform).__name__ for leaf_index in members)
                raise TransformError(f"{type(error).__name__} in {names}: {error}") from error
            if isinstance(image, DeferredImage) or kind is None:
                is_owned = isinstance(image, DeferredImage)
            elif image is not before:
                is_owned = fits and image.flags.owndata
            window, is_first = None, False
        return image

    def fits(self, shape: Sequence[int], params: Params, row: int, leaf_index: int) -> bool:
        """Return whether a leaf's parameters are for an image of this shape; all fit a leaf that asks for no size.

        An image has another size after a transform that runs unmodified and changes the size in its own way, if samples
        run it in another order than that of the leaves.
        """
        if self._kinds[leaf_index] not in (Geometry, Fill):
            return True
        leaf_params, at = params.find_leaf(leaf_index, row)
        return leaf_params.sizes[at] == tuple(shape[:2])

    def _run_geometry(
        self, image: Image | DeferredImage, params: Params, row: int, leaf_indices: Sequence[int], window: Window | None
    ) -> Image | DeferredImage:
        steps = params.steps(row, leaf_indices)
        if steps is None or image.shape[2] > _MAX_CHANNELS:
            return self.run_originals(materialize(image), params, row, leaf_indices)
        if window is not None:
            return geometry.run(image, skip_decoded(window, steps, params.sizes[row]))
        return geometry.run(image, steps)

    def _run_pointwise(
        self, image: Image | DeferredImage, params: Params, row: int, leaf_indices: Sequence[int], is_owned: bool
    ) -> Image | DeferredImage:
        pending: list[Operation] = []
        channels = image.shape[2]
        for leaf_index in leaf_indices:
            lowered = self._leaves[leaf_index].lowered
            assert isinstance(lowered, Pointwise)  # noqa: S101  # for the type checker: they are grouped by kind
            leaf_params, at = params.find_leaf(leaf_index, row)
            try:
                if image.dtype != np.uint8 or (pending and _is_float_result(pending[-1])):
                    raise NotLoweredError("kernels need uint8")
                pending += lowered.build_operations(leaf_params.columns, at, channels)
                channels = lowered.count_output_channels(channels)
            except NotLoweredError:
                image, pending = materialize(pointwise.run(image, pending, is_owned=is_owned)), []
                image, is_owned = self._run_original(image, params, row, leaf_index), False
                channels = image.shape[2]
        return pointwise.run(image, pending, is_owned=is_owned)

    def _run_fills(
        self, image: Image | DeferredImage, params: Params, row: int, leaf_indices: Sequence[int], is_owned: bool
    ) -> Image | DeferredImage:
        for leaf_index in leaf_indices:
            lowered = self._leaves[leaf_index].lowered
            assert isinstance(lowered, Fill)  # noqa: S101  # for the type checker: they are grouped by kind
            leaf_params, at = params.find_leaf(leaf_index, row)
            image = kernels.fill_rectangles(
                image, lowered.build_rectangles(leaf_params.columns, at), lowered.value, is_owned=is_owned
            )
            is_owned = True
        return image

    def _make_size_error(self, shape: Sequence[int], params: Params, row: int, leaf_index: int) -> TransformError:
        leaf_params, at = params.find_leaf(leaf_index, row)
        return TransformError(
            f"{type(self._leaves[leaf_index].transform).__name__}: parameters were drawn for an image of "
            f"{leaf_params.sizes[at]}, got {tuple(shape[:2])}: draw them with the image's own shape"
        )

    def run_originals(self, image: Image, params: Params, row: int, leaf_indices: Sequence[int]) -> Image:
        """Run the original transforms of some leaves, one by one, with the same parameters.

        Where these are for an image of another size, the original draws its own.
        """
        for leaf_index in leaf_indices:
            image = self._run_original(image, params, row, leaf_index)
        return image

    def _run_original(self, image: Image, params: Params, row: int, leaf_index: int) -> Image:
        leaf = self._leaves[leaf_index]
        if not self.has_params(image.shape, params, row, leaf_index):
            return self.bind_key(params, row, leaf_index)({"image": image})["image"]  # type: ignore[no-any-return]
        try:
            arguments = self.get_original_params(image, params, row, leaf_index)
            own = np.require(image, requirements=("C", "W"))  # some of the originals write to it
            result: Image = leaf.transform.apply(own, **arguments)
        except Exception as error:  # a transform may raise anything at all
            raise TransformError(f"{type(error).__name__} in {type(leaf.transform).__name__}: {error}") from error
        return result if result.ndim == 3 else result[..., np.newaxis]

    def has_params(self, shape: Sequence[int], params: Params, row: int, leaf_index: int) -> bool:
        """Return whether a plan drew parameters with which a leaf can be applied to an image of this shape."""
        return (
            self._leaves[leaf_index].lowered is not None
            and self.fits(shape, params, row, leaf_index)
            and params.steps(row, [leaf_index]) is not None
        )

    def get_original_params(self, image: Image, params: Params, row: int, leaf_index: int) -> dict[str, Any]:
        """Return a leaf's parameters as its original transform takes them.

        Args:
            image: the image before the leaf; most leaves read only its shape.
            params: the parameters of its batch.
            row: the row of the sample in the batch.
            leaf_index: the index of the leaf, which is lowered.
        """
        leaf = self._leaves[leaf_index]
        assert leaf.lowered is not None  # noqa: S101  # for the type checker
        leaf_params, at = params.find_leaf(leaf_index, row)
        base: dict[str, Any] = leaf.transform.update_transform_params({}, {"image": image})
        return base | leaf.lowered.to_original_params(leaf_params.columns, at, image)

    def bind_key(self, params: Params, row: int, leaf_index: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Bind a leaf's original transform to its key for one sample; see `Plan.bind_key`."""
        key, leaf = keys.fold_in(params.keys[row], "original", leaf_index), self._leaves[leaf_index]
        force_apply = leaf.forced or not leaf.decides
        return partial(self._keyed_transforms[leaf_index].apply_to, key=key, force_apply=force_apply)

    def get_last_params(self, leaf_index: int) -> dict[str, Any]:
        """Return the parameters that a leaf without a kernel drew when it last ran in this thread."""
        return self._keyed_transforms[leaf_index].get_last_params()

    @cached_property
    def _keyed_transforms(self) -> list[KeyedTransform]:
        return [KeyedTransform(leaf.transform) for leaf in self._leaves]


def _find_kind(leaf: Leaf) -> type | None:
    return next((kind for kind in (Geometry, Pointwise, Fill) if isinstance(leaf.lowered, kind)), None)


def _is_float_result(operation: Operation) -> bool:
    return isinstance(operation, np.ndarray) and operation.dtype != np.uint8
