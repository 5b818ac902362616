"""Checks of the arguments of a plan's methods: what, got what, what to do."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augment import keys
from augment.errors import AugmentError, TransformError
from augment.plan.deferred import DeferredImage
from augment.plan.window import Window

MAX_SIDE = 2**31 - 1
"""The longest side of an image, in pixels: the area then fits into 64 bits."""


def check_seed(seed: Any) -> int:
    """Return a seed as an integer.

    Raises:
        AugmentError: it is not a non-negative integer.
    """
    number = _to_integer(seed)
    if number is None or number < 0:
        raise AugmentError(f"seed must be a non-negative integer, got {seed!r}")
    return number


def check_epoch(epoch: Any) -> int:
    """Return the number of an epoch as an integer.

    Raises:
        AugmentError: it is not an integer from 0 to 2^63 - 1.
    """
    number = _to_integer(epoch)
    if number is None or not 0 <= number < 2**63:
        raise AugmentError(f"epoch must be an integer from 0 to 2^63 - 1, got {epoch!r}")
    return number


def check_indices(indices: ArrayLike) -> NDArray[np.int64]:
    """Return the indices of samples as int64 [N].

    Raises:
        AugmentError: they are not a list of integers from 0 to 2^63 - 1.
    """
    try:
        array = np.asarray(indices)
    except (ValueError, OverflowError):  # lists of different lengths
        array = np.empty(0, object)
    if array.size == 0 and array.ndim == 1 and array.dtype != object:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise AugmentError(f"indices must be integers [N], got {_describe(array, indices)}")
    outside = [index for index in (int(array.min()), int(array.max())) if not 0 <= index < 2**63]
    if outside:
        raise AugmentError(f"indices must be from 0 to 2^63 - 1, got {outside[0]}")
    return array.astype(np.int64)


def check_keys(sample_keys: Any) -> keys.Key:
    """Return the keys of samples, uint64 [N].

    Raises:
        AugmentError: they are something else.
    """
    if not isinstance(sample_keys, np.ndarray) or sample_keys.dtype != np.uint64 or sample_keys.ndim != 1:
        found = _describe(np.asarray(sample_keys), sample_keys)
        raise AugmentError(f"sample_keys must be uint64 [N], got {found}: make them with augment.keys.fold_in")
    return sample_keys


def check_shapes(shapes: Sequence[Sequence[int]], count: int) -> list[tuple[int, int]]:
    """Return the sizes of the images of a batch, (height, width).

    Args:
        shapes: (height, width) or (height, width, channels) per sample.
        count: the number of samples.

    Raises:
        AugmentError: there are more or fewer shapes than samples, or one is not the shape of an image.
    """
    if not hasattr(shapes, "__len__") or len(shapes) != count:
        found = len(shapes) if hasattr(shapes, "__len__") else repr(shapes)
        raise AugmentError(f"shapes must have one shape per sample: got {found} shapes for {count} samples")
    return [check_shape(shape) for shape in shapes]


def check_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Return the size of an image, (height, width).

    Raises:
        AugmentError: it is not (height, width) or (height, width, channels) in positive integers.
    """
    try:
        height, width, *channels = map(operator.index, shape)
        is_shape = (
            len(channels) < 2 and 0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and min(channels, default=1) > 0
        )
    except (TypeError, ValueError):
        is_shape = False
    if not is_shape:
        raise AugmentError(
            f"a shape must be (height, width) or (height, width, channels) with sides from 1 to {MAX_SIDE}, "
            f"got {shape!r}"
        )
    return height, width


def check_row(row: Any, count: int) -> None:
    """Check the row of a sample in a batch of `count` samples.

    Raises:
        AugmentError: there is no such row.
    """
    number = _to_integer(row)
    if number is None or not 0 <= number < count:
        raise AugmentError(f"row={row!r} is out of range for parameters of {count} samples")


def check_leaf_index(leaf_index: Any, count: int) -> None:
    """Check the index of a leaf of a plan with `count` leaves.

    Raises:
        AugmentError: there is no such leaf.
    """
    number = _to_integer(leaf_index)
    if number is None or not 0 <= number < count:
        raise AugmentError(f"leaf_index={leaf_index!r} is out of range for a plan of {count} transforms")


def check_uniforms(uniforms: Any, draws: int) -> NDArray[np.float64]:
    """Return the numbers of one leaf for one sample, float64 [1, draws].

    Raises:
        AugmentError: they are something else, or not in [0, 1).
    """
    array = np.asarray(uniforms)
    if array.shape != (1, draws) or array.dtype.kind not in "fiu":
        raise AugmentError(f"uniforms must be float64 [1, {draws}], got {_describe(array, uniforms)}")
    if not ((array >= 0) & (array < 1)).all():
        raise AugmentError(f"uniforms must be at least 0 and below 1, got {array.tolist()}")
    return array.astype(np.float64)


def check_image(image: Any, window: Window | None = None) -> None:
    """Check an image to augment, uint8 or float32 [H, W, C].

    Args:
        image: the image.
        window: the window of the image that `image` is, decoded at 1/`window.ratio`, if any.

    Raises:
        TransformError: it is something else, or not of the window's size.
    """
    if not isinstance(image, (np.ndarray, DeferredImage)):
        raise TransformError(f"an image must be an array [H, W, C], got {type(image).__name__}")
    if image.ndim != 3 or 0 in image.shape:
        raise TransformError(f"an image must be [H, W, C], got shape {image.shape}")
    if image.dtype != np.uint8 and image.dtype != np.float32:
        raise TransformError(f"an image must be uint8 or float32, got {image.dtype}")
    if window is not None and image.shape[:2] != (size := window.scale(window.ratio)[2:]):
        raise TransformError(f"an image of {image.shape[:2]} is not the window at 1/{window.ratio}, which is {size}")


def _to_integer(number: Any) -> int | None:
    if isinstance(number, (bool, np.bool_)):
        return None
    try:
        return operator.index(number)
    except TypeError:
        return None


def _describe(array: NDArray[Any], given: Any) -> str:
    return f"{array.dtype} {list(array.shape)}" if array.dtype != object else repr(given)
