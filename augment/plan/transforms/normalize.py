"""From levels to float32: Normalize and ToFloat, each one LUT to float."""

from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
from numpy.typing import NDArray

from augment.plan.lowering import Columns, Floats, Integers, NotLoweredError, Operation, Pointwise, lowers
from augment.plan.luts import LEVELS
from augment.transform import Image


class _ToFloats(Pointwise):
    """A LUT to float32; nothing is drawn."""

    kernel = "LUT to float"
    is_float = True

    def sample(self, uniforms: Floats, height: Integers, width: Integers) -> Columns:
        """Draw nothing."""
        return {}

    def to_original_params(self, columns: Columns, row: int, image: Image) -> dict[str, Any]:
        """Return no parameters: there are none."""
        return {}


@lowers(A.Normalize)
class Normalize(_ToFloats):
    """(level - mean) / deviation, with one pair for all channels or one per channel."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        if transform.normalization != "standard":
            raise NotLoweredError(
                f"normalization={transform.normalization!r} needs statistics of every image, in float64"
            )
        self._luts = {channels: self._make_lut(channels) for channels in (1, 2, 3, 4)}

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT."""
        return [self._luts[channels] if channels in self._luts else self._make_lut(channels)]

    def _make_lut(self, channels: int) -> NDArray[np.float32]:
        mean, scale = (
            self._get_channel_values(value, channels) for value in (self.transform.mean_np, self.transform.denominator)
        )
        lut: NDArray[np.float32] = (LEVELS[:, np.newaxis] - mean) * scale
        return lut if lut.shape[1] == channels else lut[:, 0]

    @staticmethod
    def _get_channel_values(value: Any, channels: int) -> NDArray[np.float32]:
        """Return the channels' values; if there are too few, the first is for all (`albucore.utils.convert_value`)."""
        values = np.ravel(value)
        return values[:channels] if len(values) >= channels else values[:1]


@lowers(A.ToFloat)
class ToFloat(_ToFloats):
    """Level / maximum."""

    def build_operations(self, columns: Columns, row: int, channels: int) -> list[Operation]:
        """Return the LUT."""
        maximum = 255 if self.transform.max_value is None else self.transform.max_value
        return [LEVELS / np.float32(maximum)]
