"""Images that are still to be made, so that all of a batch are made in one call of the compiled kernels."""

from collections.abc import Sequence

import numpy as np

from augment.errors import TransformError
from augment.plan import compiled
from augment.plan.compiled import MAX_SIDE, BilinearResize, KernelStep
from augment.transform import Image


class DeferredImage:
    """An image that is still to be made: pixels, and the steps from there. It is never changed; `add_steps` makes another.

    Args:
        source: uint8 [H, W, 3] with contiguous rows; it is not written to.
        steps: of which only the first may be a warp or resize.
        size: (height, width) of what that makes; by default that of the source.

    Attributes:
        shape: of the image, (height, width, 3).
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
        """Give the draft on which some steps, none of them a warp or resize, follow."""
        return DeferredImage(self._source, (*self._steps, *steps), self.shape[:2])

    def flip(self, *, mirrored: bool, upside_down: bool) -> "DeferredImage | None":
        """Give the draft that is flipped then; None where that is no part of its last step."""
        if len(self._steps) != 1 or not isinstance(step := self._steps[0], BilinearResize):
            return None
        flips = BilinearResize(step.is_mirrored != mirrored, step.is_upside_down != upside_down)
        return DeferredImage(self._source, (flips,), self.shape[:2])


def defer(image: Image | DeferredImage) -> DeferredImage | None:
    """Begin a draft of an image; None where the kernels are not there, or not for such images."""
    if isinstance(image, DeferredImage):
        return image
    height, width, channels = image.shape
    has_rows = image.strides[1:] == (3, 1) and 0 <= image.strides[0] * height <= _MOST_BYTES
    if channels != 3 or image.dtype != np.uint8 or not has_rows:
        return None
    if not 0 < height < MAX_SIDE or not 0 < width < MAX_SIDE:
        return None
    return None if compiled.load_kernels() is None else DeferredImage(image)


_MOST_BYTES = 2**30


def defer_resize(image: Image | DeferredImage, size: tuple[int, int]) -> DeferredImage | None:
    """Begin a draft of `cv2.resize` with INTER_LINEAR to (height, width); None where the kernels do not do that.

    They leave shrinking by much to OpenCV, and all of it on a processor that cannot pick bytes.
    """
    kernels = compiled.load_kernels()
    if kernels is None or not kernels.picks_bytes or isinstance(image, DeferredImage) or defer(image) is None:
        return None
    (height, width), (rows, columns) = image.shape[:2], size
    is_half = height == 2 * rows and width == 2 * columns  # which OpenCV averages
    shrinks_much = height > _MOST_SHRUNK * rows or width > _MOST_SHRUNK * columns
    if is_half or shrinks_much or width < 2 or not 0 < rows < MAX_SIDE or not 0 < columns < MAX_SIDE:
        return None
    return DeferredImage(image, (BilinearResize(),), size)


_MOST_SHRUNK = 2.5
"""To less than this part of a side, the bytes of sixteen pixels do not stand among 128 any more."""


def materialize(image: Image | DeferredImage) -> Image:
    """Make an image, where it is still to be made."""
    if not isinstance(image, DeferredImage):
        return image
    made = np.empty(image.shape, image.dtype)
    materialize_all([(image, made)])
    return made


def materialize_all(deferred: Sequence[tuple[DeferredImage, Image]]) -> None:
    """Make some images, each in the contiguous memory that is given for it.

    Raises:
        TransformError: the kernels refuse one, which no draft that `defer` began is.
    """
    run = compiled.load_kernels()
    assert run is not None  # noqa: S101  # there are no drafts without them
    try:
        run([(one._source, image, one._steps) for one, image in deferred])
    except (BufferError, TypeError, ValueError) as error:
        raise TransformError(f"the compiled kernels refuse an image: {error}") from error
