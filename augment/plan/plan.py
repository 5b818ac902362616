"""The plan: an Albumentations pipeline compiled to a few kernels.

`compile` reads the user's unmodified objects. `Plan.sample` draws the parameters of a whole batch at once
(`params.py`). `Plan.apply` runs one sample's kernels (`execute.py`). `Plan.reference` runs the original transforms one
by one with the same parameters: the kernels are tested against it.
"""

import copy
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from augment.description import describe
from augment.errors import AugmentError, TransformError
from augment.plan import checks, geometry, program, witness
from augment.plan.deferred import DeferredImage, materialize
from augment.plan.execute import Executor
from augment.plan.explain import explain
from augment.plan.lowering import Fill, Geometry
from augment.plan.params import Params, ParamsSampler
from augment.plan.purity import check_pure
from augment.plan.required_data import iter_missing
from augment.plan.targets import TargetsAugmenter
from augment.plan.window import Window, find_window
from augment.transform import Image, to_transform


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

    def __reduce__(self) -> tuple[Callable[..., "Plan"], tuple[Any, witness.Witness]]:
        return _rebuild, (self.transform, self._witness)  # the caches are not pickled

    def __deepcopy__(self, memo: dict[int, Any]) -> "Plan":
        return Plan(copy.deepcopy(self.transform, memo))

    def sample(self, seed: int, epoch: int, indices: ArrayLike, shapes: Sequence[Sequence[int]]) -> Params:
        """Draw the parameters of a batch.

        Args:
            seed: the seed of the dataset.
            epoch: the number of the epoch, from 0.
            indices: the indices of the samples, int64 [N].
            shapes: the shapes of the N images, (height, width) or (height, width, channels).

        Raises:
            AugmentError: an argument is out of range, or there are more or fewer shapes than indices.
        """
        return self.draw(_make_keys(seed, epoch, indices), shapes)

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Params:
        """Draw the parameters of a batch from the samples' keys, uint64 [N]; see `sample`."""
        sample_keys = checks.check_keys(sample_keys)
        return self._sampler.sample(sample_keys, checks.check_shapes(shapes, len(sample_keys)))

    def sample_single_leaf(self, seed: int, epoch: int, index: int, shape: Sequence[int], leaf_index: int) -> Params:
        """Draw the parameters of one sample to which one leaf alone is applied, always; arguments as in `sample`."""
        checks.check_leaf_index(leaf_index, len(self.leaves))
        size = checks.check_shape(shape)
        return self._sampler.sample_single_leaf(_make_keys(seed, epoch, [index]), leaf_index, size)

    def build_params(self, leaf_index: int, uniforms: NDArray[np.float64], shape: Sequence[int]) -> Params:
        """Compute the parameters of one sample to which one leaf alone is applied, from its numbers [1, draws]."""
        checks.check_leaf_index(leaf_index, len(self.leaves))
        uniforms, size = checks.check_uniforms(uniforms, self.leaves[leaf_index].draws), checks.check_shape(shape)
        return self._sampler.compute_single_leaf(uniforms, keys.fold_in(keys.root(0), "given", [0]), leaf_index, size)

    def check_inputs(self, available: Collection[str] = ("image",)) -> None:
        """Check that all transforms can run with the data that a caller passes with each image.

        Args:
            available: the names of the targets and other data, "image" included.

        Raises:
            TransformError: a transform needs more; names it.
        """
        for name, missing in iter_missing(self.transform, available):
            only = " and ".join(map(repr, available))
            raise TransformError(f"{name} needs {missing}, but gets only {only} here: remove it, or use Plan.apply_to")

    def window(self, params: Params, row: int) -> Window | None:
        """Find the part of an image that a sample needs: the crops at the beginning of its pipeline drop the rest.

        Args:
            params: the parameters of its batch.
            row: the row of the sample in the batch.

        Returns:
            The window, or None if the whole image is needed at full size.
        """
        self._check_row(params, row)
        leaf_indices = list(
            takewhile(lambda leaf_index: self._executor.get_kind(leaf_index) is Geometry, params.list_leaves(row))
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
        self, image: Image | DeferredImage, params: Params, row: int, window: Window | None = None
    ) -> Image | DeferredImage:
        """Augment one image as `apply` does, but defer what the compiled kernels can do for many images in one call.

        See `augment.plan.deferred.materialize_all`. Until then the image must not be written to. It may be deferred
        itself: its decoding then joins the call.

        Raises:
            TransformError: a transform failed on this image.
            UndecodableError: the bytes of the image are damaged, which shows here if a transform has no kernel.
        """
        self._check_row(params, row)
        checks.check_image(image, window)
        if window is None:
            self._check_size(image, params, row)
        return self._executor.run(image, params, row, params.list_leaves(row), window)

    def run(
        self, image: Image, params: Params, row: int, leaf_indices: Sequence[int], window: Window | None = None
    ) -> Image:
        """Run some leaves of one sample, in order. `apply` runs those that the sample drew."""
        self._check_row(params, row)
        self._check_leaves(leaf_indices)
        checks.check_image(image, window)
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
        self._check_row(params, row)
        if "image" not in data:
            raise TransformError(f"data must contain 'image', got {sorted(data)}")
        return self._targets.apply(data, params, row)

    def reference(self, image: Image, params: Params, row: int) -> Image:
        """Augment one image by the original transforms, one by one, with the same parameters; see `apply`."""
        self._check_row(params, row)
        checks.check_image(image)
        self._check_size(image, params, row)
        own = image.copy()  # some of Albumentations' transforms write to it
        return self._executor.run_originals(own, params, row, params.list_leaves(row))

    def explain(self) -> str:
        """Describe which transforms share a kernel, what is pushed down into the decoder, and what runs unmodified."""
        return explain(self._root)

    def to_dict(self) -> dict[str, Any]:
        """Describe the pipeline as Albumentations serializes it, with a digest of what that leaves out."""
        return describe(self.transform)

    def get_kind(self, leaf_index: int) -> type | None:
        """Return what a leaf was lowered to: `Geometry`, `Pointwise`, `Fill`, or None if it runs unmodified."""
        self._check_leaves([leaf_index])
        return self._executor.get_kind(leaf_index)

    def collect_steps(
        self, params: Params, row: int, leaf_indices: Sequence[int], *, mask: bool = False
    ) -> list[geometry.GeometryStep] | None:
        """Collect the steps of neighboring geometric leaves for one sample; None if one of them rejects it."""
        self._check_row(params, row)
        self._check_leaves(leaf_indices)
        return params.steps(row, leaf_indices, mask=mask)

    def bind_key(self, params: Params, row: int, leaf_index: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """Bind a leaf's original transform to its key for one sample; returns a function of Albumentations' targets."""
        self._check_row(params, row)
        self._check_leaves([leaf_index])
        return self._executor.bind_key(params, row, leaf_index)

    def get_last_params(self, leaf_index: int) -> dict[str, Any]:
        """Return the parameters that a leaf without a kernel drew when it last ran in this thread."""
        self._check_leaves([leaf_index])
        return self._executor.get_last_params(leaf_index)

    def _check_row(self, params: Params, row: int) -> None:
        if params.decisions.active.shape[1] != len(self.leaves):
            raise AugmentError(
                f"params were drawn by a plan of {params.decisions.active.shape[1]} transforms, and this plan has "
                f"{len(self.leaves)}: draw them with this plan"
            )
        checks.check_row(row, len(params))

    def _check_size(self, image: Image | DeferredImage, params: Params, row: int) -> None:
        if image.shape[:2] != params.sizes[row] and any(
            self._executor.get_kind(leaf_index) in (Geometry, Fill) for leaf_index in params.list_leaves(row)
        ):
            raise TransformError(
                f"parameters were drawn for an image of {params.sizes[row]}, got {image.shape[:2]}: "
                "draw them with the image's own shape"
            )

    def _check_leaves(self, leaf_indices: Sequence[int]) -> None:
        for leaf_index in leaf_indices:
            checks.check_leaf_index(leaf_index, len(self.leaves))

    @cached_property
    def _witness(self) -> witness.Witness:
        return witness.observe(self)

    @cached_property
    def _targets(self) -> TargetsAugmenter:
        return TargetsAugmenter(self._root, self.leaves, self._executor)


def _make_keys(seed: int, epoch: int, indices: ArrayLike) -> keys.Key:
    seed, epoch, indices = checks.check_seed(seed), checks.check_epoch(epoch), checks.check_indices(indices)
    return keys.fold_in(keys.root(seed), "augment", epoch, indices)


def _rebuild(transform: Any, expected: witness.Witness) -> Plan:
    """Build a plan in another process.

    Raises:
        TransformError: it does not do what the original does.
    """
    plan = Plan(transform)
    if difference := expected.describe_difference(plan._witness):
        raise TransformError(
            f"a copy of the augmentation {difference}: it depends on more than its attributes, such as a global "
            "variable, a global random generator or a class that was changed after its import; keep that in attributes"
        )
    return plan


def compile(transform: Any) -> Plan:  # noqa: A001  # `augment.compile` says what it does
    """Compile an Albumentations pipeline; see `Plan`."""
    return Plan(transform)


def compile_for_images(transform: Any) -> Plan:
    """Compile an Albumentations pipeline that gets images and nothing else, as from a loader.

    Raises:
        TransformError: a transform needs more than an image, or depends on more than its image and key.
    """
    plan = Plan(transform)
    plan.check_inputs()
    for leaf in plan.leaves:
        if leaf.lowered is None:
            check_pure(leaf.transform)
    return plan
