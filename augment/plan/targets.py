"""Masks, bounding boxes and keypoints: the image's geometry, applied to its other targets.

Masks go through the kernels, with their own interpolation and fill. Boxes and keypoints are few numbers: they go
through the originals' methods, with the parameters that the plan drew.
"""

import copy
import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from augment.errors import TransformError
from augment.plan import geometry, kernels
from augment.plan.deferred import materialize
from augment.plan.execute import Executor
from augment.plan.lowering import Fill, Geometry, Pointwise
from augment.plan.params import Params
from augment.plan.program import Leaf
from augment.transform import Image

_SUPPORTED = ("image", "mask", "masks", "bboxes", "keypoints")
_UNSUPPORTED = ("images", "volume", "volumes", "mask3d", "masks3d")
"""Albumentations' targets of more dimensions, which plans do not support."""


class TargetsAugmenter:
    """Applies a plan to an image and its other targets.

    Args:
        transform: the plan's composition.
        leaves: its leaves.
        executor: runs the leaves on images.
    """

    def __init__(self, transform: Any, leaves: Sequence[Leaf], executor: Executor) -> None:
        self._transform = transform
        self._leaves = leaves
        self._executor = executor
        self._copies = threading.local()

    def apply(self, data: dict[str, Any], params: Params, row: int) -> dict[str, Any]:
        """Augment an image with its masks, boxes and keypoints; see `Plan.apply_to`."""
        import albumentations as A  # noqa: N812  # its users know it by this name

        if unsupported := sorted(data.keys() & set(_UNSUPPORTED)):
            raise TransformError(
                f"unsupported targets {unsupported}: a plan takes {', '.join(_SUPPORTED)} "
                "and additional targets of these kinds"
            )
        is_opaque = len(self._leaves) > 0 and self._leaves[0].transform is self._transform
        if is_opaque and isinstance(self._transform, A.BaseCompose):
            # A composition that is not compiled handles all targets itself.
            return self._executor.bind_key(params, row, 0)(data) if params.list_leaves(row) else dict(data)
        if not params.decisions.entered[row]:
            return dict(data)
        compose, data = self._get_thread_copy(), dict(data)
        try:
            compose.preprocess(data)
            for kind, group in groupby(params.list_leaves(row), self._executor.get_kind):
                data = self._run_segment(compose, data, params, row, kind, list(group))
            augmented: dict[str, Any] = compose.postprocess(data)
        except TransformError:
            raise
        except Exception as error:  # OpenCV's own errors among them
            raise TransformError(f"{type(error).__name__} in the augmentation: {error}") from error
        return augmented

    def _get_thread_copy(self) -> Any:
        # The processors of boxes and keypoints keep state while they run: each thread has its own.
        if not hasattr(self._copies, "compose"):
            import albumentations as A  # noqa: N812  # its users know it by this name

            whole = copy.deepcopy(self._transform)
            self._copies.compose = whole if type(whole) is A.Compose else A.Compose([whole])
        return self._copies.compose

    def _run_segment(
        self,
        compose: Any,
        data: dict[str, Any],
        params: Params,
        row: int,
        kind: type | None,
        leaf_indices: Sequence[int],
    ) -> dict[str, Any]:
        """Run neighboring leaves of one kind on all targets."""
        if kind not in (Geometry, Pointwise, Fill):
            for leaf_index in leaf_indices:
                data = self._executor.bind_key(params, row, leaf_index)(data)
                data = compose.check_data_post_transform(data)
            return data
        moved, size = dict(data), data["image"].shape
        kinds = {name: compose._additional_targets.get(name, name) for name in data if data[name] is not None}
        if kind is not Pointwise:
            for leaf_index in leaf_indices:
                size = self._move_points(compose, moved, kinds, params, row, leaf_index, size)
        for name, target in kinds.items():
            if target == "image":
                moved[name] = materialize(self._executor.run(data[name], params, row, leaf_indices, None))
            elif target in ("mask", "masks") and kind is not Pointwise:
                moved[name] = self._augment_masks(data[name], target, params, row, leaf_indices, is_fill=kind is Fill)
        return compose.check_data_post_transform(moved) if kind is Pointwise else moved

    def _move_points(
        self,
        compose: Any,
        data: dict[str, Any],
        kinds: dict[str, str],
        params: Params,
        row: int,
        leaf_index: int,
        size: tuple[int, ...],
    ) -> tuple[int, ...]:
        """Move boxes and keypoints by one transform; returns the shape of the image after it."""
        leaf = self._leaves[leaf_index]
        blank = np.broadcast_to(np.uint8(0), size)  # the originals read only its shape
        drawn, at = params.find_leaf(leaf_index, row)
        arguments = leaf.transform.update_transform_params({}, {"image": blank})
        if leaf.lowered is not None:
            arguments |= leaf.lowered.to_original_params(drawn.columns, at, blank)
        after = drawn.batch_steps[-1].get_step(at).size if drawn.batch_steps else size[:2]
        for name, target in kinds.items():
            if target in ("bboxes", "keypoints"):
                data[name] = getattr(leaf.transform, f"apply_to_{target}")(data[name], **arguments)
        image, data["image"] = data["image"], np.broadcast_to(np.uint8(0), (*after, *size[2:]))
        data |= compose.check_data_post_transform(data)
        data["image"] = image
        return (*after, *size[2:])

    def _augment_masks(
        self, given: Any, target: str, params: Params, row: int, leaf_indices: Sequence[int], *, is_fill: bool
    ) -> Any:
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
