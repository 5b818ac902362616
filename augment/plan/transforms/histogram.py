"""Equalize and AutoContrast: lookup tables (LUTs) made from the image's histogram."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
from numpy.typing import NDArray

from augment.plan import channels, colors, luts
from augment.plan.lowering import Columns, Floats, Integers, NotLoweredError, Operation, Pointwise, lowers
from augment.transform import Image

Histogram = NDArray[np.float32]
"""The number of pixels of each level, [256]; float32 is exact up to 16 million."""


def count_levels(plane: Image, levels: int = 256) -> Histogram:
    """Count the pixels [H, W] of each level below `levels`."""
    return np.asarray(cv2.calcHist([plane], [0], None, [256], [0, levels]), np.float32).ravel()


class _Histogram(Pointwise):
    """A function of the image; nothing is drawn."""

    kernel = "LUT from the histogram"

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}


@lowers(A.Equalize)
class Equalize(_Histogram):
    """Equal numbers of pixels for all levels, per channel or in the luma alone."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.mask is not None:
            raise NotLoweredError("its mask selects pixels")

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no mask."""
        return {"mask": None}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the function."""
        if channels not in (1, 3):
            raise NotLoweredError(f"Equalize needs 1 or 3 channels, got {channels}")
        return [self._equalize_channels if self.transform.by_channels or channels == 1 else self._equalize_luma]

    def _equalize_channels(self, image: Image) -> Image:
        planes = channels.split_channels(image)
        for plane in planes:
            self._equalize_plane(plane)
        return channels.merge_channels(planes)

    def _equalize_luma(self, image: Image) -> Image:
        ycc = colors.convert_color(image, cv2.COLOR_RGB2YCrCb)
        planes = channels.split_channels(ycc)
        self._equalize_plane(planes[0])
        return colors.convert_color(cv2.merge(planes, ycc), cv2.COLOR_YCrCb2RGB)

    def _equalize_plane(self, plane: Image) -> None:
        """Equalize a plane in place, as OpenCV or as Albumentations' mode "pil" does."""
        if self.transform.mode == "cv":
            cv2.equalizeHist(plane, plane)
            return
        counts = count_levels(plane)
        present = counts[counts > 0]
        step = np.sum(present[:-1]) // 255
        if len(present) > 1 and step:
            levels = (np.cumsum(counts) + step // 2) // step
            luts.translate(plane, np.minimum(levels, 255).astype(np.uint8))


@lowers(A.AutoContrast)
class AutoContrast(_Histogram):
    """Each channel's darkest and brightest levels become 0 and 255."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.ignore is not None:
            raise NotLoweredError("ignore= excludes pixels from the histogram")

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the function."""
        return [self._stretch_contrast]

    def _stretch_contrast(self, image: Image) -> Image:
        planes = channels.split_channels(image)
        for plane in planes:
            counts = count_levels(plane, 255)  # the original does not count level 255
            low, high = self._find_bounds(counts)
            if low < high:
                luts.translate(plane, self._make_lut(counts, low, high))
        return channels.merge_channels(planes)

    def _find_bounds(self, counts: Histogram) -> tuple[int, int]:
        """Find the levels between which contrast is stretched, after the cut-off percentage is removed at each end."""
        present = np.flatnonzero(counts)
        if not len(present):
            return 0, 0
        if not self.transform.cutoff:
            return int(present[0]), int(present[-1])
        cut = np.float32(float(counts.sum()) * self.transform.cutoff / 100)
        below, above = np.cumsum(counts) >= cut, np.cumsum(counts[::-1]) >= cut
        low = min(int(np.argmax(below)) + 1, 255) if below.any() else 0
        high = 255 - int(np.argmax(above)) if above.any() else 255
        return (low, high) if low <= high else (127, 127)

    def _make_lut(self, counts: Histogram, low: int, high: int) -> NDArray[np.uint8]:
        """Make the LUT: by the cumulative histogram between the bounds, or (method "pil") by a straight line."""
        lut = np.zeros(256, np.uint8)
        lut[high + 1 :] = 255
        if self.transform.method == "cdf":
            cumulative = counts[low : high + 1].cumsum()
            if cumulative[-1] == 0:
                return np.arange(256, dtype=np.uint8)
            with np.errstate(invalid="ignore"):  # 0 / 0 if all pixels between the bounds share a level
                levels = (cumulative - cumulative[0]) * 255 / (cumulative[-1] - cumulative[0])
                lut[low : high + 1] = np.clip(np.round(levels), 0, 255).astype(np.uint8)
            return lut
        levels = np.round((np.arange(low, high + 1, dtype=float) - low) * (255 / (high - low)))
        lut[low : high + 1] = np.clip(levels, 0, 255).astype(np.uint8)
        return lut
