"""What stands behind the random transforms: normalizing the levels, as `ImageDataGenerator.standardize` does."""

import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import kernels
from augment.transform import Image
from pipeline.keras.arguments import Normalization
from pipeline.keras.statistics import Whitening

_EPSILON = 1e-6  # Keras adds it to standard deviations


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalizer:
    """Normalizes images; a value that threads can share.

    Attributes:
        settings: what is to be done.
        mean: of the training set, or None: anything that broadcasts with an image.
        std: likewise.
        whitening: of the training set, or None.
        dtype: of what is delivered.
        channels_first: whether images are [C, H, W].
    """

    settings: Normalization
    mean: NDArray[Any] | None
    std: NDArray[Any] | None
    whitening: Whitening | NDArray[Any] | None
    dtype: np.dtype[Any]
    channels_first: bool = False

    def warn_missing(self) -> None:
        """Warn, as Keras does, where statistics are asked for and there are none: they are then left out."""
        wanted = {
            "featurewise_center": (self.settings.featurewise_center, self.mean),
            "featurewise_std_normalization": (self.settings.featurewise_std_normalization, self.std),
            "zca_whitening": (self.settings.zca_whitening, self.whitening),
        }
        for name, (is_wanted, statistic) in wanted.items():
            if is_wanted and statistic is None:
                warnings.warn(
                    f"This ImageDataGenerator specifies `{name}`, but it hasn't been fit on any training data. Fit it "
                    "first by calling `.fit(data)`, or load statistics by `.load(path)`.",
                    stacklevel=3,
                )

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Normalize an image, or a batch as if it were one image; in place, where it is one of floating point."""
        x = self._normalize_pointwise(x if np.issubdtype(x.dtype, np.floating) else x.astype(self._working))
        return self._whiten(x)

    def batch(self, images: NDArray[Any]) -> NDArray[Any]:
        """Normalize a batch, each image by itself.

        Args:
            images: [B, H, W, C], uint8 or float32, channels last in any case.

        Returns:
            [B, H, W, C] or [B, C, H, W], of `dtype`.
        """
        if images.dtype == np.uint8 and (tables := self._make_base_table(images.shape[-1])) is not None:
            finished = self._move_channels(self._apply_tables(images, tables))
        else:
            # A copy in any case: what follows writes to it.
            finished = self._move_channels(images).astype(self._working)
            for row in range(len(finished)):
                finished[row] = self._normalize_pointwise(finished[row])
        return self._whiten(finished).astype(self.dtype, copy=False)

    @property
    def _working(self) -> np.dtype[Any]:
        return np.dtype(np.float64 if self.dtype == np.float64 else np.float32)

    def _move_channels(self, images: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(np.moveaxis(images, -1, 1)) if self.channels_first else images

    def _normalize_pointwise(self, x: NDArray[Any]) -> NDArray[Any]:
        """Do all but the whitening, in place."""
        settings = self.settings
        if settings.preprocessing_function is not None:
            x = settings.preprocessing_function(x)
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

    def _make_base_table(self, channels: int) -> NDArray[Any] | None:
        """Make a table [256, 1] of what all images have in common; None where tables cannot do it."""
        vectors = [vector for vector in (self.mean, self.std) if vector is not None]
        if self.settings.preprocessing_function is not None or any(np.size(v) not in (1, channels) for v in vectors):
            return None
        table = np.arange(256, dtype=self._working)[:, np.newaxis]
        if self.settings.rescale:
            table *= self.settings.rescale
        return table

    def _apply_tables(self, images: NDArray[Any], base: NDArray[Any]) -> NDArray[Any]:
        finished = np.empty(images.shape, self._working)
        shared = None if self.settings.samplewise_center else self._normalize_featurewise(base)
        for image, row in zip(images, finished, strict=True):
            table = self._normalize_featurewise(self._center_samplewise(base, image)) if shared is None else shared
            if table.shape[1] == 1 or image.shape[2] <= 4:
                cv2.LUT(image, table[np.newaxis] if table.shape[1] > 1 else table[:, 0], dst=row)
            else:
                row[:] = table[image, np.arange(image.shape[2])]
        return finished

    def _center_samplewise(self, table: NDArray[Any], image: Image) -> NDArray[Any]:
        """Centre (and scale) a table by the image that will be looked up in it."""
        counts = np.bincount(image.ravel(), minlength=256)
        levels = table[:, 0].astype(np.float64)
        mean = counts @ levels / image.size
        table = table - mean
        if self.settings.samplewise_std_normalization:
            table = table / (np.sqrt(counts @ (levels - mean) ** 2 / image.size) + _EPSILON)
        return table

    def _normalize_featurewise(self, table: NDArray[Any]) -> NDArray[Any]:
        if self.settings.featurewise_center and self.mean is not None:
            table = table - np.reshape(self.mean, (1, -1))
        if self.settings.featurewise_std_normalization and self.std is not None:
            table = table / (np.reshape(self.std, (1, -1)) + _EPSILON)
        return np.ascontiguousarray(table.astype(self._working, copy=False))


def round_to_dtype(image: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give an image of float32 the dtype of the one that it was made of."""
    if np.issubdtype(dtype, np.floating):
        return image.astype(dtype, copy=False)
    return kernels.to_pixels(image, np.uint8) if dtype == np.uint8 else np.rint(image).astype(dtype)
