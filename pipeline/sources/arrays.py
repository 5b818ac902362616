"""Images and labels that are already in memory."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import OptionError, SourceError
from pipeline.sources.base import MAX_CLASSES, NO_LABEL, Labels, Sample, digest

MAX_FLOAT = 1 + 1 / 255
"""The largest pixel of a floating-point image: 1, and one level for resizes that overshoot."""

_LABELS = "labels must be integers of at least 0, or one-hot rows"


class ArraySource:
    """Arrays of images and labels; they are never written to or copied as a whole.

    Args:
        images: [N, H, W, C] or [N, H, W], uint8 in 0 to 255 or floating point in 0 to 1; or a sequence of [H, W, C].
        labels: integers [N], one-hot rows [N, classes], or None for no labels.
        class_names: by default the class indices, as text: as many as one-hot rows have columns.

    Raises:
        SourceError: there is no image; or shapes, dtypes, lengths, pixels or labels are not as described.
        OptionError: `class_names` does not name all classes, or there are no labels.
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
            raise SourceError("the array of images is empty")
        dtype = getattr(images, "dtype", None)  # of an array whose images all have one shape and dtype
        for image in images if dtype is None or dtype == np.dtype(object) else images[:1]:
            _check_image(image)
        if dtype != np.uint8:
            for index, image in enumerate(images):
                _check_pixels(index, np.asarray(image))
        self.is_labeled = labels is not None
        self._labels, classes, columns = _parse_labels(labels, len(images))
        self.class_names = _name_classes(class_names, classes, columns)

    def __len__(self) -> int:
        return len(self._images)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of every pixel and label."""
        images = map(np.asarray, self._images)
        pixels = ((image.shape, image.dtype.str, hashlib.sha256(image.tobytes()).hexdigest()) for image in images)
        return digest(("arrays", self.class_names, self._labels.tolist(), *pixels))

    def labels(self) -> Labels:
        """Return the class of every sample, int64 [N]; `NO_LABEL` without labels."""
        return self._labels

    def sizes(self) -> Labels:
        """Return the number of bytes of every image's pixels, int64 [N]."""
        return np.array([np.asarray(image).nbytes for image in self._images], np.int64)

    def peek(self, index: int) -> Sample:
        """Return the sample's key (its index) and label."""
        return Sample(str(index), int(self._labels[index]))

    def read(self, index: int) -> Sample:
        """Return a read-only view of one image: uint8 or float32; a grey one becomes [H, W, 1]."""
        image = np.asarray(self._images[index]).view()
        if image.dtype not in (np.uint8, np.float32):
            image = image.astype(np.float32)  # OpenCV has no other floating-point images
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
        raise SourceError(f"images must be uint8 (0 to 255) or floating point (0 to 1); got {image.dtype}")


def _check_pixels(index: int, image: NDArray[Any]) -> None:
    """Check the values of a floating-point image: transforms clip them to 0 to 1."""
    if image.dtype == np.uint8 or not image.size:
        return
    least, most = image.min(), image.max()
    if not (least >= 0 and most <= MAX_FLOAT):  # False for NaN, too
        raise SourceError(
            f"floating-point images must be in 0 to 1; image {index} has values from {least:.6g} to {most:.6g}; "
            + _suggest_scale(least, most)
        )


def _suggest_scale(least: float, most: float) -> str:
    if not np.isfinite((least, most)).all():
        return "replace NaN and infinite values"
    if least < 0:
        return "scale to 0 to 1, e.g. (x + 1) / 2 for values from -1 to 1"
    return "give uint8, or divide by 255"


def _parse_labels(labels: ArrayLike | None, count: int) -> tuple[Labels, int, int | None]:
    """Return the class indices [N], the number of classes, and the number of columns of one-hot rows."""
    if labels is None:
        return np.full(count, NO_LABEL), 0, None
    array = np.asarray(labels)
    if not np.issubdtype(array.dtype, np.number) and array.dtype != np.bool_:
        raise SourceError(f"{_LABELS}; got {array.dtype}; map class names to numbers")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape[:1] != (count,) or array.ndim not in (1, 2):
        raise SourceError(
            f"{count} images need labels of shape ({count},) or ({count}, classes); got {np.shape(labels)}"
        )
    if array.ndim == 2:
        return _parse_one_hot(array), array.shape[1], array.shape[1]
    if not np.issubdtype(array.dtype, np.integer) or array.min() < 0:
        is_whole = not np.issubdtype(array.dtype, np.complexfloating) and (array == np.floor(array)).all()
        remedy = "; use labels.astype(int)" if is_whole and array.min() >= 0 else ""
        raise SourceError(f"{_LABELS}; got {array.dtype} with minimum {array.min()}{remedy}")
    return array.astype(np.int64), int(array.max()) + 1, None


def _parse_one_hot(array: NDArray[Any]) -> Labels:
    is_one_hot = ((array == 0) | (array == 1)).all(axis=1) & ((array == 1).sum(axis=1) == 1)
    if not is_one_hot.all():
        row = int(is_one_hot.argmin())
        shown = ", ".join(f"{value:.6g}" for value in array[row, :8].tolist()) + (", ..." if array.shape[1] > 8 else "")
        raise SourceError(
            f"{_LABELS} (a single 1, else 0); row {row} is [{shown}]; several or soft labels are not supported"
        )
    return cast(Labels, array.argmax(axis=1).astype(np.int64))


def _name_classes(class_names: Sequence[str] | None, classes: int, columns: int | None) -> tuple[str, ...]:
    if class_names is None:
        if classes > MAX_CLASSES:
            raise SourceError(f"labels reach {classes - 1}, too large to count classes from them; set class_names")
        return tuple(map(str, range(classes)))
    if not classes:
        raise OptionError("class_names needs labels, but the arrays have none; pass (images, labels)")
    if columns is not None and columns != len(class_names):
        raise OptionError(f"labels have {columns} columns, but class_names has {len(class_names)} entries")
    if classes > len(class_names):
        raise OptionError(
            f"label {classes - 1} has no class name: class_names has {len(class_names)} entries; name every class"
        )
    return tuple(class_names)
