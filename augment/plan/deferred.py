"""Deferred images: their operations are recorded, and one call of the compiled kernels computes many images.

The first operation may be the decoding.
"""

from collections.abc import Sequence

import numpy as np

from augment.errors import TransformError
from augment.plan import compiled
from augment.plan.compiled import MAX_SIDE, AffineWarp, BilinearResize, KernelStep
from augment.plan.encoded import EncodedImage, UndecodableError
from augment.transform import Image


class DeferredImage:
    """A deferred image: a source and the steps still to run. It is immutable; `add_steps` returns another.

    Args:
        source: uint8 [H, W, 3] with contiguous rows, which is not written to; or an encoded image of three channels.
        steps: the steps to run; only the first may be a warp or resize.
        size: (height, width) of the result; by default the size of the source.

    Attributes:
        shape: the shape of the result, (height, width, 3).
        dtype: uint8.
    """

    __slots__ = ("_source", "_steps", "shape")
    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        source: Image | EncodedImage,
        steps: tuple[KernelStep, ...] = (),
        size: tuple[int, int] | None = None,
    ) -> None:
        self._source = source
        self._steps = steps
        self.shape = (*(size or source.shape[:2]), 3)

    @property
    def is_encoded(self) -> bool:
        """Whether its source is still to be decoded."""
        return isinstance(self._source, EncodedImage)

    @property
    def has_steps(self) -> bool:
        """Whether there are steps still to run, beside the decoding."""
        return bool(self._steps)

    def start(self, step: AffineWarp | BilinearResize, size: tuple[int, int]) -> "DeferredImage":
        """Return the deferred image, which must have no steps, with a warp or resize to (height, width)."""
        return DeferredImage(self._source, (step,), size)

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
    has_rows = image.strides[1:] == (3, 1) and 0 <= image.strides[0] * image.shape[0] <= _MAX_BYTES
    if image.shape[2] != 3 or image.dtype != np.uint8 or not has_rows or not takes_size(image.shape[:2]):
        return None
    return None if compiled.load_kernels() is None else DeferredImage(image)


def defer_decoding(image: EncodedImage) -> DeferredImage | None:
    """Return an encoded image as a deferred image; None if the kernels are missing or do not take such images."""
    is_taken = image.shape[2] == 3 and takes_size(image.shape[:2])
    return DeferredImage(image) if is_taken and compiled.load_kernels() is not None else None


def takes_size(size: tuple[int, int]) -> bool:
    """Whether the kernels read and write images of (height, width); OpenCV does larger ones."""
    return all(0 < side < MAX_SIDE for side in size) and 3 * size[0] * size[1] <= _MAX_BYTES


_MAX_BYTES = 2**30
"""Bytes of an image, so that the kernels count them in 32 bits."""


def defer_resize(image: Image | DeferredImage, size: tuple[int, int]) -> DeferredImage | None:
    """Defer `cv2.resize` with INTER_LINEAR to (height, width); None if the kernels do not do that."""
    source = defer(image)
    if source is None or source.has_steps or not takes_size(size):
        return None
    return source.start(BilinearResize(), size)


def materialize(image: Image | DeferredImage) -> Image:
    """Compute an image if it is deferred.

    Raises:
        UndecodableError: its bytes are damaged.
    """
    if not isinstance(image, DeferredImage):
        return image
    result = np.empty(image.shape, image.dtype)
    for error in materialize_all([(image, result)]).values():
        raise error
    return result


def materialize_steps(image: Image | DeferredImage) -> Image | DeferredImage:
    """Compute an image if it is deferred and has steps, so that a warp or resize can come next."""
    return materialize(image) if isinstance(image, DeferredImage) and image.has_steps else image


def materialize_all(deferred: Sequence[tuple[DeferredImage, Image]]) -> dict[int, UndecodableError]:
    """Compute deferred images, each into the contiguous array beside it.

    Returns:
        The errors of images that could not be decoded, by their number; the arrays of these are undefined.

    Raises:
        TransformError: the kernels reject an image (they accept all that `defer` returns).
    """
    run = compiled.load_kernels()
    assert run is not None  # noqa: S101  # without them no image is deferred
    try:
        reports = run([(one._source, image, one._steps) for one, image in deferred])
    except (BufferError, TypeError, ValueError) as error:
        raise TransformError(f"the compiled kernels rejected an image: {error}") from error
    errors = {}
    for number, report in enumerate(reports or ()):
        source = deferred[number][0]._source
        damage = source.find_error(report) if isinstance(source, EncodedImage) else None
        if damage is not None:
            errors[number] = damage
    return errors
