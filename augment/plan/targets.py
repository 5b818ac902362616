"""Masks, bounding boxes and keypoints: the same geometry as the image's, for whatever else is given with it.

Masks go through the kernels, with their own interpolation and fill. Boxes and keypoints are a few numbers: they go
through the originals' own methods, with the parameters that the plan drew.
"""

import copy
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol

import numpy as np

from augment.errors import TransformError
from augment.plan import geometry, kernels
from augment.plan.draft import finished
from augment.plan.lowered import Fill, Geometry, Pointwise
from augment.plan.params import Params
from augment.plan.program import Leaf
from augment.transform import Image

_KNOWN = ("image", "mask", "masks", "bboxes", "keypoints")
_ARRAYS = ("images", "volume", "volumes", "mask3d", "masks3d")
"""Albumentations' targets of more dimensions, which plans do not take."""


class _Plan(Protocol):
    """The parts of a `Plan` that its targets need."""

    transform: Any
    leaves: list[Leaf]

    def kind(self, place: int) -> type | None: ...

    def run(self, image: Image, params: Params, row: int, places: Sequence[int]) -> Image: ...

    def steps(
        self, params: Params, row: int, places: Sequence[int], *, mask: bool = False
    ) -> list[geometry.Step] | None: ...

    def keyed(self, params: Params, row: int, place: int) -> Callable[[dict[str, Any]], dict[str, Any]]: ...


class Targets:
    """Applies a plan to an image and what belongs to it.

    Args:
        plan: the plan.
    """

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._copies = threading.local()

    def apply(self, data: dict[str, Any], params: Params, row: int) -> dict[str, Any]:
        """Augment an image with its masks, boxes and keypoints; see `Plan.apply_to`."""
        import albumentations as A  # noqa: N812  # its users know it by this name

        if refused := sorted(data.keys() & set(_ARRAYS)):
            raise TransformError(f"plans take {', '.join(_KNOWN)} and additional targets of these kinds, not {refused}")
        leaves = self._plan.leaves
        if leaves and isinstance(leaves[0].transform, A.BaseCompose) and leaves[0].transform is self._plan.transform:
            # A composition that is not compiled does all of it by itself.
            return self._plan.keyed(params, row, 0)(data) if params.leaves(row) else dict(data)
        if not params.decisions.entered[row]:
            return dict(data)
        compose, data = self._compose(), dict(data)
        try:
            compose.preprocess(data)
            for kind, group in groupby(params.leaves(row), self._plan.kind):
                data = self._segment(compose, data, params, row, kind, list(group))
            finished: dict[str, Any] = compose.postprocess(data)
        except TransformError:
            raise
        except Exception as error:  # OpenCV's own errors among them
            raise TransformError(f"{type(error).__name__} in the augmentation: {error}") from error
        return finished

    def _compose(self) -> Any:
        # The processors of boxes and keypoints remember what they encoded: each thread has its own.
        if not hasattr(self._copies, "compose"):
            import albumentations as A  # noqa: N812  # its users know it by this name

            whole = copy.deepcopy(self._plan.transform)
            self._copies.compose = whole if type(whole) is A.Compose else A.Compose([whole])
        return self._copies.compose

    def _segment(
        self,
        compose: Any,
        data: dict[str, Any],
        params: Params,
        row: int,
        kind: type | None,
        places: Sequence[int],
    ) -> dict[str, Any]:
        """Run neighbouring leaves of one kind on all targets."""
        if kind not in (Geometry, Pointwise, Fill):
            for place in places:
                data = self._plan.keyed(params, row, place)(data)
                data = compose.check_data_post_transform(data)
            return data
        moved, size = dict(data), data["image"].shape
        kinds = {name: compose._additional_targets.get(name, name) for name in data if data[name] is not None}
        if kind is not Pointwise:
            for place in places:
                size = self._points(compose, moved, kinds, params, row, place, size)
        for name, target in kinds.items():
            if target == "image":
                moved[name] = self._plan.run(data[name], params, row, places)
            elif target in ("mask", "masks") and kind is not Pointwise:
                moved[name] = self._masks(data[name], target, params, row, places, is_fill=kind is Fill)
        return compose.check_data_post_transform(moved) if kind is Pointwise else moved

    def _points(
        self,
        compose: Any,
        data: dict[str, Any],
        kinds: dict[str, str],
        params: Params,
        row: int,
        place: int,
        size: tuple[int, ...],
    ) -> tuple[int, ...]:
        """Move boxes and keypoints by one transform; gives the size of the image behind it."""
        leaf = self._plan.leaves[place]
        blank = np.broadcast_to(np.uint8(0), size)  # the originals ask for nothing but its shape
        drawn, at = params.of(place, row)
        arguments = leaf.transform.update_transform_params({}, {"image": blank})
        if leaf.lowered is not None:
            arguments |= leaf.lowered.original(drawn.columns, at, blank)
        after = drawn.moves[-1].of(at).size if drawn.moves else size[:2]
        for name, target in kinds.items():
            if target in ("bboxes", "keypoints"):
                data[name] = getattr(leaf.transform, f"apply_to_{target}")(data[name], **arguments)
        image, data["image"] = data["image"], np.broadcast_to(np.uint8(0), (*after, *size[2:]))
        data |= compose.check_data_post_transform(data)
        data["image"] = image
        return (*after, *size[2:])

    def _masks(self, given: Any, target: str, params: Params, row: int, places: Sequence[int], *, is_fill: bool) -> Any:
        run = self._covered if is_fill else self._warped
        if target == "mask":
            return run(given, params, row, places)
        masks = [run(mask, params, row, places) for mask in given]
        return type(given)(masks) if isinstance(given, (list, tuple)) else np.stack(masks)

    def _warped(self, mask: Image, params: Params, row: int, places: Sequence[int]) -> Image:
        steps = self._plan.steps(params, row, places, mask=True)
        if steps is None:
            raise TransformError("a transform refuses this image")
        pixels = mask if mask.ndim == 3 else mask[..., np.newaxis]
        if mask.dtype not in (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64):
            pixels = pixels.astype(np.uint8 if mask.dtype == np.bool_ else np.int32)  # what OpenCV can move
        parts = [pixels[..., at : at + 4] for at in range(0, pixels.shape[2], 4)]  # what OpenCV takes at once
        moved = np.concatenate([finished(geometry.run(part, steps)) for part in parts], axis=2)
        moved = moved.astype(mask.dtype, copy=False)
        return np.ascontiguousarray(moved if mask.ndim == 3 else moved[..., 0])

    def _covered(self, mask: Image, params: Params, row: int, places: Sequence[int]) -> Image:
        covered = mask.copy()
        for place in places:
            lowered = self._plan.leaves[place].lowered
            if isinstance(lowered, Fill) and lowered.mask_value is not None:
                drawn, at = params.of(place, row)
                kernels.cover(covered, lowered.rectangles(drawn.columns, at), lowered.mask_value)
        return covered
