"""Images and labels that are already in memory."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import OptionError, SourceError
from pipeline.sources.base import Labels, Sample, digest


class ArraySource:
    """Arrays of images and labels; they are never written to or copied as a whole.

    Args:
        images: [N, H, W, C] or [N, H, W], uint8 in 0 to 255 or floating point; or a sequence of [H, W, C].
        labels: integers [N], one-hot rows [N, classes], or None.
        class_names: by default the labels' numbers, as text.

    Raises:
        SourceError: there is no image, or the shapes, dtypes or lengths do not fit.
        OptionError: a label has no name.
    """

    def __init__(
        self,
        images: NDArray[Any] | Sequence[NDArray[Any]],
        labels: ArrayLike | None,
        class_names: Sequence[str] | None,
    ) -> None:
        self.ignored_files: Counter[str] = Counter()
        self._images = images
        if len(images) == 0:
            raise SourceError("the arrays hold no image")
        for image in images if isinstance(images, Sequence) else images[:1]:
            _check_image(image)
        self._labels = _parse_labels(labels, len(images))
        count = int(self._labels.max()) + 1
        self.class_names = tuple(class_names) if class_names is not None else tuple(map(str, range(count)))
        if count > len(self.class_names):
            raise OptionError(f"label {count - 1} has no name: class_names has {len(self.class_names)}")

    def __len__(self) -> int:
        return len(self._images)

    @cached_property
    def fingerprint(self) -> str:
        """Made of every pixel and label."""
        images = map(np.asarray, self._images)
        pixels = ((image.shape, image.dtype.str, hashlib.sha256(image.tobytes()).hexdigest()) for image in images)
        return digest(("arrays", self.class_names, self._labels.tolist(), *pixels))

    def labels(self) -> Labels:
        """Give the class of every sample, int64 [N]."""
        return self._labels

    def sizes(self) -> Labels:
        """Give the bytes of every image's pixels, int64 [N]."""
        return np.array([np.asarray(image).nbytes for image in self._images], np.int64)

    def peek(self, index: int) -> Sample:
        """Give the sample's key (its number) and label."""
        return Sample(str(index), int(self._labels[index]))

    def read(self, index: int) -> Sample:
        """Give a read-only view of one image: uint8 or float32; a grey one becomes [H, W, 1]."""
        image = np.asarray(self._images[index]).view()
        if image.dtype not in (np.uint8, np.float32):
            image = image.astype(np.float32)  # OpenCV knows no other floating-point images
        image.flags.writeable = False
        return Sample(str(index), int(self._labels[index]), pixels=image if image.ndim == 3 else image[..., np.newaxis])


def _check_image(image: NDArray[Any]) -> None:
    image = np.asarray(image)
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise SourceError(
            f"images must be [N, H, W, C] with 1, 3 or 4 channels, or [N, H, W]; one has shape {image.shape}"
        )
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise SourceError(f"images must be uint8 (0 to 255) or floating point, got {image.dtype}")


def _parse_labels(labels: ArrayLike | None, count: int) -> Labels:
    if labels is None:
        return np.zeros(count, np.int64)
    array = np.asarray(labels)
    if not np.issubdtype(array.dtype, np.number) and array.dtype != np.bool_:
        raise SourceError(f"labels must be integers from 0 on, or one-hot rows; got {array.dtype}: number the classes")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = array.argmax(axis=1)
    if array.shape != (count,):
        raise SourceError(f"there are {count} images, but labels of shape {np.shape(labels)}")
    if not np.issubdtype(array.dtype, np.integer) or array.min() < 0:
        raise SourceError(
            f"labels must be integers from 0 on, or one-hot rows; got {array.dtype} from {array.min()} on"
        )
    return array.astype(np.int64)
