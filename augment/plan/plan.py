"""The plan: an Albumentations pipeline compiled to a few kernels.

`compile` reads the user's unmodified objects. `Plan.sample` draws the parameters of a whole batch at once
(`params.py`). `Plan.apply` runs one sample's kernels (`execute.py`). `Plan.reference` runs the original transforms one
by one with the same parameters: the kernels are tested against it.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from augment.plan import geometry, program
from augment.plan.deferred import DeferredImage, materialize
from augment.plan.execute import Executor
from augment.plan.explain import explain
from augment.plan.lowering import Geometry
from augment.plan.params import Params, ParamsSampler
from augment.plan.targets import TargetsAugmenter
from augment.plan.window import Window, find_window
from augment.transform import Image, KeyedTransform, to_transform


class Plan:
    """A compiled pipeline. Any number of threads may use it.

    Args:
        transform: an Albumentations composition or transform, or a list of them.

    Attributes:
        transform: the composition, unmodified.
        leaves: its transforms in order, each with its lowering.

    Raises:
        TransformError: `transform` is something else.
    """

    def __init__(self, transform: Any) -> None:
        self.transform = to_transform(transform)
        self._root = program.build(self.transform)
        self.leaves = list(self._root.iter_leaves())
        self._sampler = ParamsSampler(self._root, self.leaves)
        self._executor = Executor(self.leaves)

    def __reduce__(self) -> tuple[type["Plan"], tuple[Any]]:
        return Plan, (self.transform,)  # the caches are not pickled

    def sample(self, seed: int, epoch: int, indices: ArrayLike, shapes: Sequence[Sequence[int]]) -> Params:
        """Draw the parameters of a batch.

        Args:
            seed: the seed of the dataset.
            epoch: the number of the epoch, from 0.
            indices: the indices of the samples, int64 [N].
            shapes: the shapes of the N images, (height, width) or (height, width, channels).
        """
        return self.draw(keys.fold_in(keys.root(seed), "augment", epoch, np.asarray(indices, np.int64)), shapes)

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Params:
        """Draw the parameters of a batch from the samples' keys, uint64 [N]; see `sample`."""
        return self._sampler.sample(sample_keys, shapes)

    def sample_single_leaf(self, seed: int, epoch: int, index: int, shape: Sequence[int], leaf_index: int) -> Params:
        """Draw the parameters of one sample to which one leaf alone is applied, always; arguments as in `sample`."""
        return self._sampler.sample_single_leaf(
            keys.fold_in(keys.root(seed), "augment", epoch, [index]), leaf_index, shape
        )

    def build_params(self, leaf_index: int, uniforms: NDArray[np.float64], shape: Sequence[int]) -> Params:
        """Compute the parameters of one sample to which one leaf alone is applied, from its numbers [1, draws]."""
        return self._sampler.compute_single_leaf(uniforms, keys.fold_in(keys.root(0), "given", [0]), leaf_index, shape)

    def window(self, params: Params, row: int) -> Window | None:
        """Find the part of an image that a sample needs: the crops at the beginning of its pipeline drop the rest.

        Args:
            params: the parameters of its batch.
            row: the row of the sample in the batch.

        Returns:
            The window, or None if the whole image is needed at full size.
        """
        leaf_indices = list(
            takewhile(lambda leaf_index: self.get_kind(leaf_index) is Geometry, params.list_leaves(row))
        )
        steps = params.steps(row, leaf_indices)
        return find_window(steps, params.sizes[row]) if steps else None

    def apply(self, image: Image, params: Params, row: int, window: Window | None = None) -> Image:
        """Augment one image.

        Args:
            image: [H, W, C], of the size that the parameters were drawn for; it is not written to.
            params: the parameters of its batch.
            row: the row of the sample in the batch.
            window: the window that `Plan.window` found, if `image` is only that part, decoded at 1/`window.ratio`.

        Returns:
            [H', W', C']; it may be a view of `image`.

        Raises:
            TransformError: a transform failed on this image.
        """
        return materialize(self.apply_deferred(image, params, row, window))

    def apply_deferred(
        self, image: Image, params: Params, row: int, window: Window | None = None
    ) -> Image | DeferredImage:
        """Augment one image as `apply` does, but defer what the compiled kernels can do for many images in one call.

        See `augment.plan.deferred.materialize_all`. Until then the image must not be written to.
        """
        return self._executor.run(image, params, row, params.list_leaves(row), window)

    def run(
        self, image: Image, params: Params, row: int, leaf_indices: Sequence[int], window: Window | None = None
    ) -> Image:
        """Run some leaves of one sample, in order. `apply` runs those that the sample drew."""
        return materialize(self._executor.run(image, params, row, leaf_indices, window))

    def apply_to(self, data: dict[str, Any], params: Params, row: int) -> dict[str, Any]:
        """Augment an image and its targets: masks, boxes, keypoints, additional images.

        Args:
            data: "image", and any of "mask", "masks", "bboxes", "keypoints" and the label fields, as an `A.Compose`
                takes them; boxes and keypoints need the `bbox_params` and `keypoint_params` of the compiled
                `A.Compose`.
            params: the parameters of its batch.
            row: the row of the sample in the batch.

        Returns:
            The same names, augmented.

        Raises:
            TransformError: a transform failed on this sample.
        """
        return self._targets.apply(data, params, row)

    def reference(self, image: Image, params: Params, row: int) -> Image:
        """Augment one image by the original transforms, one by one, with the same parameters; see `apply`."""
        own = image.copy()  # some of Albumentations' transforms write to it
        return self._executor.run_originals(own, params, row, params.list_leaves(row))

    def explain(self) -> str:
        """Describe which transforms share a kernel, what is pushed down into the decoder, and what runs unmodified."""
        return explain(self._root)

    def to_dict(self) -> dict[str, Any]:
        """Describe the pipeline as Albumentations serializes it, or by its repr if it cannot be serialized."""
        return KeyedTransform(self.transform).to_dict()

    def get_kind(self, leaf_index: int) -> type | None:
        """Return what a leaf was lowered to: `Geometry`, `Pointwise`, `Fill`, or None if it runs unmodified."""
        return self._executor.get_kind(leaf_index)

    def collect_steps(
        self, params: Params, row: int, leaf_indices: Sequence[int], *, mask: bool = False
    ) -> list[geometry.GeometryStep] | None:
        """Collect the steps of neighboring geometric leaves for one sample; None if one of them rejects it."""
        return params.steps(row, leaf_indices, mask=mask)

    def bind_key(self, params: Params, row: int, leaf_index: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Bind a leaf's original transform to its key for one sample; returns a function of Albumentations' targets."""
        return self._executor.bind_key(params, row, leaf_index)

    def get_last_params(self, leaf_index: int) -> dict[str, Any]:
        """Return the parameters that a leaf without a kernel drew when it last ran in this thread."""
        return self._executor.get_last_params(leaf_index)

    @cached_property
    def _targets(self) -> TargetsAugmenter:
        return TargetsAugmenter(self.transform, self.leaves, self._executor)


def compile(transform: Any) -> Plan:  # noqa: A001  # `augment.compile` says what it does
    """Compile an Albumentations pipeline; see `Plan`."""
    return Plan(transform)
