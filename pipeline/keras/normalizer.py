"""Normalize levels after the random transforms, as `ImageDataGenerator.standardize` does."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import kernels
from augment.transform import Image
from pipeline.errors import OptionError
from pipeline.keras.arguments import Normalization
from pipeline.keras.statistics import Whitening

_EPSILON = 1e-6  # Keras adds it to standard deviations


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalizer:
    """Normalizes images; any number of threads may use it.

    Attributes:
        settings: which normalizations to apply.
        mean: the training set's mean, which broadcasts with an image; or None.
        std: the training set's standard deviation, which broadcasts with an image; or None.
        whitening: the training set's whitening, or None.
        dtype: dtype of normalized batches.
        channels_first: whether normalized images are [C, H, W].
        restores_uint8: whether float32 images of whole levels are normalized as uint8, with equal results whatever the
            other images of a batch are.
    """

    settings: Normalization
    mean: NDArray[Any] | None
    std: NDArray[Any] | None
    whitening: Whitening | NDArray[Any] | None
    dtype: np.dtype[Any]
    channels_first: bool = False
    restores_uint8: bool = False

    def warn_missing(self) -> None:
        """Warn, as Keras does, of each normalization that is skipped because its statistics are missing."""
        requirements = {
            "featurewise_center": (self.settings.featurewise_center, self.mean),
            "featurewise_std_normalization": (self.settings.featurewise_std_normalization, self.std),
            "zca_whitening": (self.settings.zca_whitening, self.whitening),
        }
        for name, (is_enabled, statistic) in requirements.items():
            if is_enabled and statistic is None:
                warnings.warn(
                    f"This ImageDataGenerator specifies `{name}`, but it hasn't been fit on any training data. Fit it "
                    "first by calling `.fit(data)`, or load statistics by `.load(path)`.",
                    stacklevel=3,
                )

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Normalize an image, or a batch as if it were one image; a floating-point array is changed in place."""
        x = self._normalize_pointwise(x if np.issubdtype(x.dtype, np.floating) else x.astype(self._working))
        return self._whiten(x)

    def batch(self, images: NDArray[Any]) -> NDArray[Any]:
        """Normalize a batch, image by image.

        Args:
            images: [B, H, W, C], uint8 or float32, always channels last.

        Returns:
            [B, H, W, C] or [B, C, H, W], of `dtype`.
        """
        has_uint8 = images.dtype == np.uint8 or self.restores_uint8
        levels = self._compute_levels(images.shape[-1]) if has_uint8 else None
        if levels is None:
            finished = self._normalize_images(self._move_channels(images))
        elif images.dtype == np.uint8:
            finished = self._move_channels(self._apply_luts(images, levels))
        else:
            finished = np.concatenate([self._normalize_restored(image[np.newaxis], levels) for image in images])
        return self._whiten(finished).astype(self.dtype, copy=False)

    def _normalize_restored(self, image: NDArray[Any], levels: NDArray[Any]) -> NDArray[Any]:
        """Normalize a float32 image [1, H, W, C] as uint8 if its levels allow it."""
        restored = image.astype(np.uint8) if image.min() >= 0 and image.max() <= 255 else None
        if restored is None or not np.array_equal(restored, image):
            return self._normalize_images(self._move_channels(image))
        return self._move_channels(self._apply_luts(restored, levels))

    def _normalize_images(self, images: NDArray[Any]) -> NDArray[Any]:
        """Normalize images one by one, without lookup tables."""
        finished = images.astype(self._working)  # always a copy, because it is changed in place
        for row in range(len(finished)):
            finished[row] = self._normalize_pointwise(finished[row])
        return finished

    @property
    def _working(self) -> np.dtype[Any]:
        return np.dtype(np.float64 if self.dtype == np.float64 else np.float32)

    def _move_channels(self, images: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(np.moveaxis(images, -1, 1)) if self.channels_first else images

    def _normalize_pointwise(self, x: NDArray[Any]) -> NDArray[Any]:
        """Apply all normalizations but the whitening, in place."""
        settings = self.settings
        if settings.preprocessing_function is not None:
            x = _call(settings.preprocessing_function, x)
        if settings.rescale:
            x *= settings.rescale
        if settings.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if settings.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + _EPSILON
        if settings.featurewise_center and self.mean is not None:
            x -= self.mean
        if settings.featurewise_std_normalization and self.std is not None:
            x /= self.std + _EPSILON
        return x

    def _whiten(self, x: NDArray[Any]) -> NDArray[Any]:
        if not self.settings.zca_whitening or self.whitening is None:
            return x
        flat = x.reshape(-1, int(np.prod(x.shape[-3:])))
        if isinstance(self.whitening, Whitening):
            return np.asarray(self.whitening(flat)).reshape(x.shape)
        matrix: NDArray[Any] = self.whitening.astype(flat.dtype, copy=False)
        whitened: NDArray[Any] = flat @ matrix
        return whitened.reshape(x.shape)

    def _compute_levels(self, channels: int) -> NDArray[Any] | None:
        """Return the 256 levels after `rescale`, [256, 1]; None if lookup tables cannot normalize the images."""
        vectors = [vector for vector in (self.mean, self.std) if vector is not None]
        if self.settings.preprocessing_function is not None or any(np.size(v) not in (1, channels) for v in vectors):
            return None
        levels = np.arange(256, dtype=self._working)[:, np.newaxis]
        if self.settings.rescale:
            levels *= self.settings.rescale
        return levels

    def _apply_luts(self, images: NDArray[Any], levels: NDArray[Any]) -> NDArray[Any]:
        finished = np.empty(images.shape, self._working)
        shared = None if self.settings.samplewise_center else self._normalize_featurewise(levels)
        for image, row in zip(images, finished, strict=True):
            lut = self._normalize_featurewise(self._center_samplewise(levels, image)) if shared is None else shared
            if lut.shape[1] == 1 or image.shape[2] <= 4:
                cv2.LUT(image, lut[np.newaxis] if lut.shape[1] > 1 else lut[:, 0], dst=row)
            else:
                row[:] = lut[image, np.arange(image.shape[2])]
        return finished

    def _center_samplewise(self, lut: NDArray[Any], image: Image) -> NDArray[Any]:
        """Center (and scale) a lookup table by the mean (and deviation) of its image."""
        counts = np.bincount(image.ravel(), minlength=256)
        levels = lut[:, 0].astype(np.float64)
        mean = counts @ levels / image.size
        lut = lut - mean
        if self.settings.samplewise_std_normalization:
            lut = lut / (np.sqrt(counts @ (levels - mean) ** 2 / image.size) + _EPSILON)
        return lut

    def _normalize_featurewise(self, lut: NDArray[Any]) -> NDArray[Any]:
        if self.settings.featurewise_center and self.mean is not None:
            lut = lut - np.reshape(self.mean, (1, -1))
        if self.settings.featurewise_std_normalization and self.std is not None:
            lut = lut / (np.reshape(self.std, (1, -1)) + _EPSILON)
        return np.ascontiguousarray(lut.astype(self._working, copy=False))


def _call(function: Callable[[Any], Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return the result of a `preprocessing_function`, which may have fewer channels, as in Keras."""
    result = np.asarray(function(x))
    try:
        np.broadcast_to(result, x.shape)
    except ValueError:
        is_image = False
    else:
        is_image = result.dtype.kind in "buif"
    if not is_image:
        kind = f"{result.dtype} {result.shape}" if result.ndim else type(result.item()).__name__
        raise OptionError(f"`preprocessing_function` must return an image of shape {x.shape}, got {kind}")
    return result


def round_to_dtype(image: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert a transformed float32 image to the dtype of its original."""
    if np.issubdtype(dtype, np.floating):
        return image.astype(dtype, copy=False)
    return kernels.to_pixels(image, np.uint8) if dtype == np.uint8 else np.rint(image).astype(dtype)
