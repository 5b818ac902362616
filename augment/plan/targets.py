"""Masks, bounding boxes and keypoints: the same geometry as the image's, for whatever else is given with it.

Masks go through the kernels, with their own interpolation and fill. Boxes and keypoints are a few numbers: they go
through the originals' own methods, with the parameters that the plan drew.
"""

import copy
import threading
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.errors import TransformError
from augment.plan import geometry, kernels
from augment.plan.lowered import Fill, Geometry, Pointwise
from augment.transform import Image

if TYPE_CHECKING:
    from augment.plan.plan import Params, Plan

_MASKS = ("mask", "masks")
_POINTS = ("bboxes", "keypoints")


class Targets:
    """Applies a plan to an image and what belongs to it.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: "Plan") -> None:
        self._plan = plan
        self._copies = threading.local()

    def apply(self, data: dict[str, Any], params: "Params", row: int) -> dict[str, Any]:
        """Augment an image with its masks, boxes and keypoints; see `Plan.apply_to`."""
        compose, data = self._compose(), dict(data)
        try:
            compose.preprocess(data)
            for kind, group in groupby(params.leaves(row), self._plan.kind):
                members = list(group)
                if kind is Pointwise:
                    data["image"] = self._plan.run(data["image"], params, row, members)
                elif kind in (Geometry, Fill):
                    data = self._moved(compose, data, params, row, members, is_fill=kind is Fill)
                else:
                    for place in members:
                        data = self._plan.keyed(params, row, place)(data)
                        data = compose.check_data_post_transform(data)
            finished: dict[str, Any] = compose.postprocess(data)
        except (ValueError, KeyError, TypeError) as error:
            raise TransformError(f"{type(error).__name__} in the augmentation: {error}") from error
        return finished

    def _compose(self) -> Any:
        # The processors of boxes and keypoints remember what they encoded: each thread has its own.
        if not hasattr(self._copies, "compose"):
            import albumentations as A  # noqa: N812  # its users know it by this name

            whole = copy.deepcopy(self._plan.transform)
            self._copies.compose = whole if isinstance(whole, A.Compose) else A.Compose([whole])
        return self._copies.compose

    def _moved(
        self, compose: Any, data: dict[str, Any], params: "Params", row: int, places: Sequence[int], *, is_fill: bool
    ) -> dict[str, Any]:
        moved, size = dict(data), data["image"].shape
        for place in places:
            size = self._points(compose, moved, params, row, place, size)
        moved["image"] = self._plan.run(data["image"], params, row, places)
        for name in _MASKS:
            if data.get(name) is not None:
                one_by_one = isinstance(data[name], (list, tuple)) or name == "masks"
                run = self._covered if is_fill else self._warped
                masks = [run(mask, params, row, places) for mask in (data[name] if one_by_one else [data[name]])]
                moved[name] = type(data[name])(masks) if isinstance(data[name], (list, tuple)) else np.stack(masks)
                moved[name] = moved[name] if one_by_one else masks[0]
        return moved

    def _points(
        self, compose: Any, data: dict[str, Any], params: "Params", row: int, place: int, size: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Move boxes and keypoints by one transform; gives the size of the image behind it."""
        leaf = self._plan.leaves[place]
        blank = np.broadcast_to(np.uint8(0), size)  # the originals ask for nothing but its shape
        drawn, at = params.of(place, row)
        arguments = leaf.transform.update_transform_params({}, {"image": blank})
        if leaf.lowered is not None:
            arguments |= leaf.lowered.original(drawn.columns, at, blank)
        after = drawn.moves[-1].of(at).size if drawn.moves else size[:2]
        for name in _POINTS:
            if data.get(name) is not None:
                data[name] = getattr(leaf.transform, f"apply_to_{name}")(data[name], **arguments)
        image, data["image"] = data["image"], np.broadcast_to(np.uint8(0), (*after, *size[2:]))
        data |= compose.check_data_post_transform(data)
        data["image"] = image
        return (*after, *size[2:])

    def _warped(self, mask: Image, params: "Params", row: int, places: Sequence[int]) -> Image:
        steps = self._plan.steps(params, row, places, mask=True)
        if steps is None:
            raise ValueError("a transform refuses this image")
        moved = geometry.run(mask if mask.ndim == 3 else mask[..., np.newaxis], steps)
        return np.ascontiguousarray(moved if mask.ndim == 3 else moved[..., 0])

    def _covered(self, mask: Image, params: "Params", row: int, places: Sequence[int]) -> Image:
        covered = mask.copy()
        for place in places:
            lowered = self._plan.leaves[place].lowered
            if isinstance(lowered, Fill) and lowered.mask_value is not None:
                drawn, at = params.of(place, row)
                kernels.cover(covered, lowered.rectangles(drawn.columns, at), lowered.mask_value)
        return covered
