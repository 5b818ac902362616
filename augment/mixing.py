"""Mixing the samples of a batch: MixUp, CutMix, Mosaic. Labels are mixed by the images' fractions.

A mixer takes an augmented batch and returns one of the same shapes. It is a pure function of the batch and a key;
`Loader(mix=...)` makes the key from the seed, the epoch and the step. Each sample is mixed with other samples of its
batch: the samples stand in a circle that is drawn per batch, and each is mixed with the next ones. A batch of at least
two samples never mixes a sample with itself alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.checks import check_number, is_number
from augment.errors import AugmentError
from augment.transform import Image

Images = NDArray[Any]
"""A batch, [B, H, W, C], uint8 or float32."""

Labels = NDArray[np.floating[Any]]
"""Fractions of the classes: float [B, K], one-hot or already mixed; or [B, 1] for two classes."""

_Range = tuple[float, float]

MAX_ALPHA = 1000
"""With a larger parameter, a Beta distribution is a constant, and its generator overflows."""

_TOLERANCE = 1e-5
"""Of fractions in labels: rounding of float32."""


class Mixer(ABC):
    """Mixes the samples of a batch."""

    def __call__(self, images: Images, labels: Labels | None, key: keys.Key) -> tuple[Images, Labels | None]:
        """Mix a batch.

        Args:
            images: [B, H, W, C], uint8 or float32; not written to.
            labels: float [B, K], or None.
            key: the batch's key, shape [].

        Returns:
            Images and labels of the same shapes and dtypes.

        Raises:
            AugmentError: the labels are not fractions [B, K], or their number differs from the images'.
        """
        images, labels = np.asarray(images), None if labels is None else np.asarray(labels)
        _check_batch(type(self).__name__, images, labels)
        mixed, fractions = self.mix(images, key)
        if labels is None:
            return mixed, None
        return mixed, (fractions @ labels.astype(np.float64)).astype(labels.dtype)

    @abstractmethod
    def mix(self, images: Images, key: keys.Key) -> tuple[Images, NDArray[np.float64]]:
        """Mix the images.

        Returns:
            The mixed images, and float64 [B, B]: the fraction of each sample (column) in each mixed sample (row).
        """


@dataclass(frozen=True)
class MixUp(Mixer):
    """Each sample becomes a weighted mean of itself and another.

    Zhang, Cissé, Dauphin and Lopez-Paz 2018, "mixup: beyond empirical risk minimization" (arXiv:1710.09412), with one
    weight per sample.

    Attributes:
        alpha: parameter of the weights' distribution Beta(alpha, alpha), above 0 and at most 1000; 0.2 to 0.4 in the
            paper for ImageNet.
        p: probability that a sample is mixed.
    """

    alpha: float = 0.2
    p: float = 1.0

    def __post_init__(self) -> None:
        check_number("MixUp: alpha", self.alpha, 0, MAX_ALPHA, above=True)
        check_number("MixUp: p", self.p, 0, 1)

    def mix(self, images: Images, key: keys.Key) -> tuple[Images, NDArray[np.float64]]:
        """Mix the images."""
        count = len(images)
        weights = np.where(
            _draw_mixed(key, count, self.p), keys.generator(key).beta(self.alpha, self.alpha, count), 1.0
        )
        partners = _draw_partners(key, count)
        mixed = np.empty_like(images)
        for row, (weight, partner) in enumerate(zip(weights.tolist(), partners.tolist(), strict=True)):
            blended = cv2.addWeighted(images[row], weight, images[partner], 1 - weight, 0)
            mixed[row] = blended.reshape(images[row].shape)
        return mixed, _build_fractions(partners, weights)


@dataclass(frozen=True)
class CutMix(Mixer):
    """Each sample gets a rectangle of another sample, at the same position in the image.

    Yun, Han, Oh, Chun, Choe and Yoo 2019, "CutMix: regularization strategy to train strong classifiers with localizable
    features" (arXiv:1905.04899), with one rectangle per sample. The rectangle is clipped to the image, and the labels
    have the fractions of the pixels that are visible.

    Attributes:
        alpha: the rectangle's fraction of the area is 1 minus a draw from Beta(alpha, alpha), with alpha above 0 and at
            most 1000; 1 in the paper.
        p: probability that a sample is mixed; 0.5 in the paper for CIFAR, 1 for ImageNet.
    """

    alpha: float = 1.0
    p: float = 1.0

    def __post_init__(self) -> None:
        check_number("CutMix: alpha", self.alpha, 0, MAX_ALPHA, above=True)
        check_number("CutMix: p", self.p, 0, 1)

    def mix(self, images: Images, key: keys.Key) -> tuple[Images, NDArray[np.float64]]:
        """Mix the images."""
        count, height, width = images.shape[:3]
        side = np.sqrt(1 - keys.generator(key).beta(self.alpha, self.alpha, count))
        side = np.where(_draw_mixed(key, count, self.p), side, 0.0)
        center = keys.uniform(_derive_sample_keys(key, count), "centre", 2)
        top, bottom = _clip_intervals(center[:, 0], side, height)
        left, right = _clip_intervals(center[:, 1], side, width)
        partners, mixed = _draw_partners(key, count), images.copy()
        boxes = np.stack([top, bottom, left, right], axis=1).tolist()
        for row, ((up, down, first, last), partner) in enumerate(zip(boxes, partners.tolist(), strict=True)):
            mixed[row, up:down, first:last] = images[partner, up:down, first:last]
        return mixed, _build_fractions(partners, 1 - (bottom - top) * (right - left) / (height * width))


@dataclass(frozen=True)
class Mosaic(Mixer):
    """Some samples become four: themselves and three others around a random center.

    After Bochkovskiy, Wang and Liao 2020, "YOLOv4: optimal speed and accuracy of object detection" (arXiv:2004.10934).
    Each of the four tiles shows the middle of its image, scaled down until it just covers the tile. The labels have the
    tiles' fractions of the area.

    Attributes:
        p: probability that a sample is mixed.
        center: range (low, high) of the center, as fractions of each side.
    """

    p: float = 0.5
    center: _Range = (0.25, 0.75)

    def __post_init__(self) -> None:
        check_number("Mosaic: p", self.p, 0, 1)
        is_pair = isinstance(self.center, Sequence) and len(self.center) == 2 and all(map(is_number, self.center))
        if not is_pair or not 0 <= self.center[0] <= self.center[1] <= 1:
            raise AugmentError(f"Mosaic: center must be (low, high) with 0 <= low <= high <= 1, got {self.center!r}")

    def mix(self, images: Images, key: keys.Key) -> tuple[Images, NDArray[np.float64]]:
        """Mix the images."""
        count, height, width = images.shape[:3]
        drawn = keys.uniform(_derive_sample_keys(key, count), "mosaic", 3)
        low, high = self.center
        split = np.rint((low + drawn[:, :2] * (high - low)) * (height, width)).astype(np.int64).tolist()
        first = np.floor(4 * drawn[:, 2]).astype(np.int64).tolist()  # the tile of the sample itself
        others = np.stack([_draw_partners(key, count, ahead) for ahead in range(4)], axis=1).tolist()
        mixed, fractions = images.copy(), np.eye(count)
        for row in np.flatnonzero(_draw_mixed(key, count, self.p)).tolist():
            (y, x), fractions[row] = split[row], 0
            tiles = [(0, y, 0, x), (0, y, x, width), (y, height, 0, x), (y, height, x, width)]
            for ahead, other in enumerate(others[row]):
                up, down, left, right = tiles[(first[row] + ahead) % 4]
                if down > up and right > left:
                    mixed[row, up:down, left:right] = _shrink_to_cover(images[other], down - up, right - left)
                    fractions[row, other] += (down - up) * (right - left) / (height * width)
        return mixed, fractions


@dataclass(frozen=True)
class OneMixer(Mixer):
    """One of several mixers, drawn per batch with equal probabilities.

    Attributes:
        mixers: the mixers to draw from.
    """

    mixers: tuple[Mixer, ...]

    def mix(self, images: Images, key: keys.Key) -> tuple[Images, NDArray[np.float64]]:
        """Mix the images with the drawn mixer."""
        drawn = keys.uniform(key[np.newaxis], "mixer", 1)[0, 0]
        return self.mixers[int(drawn * len(self.mixers))].mix(images, key)


def to_mixer(given: Any) -> Mixer:
    """Return a mixer unmodified, and a sequence of mixers as one mixer that draws among them.

    Raises:
        AugmentError: `given` is something else.
    """
    if isinstance(given, Mixer):
        return given
    if isinstance(given, Sequence) and len(given) and all(isinstance(one, Mixer) for one in given):
        return OneMixer(tuple(given))
    raise AugmentError(f"mix must be MixUp, CutMix, Mosaic or a list of them (one is drawn per batch), got {given!r}")


def _check_batch(name: str, images: Images, labels: Labels | None) -> None:
    if images.ndim != 4 or images.dtype not in (np.uint8, np.float32, np.float64):
        raise AugmentError(
            f"{name} needs a batch [B, H, W, C] of uint8 or float32, got {images.dtype} {list(images.shape)}"
        )
    if labels is None:
        return
    if not np.issubdtype(labels.dtype, np.floating):
        raise AugmentError(
            f"{name} needs float labels [B, classes], got {labels.dtype} {list(labels.shape)}: use "
            'label_mode="categorical"'
        )
    if labels.ndim != 2 or len(labels) != len(images):
        raise AugmentError(
            f"{name} needs labels [B, classes] for images {list(images.shape)}, got {list(labels.shape)}"
        )
    wrong = labels[~((labels >= -_TOLERANCE) & (labels <= 1 + _TOLERANCE))]  # NaN is wrong, too
    if wrong.size:
        raise AugmentError(
            f"{name} needs labels that are fractions of classes, from 0 to 1, got {wrong.flat[0]:g}: class indices and "
            "other numbers cannot be mixed"
        )


def _derive_sample_keys(key: keys.Key, count: int) -> keys.Key:
    return keys.fold_in(key, np.arange(count))


def _draw_mixed(key: keys.Key, count: int, p: float) -> NDArray[np.bool_]:
    """Draw which samples are mixed, [B]."""
    chosen: NDArray[np.bool_] = keys.uniform(_derive_sample_keys(key, count), "mixed", 1)[:, 0] < p
    return chosen


def _draw_partners(key: keys.Key, count: int, ahead: int = 1) -> NDArray[np.int64]:
    """Arrange the samples in a random circle, and return for each the sample `ahead` positions further, int64 [B]."""
    circle = np.argsort(keys.uniform(_derive_sample_keys(key, count), "circle", 1)[:, 0])
    others = np.empty(count, np.int64)
    others[circle] = np.roll(circle, -ahead)
    return others


def _clip_intervals(center: NDArray[np.float64], fraction: NDArray[np.float64], side: int) -> Any:
    """Return the starts and ends (int64 [B]) of intervals around centers, clipped to 0 to `side`."""
    middle, length = np.floor(center * side).astype(np.int64), np.rint(fraction * side).astype(np.int64)
    start = middle - length // 2
    return np.clip(start, 0, side), np.clip(start + length, 0, side)


def _build_fractions(partners: NDArray[np.int64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Build the fractions [B, B]: each sample keeps the fraction `own`, and the rest is its partner's."""
    fractions = np.diag(own)
    np.add.at(fractions, (np.arange(len(own)), partners), 1 - own)
    return fractions


def _shrink_to_cover(image: Image, height: int, width: int) -> Image:
    """Scale an image down until it just covers (height, width), and return its middle."""
    scale = max(height / image.shape[0], width / image.shape[1])
    rows, columns = max(height, round(image.shape[0] * scale)), max(width, round(image.shape[1] * scale))
    # Down to a scale of 1/2 a bilinear resize skips no pixels.
    interpolation = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    shrunk = cv2.resize(image, (columns, rows), interpolation=interpolation).reshape(rows, columns, -1)
    top, left = (rows - height) // 2, (columns - width) // 2
    return cast(Image, shrunk[top : top + height, left : left + width])
