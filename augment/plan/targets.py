"""Masks, bounding boxes and keypoints: the image's geometry, applied to its other targets.

Masks go through the kernels, with their own interpolation and fill. Boxes and keypoints are few numbers: they go
through the originals' methods, with the parameters that the plan drew. So do additional images where the parameters
depend on the image's pixels or size: a transform draws them once, for the image.
"""

import copy
import threading
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from augment.errors import TransformError
from augment.plan import geometry, kernels
from augment.plan.deferred import materialize
from augment.plan.execute import Executor
from augment.plan.lowering import Fill, Pointwise
from augment.plan.params import Params
from augment.plan.program import Leaf, Node, list_scopes
from augment.transform import Image

_SUPPORTED = ("image", "mask", "masks", "bboxes", "keypoints")
_UNSUPPORTED = ("images", "volume", "volumes", "mask3d", "masks3d")
"""Albumentations' targets of more dimensions, which plans do not support."""

Data = dict[str, Any]


class TargetsAugmenter:
    """Applies a plan to an image and its other targets.

    Args:
        root: the program.
        leaves: its leaves.
        executor: runs the leaves on images.
    """

    def __init__(self, root: Node, leaves: Sequence[Leaf], executor: Executor) -> None:
        import albumentations as A  # noqa: N812  # its users know it by this name

        self._leaves = leaves
        self._executor = executor
        self._scopes = list_scopes(root)
        only = root.children[0] if len(root.children) == 1 and root.transform is None else None
        self._is_opaque = isinstance(only, Leaf) and isinstance(only.transform, A.BaseCompose)
        self._image_names = {"image"}.union(*map(_list_image_names, leaves))
        self._copies = threading.local()

    def apply(self, data: Data, params: Params, row: int) -> Data:
        """Augment an image with its masks, boxes and keypoints; see `Plan.apply_to`."""
        if unsupported := sorted(data.keys() & set(_UNSUPPORTED)):
            raise TransformError(
                f"unsupported targets {unsupported}: a plan takes {', '.join(_SUPPORTED)} "
                "and additional targets of these kinds"
            )
        data = dict(data)
        flat = [name for name in self._image_names & data.keys() if np.ndim(data[name]) == 2]
        for name in flat:
            data[name] = data[name][..., np.newaxis]
        try:
            augmented = self._run(data, params, row)
        except TransformError:
            raise
        except Exception as error:  # OpenCV's own errors among them
            raise TransformError(f"{type(error).__name__} in the augmentation: {error}") from error
        for name in flat:
            if augmented[name].ndim == 3 and augmented[name].shape[2] == 1:
                augmented[name] = augmented[name][..., 0]
        return augmented

    def _run(self, data: Data, params: Params, row: int) -> Data:
        chosen = set(params.list_leaves(row))
        if self._is_opaque:  # a composition that is not compiled handles all targets itself
            return self._run_original(data, params, row, 0) if chosen else data
        scopes, outer = self._get_thread_copies()
        if not scopes:
            outer.preprocess(data)
        for scope, group in groupby(params.order_leaves(row), lambda leaf_index: self._leaves[leaf_index].scope):
            leaf_indices = [leaf_index for leaf_index in group if leaf_index in chosen]
            if scope is None:
                data = self._run_leaves(outer, data, params, row, leaf_indices)
            elif params.decisions.entered[row, scope]:
                scopes[scope].preprocess(data)
                data = scopes[scope].postprocess(self._run_leaves(scopes[scope], data, params, row, leaf_indices))
        return data if scopes else outer.postprocess(data)

    def _get_thread_copies(self) -> tuple[list[Any], Any]:
        """Return this thread's copies of the outermost composes, and an empty one for what is outside of them."""
        # The processors of boxes and keypoints keep state while they run: each thread has its own.
        if not hasattr(self._copies, "composes"):
            import albumentations as A  # noqa: N812  # its users know it by this name

            self._copies.composes = copy.deepcopy(self._scopes), A.Compose([])
        return self._copies.composes  # type: ignore[no-any-return]

    def _run_leaves(self, compose: Any, data: Data, params: Params, row: int, leaf_indices: Sequence[int]) -> Data:
        """Run leaves on all targets; neighbors of one kind and with the same targets share kernels."""
        for (kind, _), group in groupby(leaf_indices, self._get_group):
            members = list(group)
            if kind is None:
                for leaf_index in members:
                    data = compose.check_data_post_transform(self._run_original(data, params, row, leaf_index))
            elif kind is Pointwise:
                data = compose.check_data_post_transform(self._run_pointwise(data, params, row, members))
            elif self._is_mergeable(data["image"], params, row, members):
                data = self._run_segment(compose, data, params, row, members)
            else:
                for leaf_index in members:  # the plan has no parameters for some of them: the originals draw their own
                    if self._executor.has_params(data["image"].shape, params, row, leaf_index):
                        data = self._run_segment(compose, data, params, row, [leaf_index])
                    else:
                        data = compose.check_data_post_transform(self._run_original(data, params, row, leaf_index))
        return data

    def _get_group(self, leaf_index: int) -> tuple[type | None, list[tuple[str, str]]]:
        targets: dict[str, str] = getattr(self._leaves[leaf_index].transform, "_additional_targets", {})
        return self._executor.get_kind(leaf_index), sorted(targets.items())

    def _is_mergeable(self, image: Image, params: Params, row: int, leaf_indices: Sequence[int]) -> bool:
        return (
            self._executor.fits(image.shape, params, row, leaf_indices[0])
            and params.steps(row, leaf_indices) is not None
        )

    def _list_targets(self, data: Data, leaf_index: int) -> dict[str, str]:
        """Return the kinds of the targets beside the image that a leaf changes, by name."""
        transform = self._leaves[leaf_index].transform
        names = [name for name, value in data.items() if value is not None and name in transform._key2func]
        return {name: transform._additional_targets.get(name, name) for name in names if name != "image"}

    def _run_original(self, data: Data, params: Params, row: int, leaf_index: int) -> Data:
        """Run a leaf's original transform on all targets, with the sample's key."""
        augmented: Data = self._executor.bind_key(params, row, leaf_index)(data)
        for name in self._image_names & augmented.keys():
            if np.ndim(augmented[name]) == 2:  # some originals drop the only channel
                augmented[name] = augmented[name][..., np.newaxis]
        return augmented

    def _run_pointwise(self, data: Data, params: Params, row: int, leaf_indices: Sequence[int]) -> Data:
        image, moved = data["image"], dict(data)
        names = [name for name, kind in self._list_targets(data, leaf_indices[0]).items() if kind == "image"]
        if not names:
            return data | {"image": materialize(self._executor.run(image, params, row, leaf_indices, None))}
        for leaf_index in leaf_indices:  # parameters may depend on the image's pixels, and are for all images
            before = moved["image"]
            moved["image"] = materialize(self._executor.run(before, params, row, [leaf_index], None))
            for name in names:
                moved[name] = self._apply_original(before, moved[name], "image", params, row, leaf_index)
        return moved

    def _run_segment(self, compose: Any, data: Data, params: Params, row: int, leaf_indices: Sequence[int]) -> Data:
        """Run neighboring geometric leaves, or fills, on all targets."""
        moved, shape = dict(data), data["image"].shape
        targets = self._list_targets(data, leaf_indices[0])
        fitting = {name: kind for name, kind in targets.items() if _get_size(data[name], kind) == shape[:2]}
        for leaf_index in leaf_indices:
            shape = self._move_others(compose, moved, targets.keys() - fitting.keys(), params, row, leaf_index, shape)
        for name, kind in ({"image": "image"} | fitting).items():
            if kind == "image":
                moved[name] = materialize(self._executor.run(data[name], params, row, leaf_indices, None))
            else:
                moved[name] = self._augment_masks(data[name], kind, params, row, leaf_indices)
        return moved

    def _move_others(
        self,
        compose: Any,
        data: Data,
        names: Collection[str],
        params: Params,
        row: int,
        leaf_index: int,
        shape: tuple[int, ...],
    ) -> tuple[int, ...]:
        """Move boxes, keypoints and what has another size than the image by one transform.

        Returns:
            The shape of the image after it.
        """
        blank = np.broadcast_to(np.uint8(0), shape)  # the originals read only its shape
        drawn, at = params.find_leaf(leaf_index, row)
        after = (*(drawn.batch_steps[-1].get_step(at).size if drawn.batch_steps else shape[:2]), *shape[2:])
        targets = self._list_targets(data, leaf_index)
        for name in names:
            data[name] = self._apply_original(blank, data[name], targets[name], params, row, leaf_index)
        image, data["image"] = data["image"], np.broadcast_to(np.uint8(0), after)
        data |= compose.check_data_post_transform(data)
        data["image"] = image
        return after

    def _apply_original(self, image: Image, value: Any, kind: str, params: Params, row: int, leaf_index: int) -> Any:
        """Apply a leaf's original transform to one target, with the parameters that are drawn for the image."""
        transform, lowered = self._leaves[leaf_index].transform, self._leaves[leaf_index].lowered
        if kind == "image" and getattr(lowered, "is_by_channel", False) and value.shape[2] != image.shape[2]:
            # The original would return uninitialized memory for further channels.
            raise TransformError(
                f"{type(transform).__name__} draws values for the {image.shape[2]} channels of 'image', but an "
                f"additional image has {value.shape[2]}: give it as many, or do not declare it as an additional target"
            )
        arguments = self._executor.get_original_params(image, params, row, leaf_index)
        if kind == "masks":
            masks = [transform.apply_to_mask(mask.copy(), **arguments) for mask in value]
            return type(value)(masks) if isinstance(value, (list, tuple)) else np.stack(masks) if masks else value
        own = value.copy() if isinstance(value, np.ndarray) else value  # some of the originals write to it
        result = getattr(transform, "apply" if kind == "image" else f"apply_to_{kind}")(own, **arguments)
        is_flat = kind == "image" and result.ndim == 2
        return result[..., np.newaxis] if is_flat else result

    def _augment_masks(self, given: Any, target: str, params: Params, row: int, leaf_indices: Sequence[int]) -> Any:
        is_fill = self._executor.get_kind(leaf_indices[0]) is Fill
        run = self._fill_mask if is_fill else self._warp_mask
        if target == "mask":
            return run(given, params, row, leaf_indices)
        masks = [run(mask, params, row, leaf_indices) for mask in given]
        return type(given)(masks) if isinstance(given, (list, tuple)) else np.stack(masks)

    def _warp_mask(self, mask: Image, params: Params, row: int, leaf_indices: Sequence[int]) -> Image:
        steps = params.steps(row, leaf_indices, mask=True)
        if steps is None:
            raise TransformError("a transform of this pipeline cannot be applied to an image of this size")
        pixels = mask if mask.ndim == 3 else mask[..., np.newaxis]
        if mask.dtype not in (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64):
            pixels = pixels.astype(np.uint8 if mask.dtype == np.bool_ else np.int32)  # types that OpenCV accepts
        parts = [pixels[..., at : at + 4] for at in range(0, pixels.shape[2], 4)]  # OpenCV accepts 4 channels
        moved = np.concatenate([materialize(geometry.run(part, steps)) for part in parts], axis=2)
        moved = moved.astype(mask.dtype, copy=False)
        return np.ascontiguousarray(moved if mask.ndim == 3 else moved[..., 0])

    def _fill_mask(self, mask: Image, params: Params, row: int, leaf_indices: Sequence[int]) -> Image:
        filled = mask.copy()
        for leaf_index in leaf_indices:
            lowered = self._leaves[leaf_index].lowered
            if isinstance(lowered, Fill) and lowered.mask_value is not None:
                drawn, at = params.find_leaf(leaf_index, row)
                kernels.fill_rectangles_in_place(
                    filled, lowered.build_rectangles(drawn.columns, at), lowered.mask_value
                )
        return filled


def _list_image_names(leaf: Leaf) -> list[str]:
    """List the additional images that a leaf changes."""
    targets: dict[str, str] = leaf.transform._additional_targets
    return [name for name, kind in targets.items() if kind == "image"]


def _get_size(value: Any, kind: str) -> tuple[int, ...] | None:
    """Return the (height, width) of an image, a mask or masks; None for boxes and keypoints, or masks that differ."""
    if kind in ("image", "mask"):
        return tuple(value.shape[:2])
    if kind != "masks":
        return None
    sizes = {mask.shape[:2] for mask in value}
    return sizes.pop() if len(sizes) == 1 else None
