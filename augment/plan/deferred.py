"""Deferred images: their operations are recorded, and one call of the compiled kernels computes a whole batch."""

from collections.abc import Sequence

import numpy as np

from augment.errors import TransformError
from augment.plan import compiled
from augment.plan.compiled import MAX_SIDE, BilinearResize, KernelStep
from augment.transform import Image


class DeferredImage:
    """A deferred image: source pixels and the steps still to run. It is immutable; `add_steps` returns another.

    Args:
        source: uint8 [H, W, 3] with contiguous rows; it is not written to.
        steps: the steps to run; only the first may be a warp or resize.
        size: (height, width) of the result; by default the size of the source.

    Attributes:
        shape: the shape of the result, (height, width, 3).
        dtype: uint8.
    """

    __slots__ = ("_source", "_steps", "shape")
    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, source: Image, steps: tuple[KernelStep, ...] = (), size: tuple[int, int] | None = None) -> None:
        self._source = source
        self._steps = steps
        self.shape = (*(size or source.shape[:2]), 3)

    def add_steps(self, steps: Sequence[KernelStep]) -> "DeferredImage":
        """Return the deferred image with more steps, none of them a warp or resize."""
        return DeferredImage(self._source, (*self._steps, *steps), self.shape[:2])

    def flip(self, *, mirrored: bool, upside_down: bool) -> "DeferredImage | None":
        """Return the deferred image with a flip merged into its resize; None if its only step is not a resize."""
        if len(self._steps) != 1 or not isinstance(step := self._steps[0], BilinearResize):
            return None
        flips = BilinearResize(step.is_mirrored != mirrored, step.is_upside_down != upside_down)
        return DeferredImage(self._source, (flips,), self.shape[:2])


def defer(image: Image | DeferredImage) -> DeferredImage | None:
    """Return an image as a deferred image; None if the kernels are missing or do not take such images."""
    if isinstance(image, DeferredImage):
        return image
    height, width, channels = image.shape
    has_rows = image.strides[1:] == (3, 1) and 0 <= image.strides[0] * height <= _MAX_BYTES
    if channels != 3 or image.dtype != np.uint8 or not has_rows or not takes_size((height, width)):
        return None
    return None if compiled.load_kernels() is None else DeferredImage(image)


def takes_size(size: tuple[int, int]) -> bool:
    """Whether the kernels read and write images of (height, width); OpenCV does larger ones."""
    return all(0 < side < MAX_SIDE for side in size) and 3 * size[0] * size[1] <= _MAX_BYTES


_MAX_BYTES = 2**30
"""Bytes of an image, so that the kernels count them in 32 bits."""


def defer_resize(image: Image | DeferredImage, size: tuple[int, int]) -> DeferredImage | None:
    """Defer `cv2.resize` with INTER_LINEAR to (height, width); None if the kernels do not do that.

    OpenCV shrinks by more than `_MAX_SHRINK`, and does every resize on a processor without AVX-512 VBMI.
    """
    kernels = compiled.load_kernels()
    if kernels is None or not kernels.has_vbmi or isinstance(image, DeferredImage) or defer(image) is None:
        return None
    (height, width), (rows, columns) = image.shape[:2], size
    is_half = height == 2 * rows and width == 2 * columns  # OpenCV averages these
    shrinks_much = height > _MAX_SHRINK * rows or width > _MAX_SHRINK * columns
    if is_half or shrinks_much or width < 2 or not takes_size(size):
        return None
    return DeferredImage(image, (BilinearResize(),), size)


_MAX_SHRINK = 2.5
"""When a side shrinks by more, the sources of sixteen pixels do not fit in 128 bytes."""


def materialize(image: Image | DeferredImage) -> Image:
    """Compute an image if it is deferred."""
    if not isinstance(image, DeferredImage):
        return image
    result = np.empty(image.shape, image.dtype)
    materialize_all([(image, result)])
    return result


def materialize_all(deferred: Sequence[tuple[DeferredImage, Image]]) -> None:
    """Compute deferred images, each into the contiguous array beside it.

    Raises:
        TransformError: the kernels reject an image (they accept all that `defer` returns).
    """
    run = compiled.load_kernels()
    assert run is not None  # noqa: S101  # without them no image is deferred
    try:
        run([(one._source, image, one._steps) for one, image in deferred])
    except (BufferError, TypeError, ValueError) as error:
        raise TransformError(f"the compiled kernels rejected an image: {error}") from error
