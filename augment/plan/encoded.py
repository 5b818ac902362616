"""Encoded images: JPEG and PNG that the native module decodes, alone or as the source of a deferred image.

The native module calls libjpeg-turbo and libpng as TensorFlow's kernels do, so it gives TensorFlow's pixels bit for bit
and refuses the same files. Each process checks the pixels once, because the libraries of another system may differ.
"""

import logging
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from augment.plan.decoder_trials import TRIALS
from augment.plan.native import import_native, is_turned_off
from augment.transform import Image

logger = logging.getLogger(__name__)

_FORMATS = {"jpeg": 0, "png": 1}
"""The formats that the native module decodes, and their numbers there."""


Report = tuple[bool, str] | None
"""What the native module reports about an image: None, or (decoded?, the library's error or first warning)."""

Decode = Callable[[tuple[Any, ...], Image], Report]


class UndecodableError(ValueError):
    """The bytes of an image are damaged; whoever decodes them names the sample."""


class EncodedImage:
    """An image that is not decoded yet, or a window of it. It is immutable.

    Args:
        format: "jpeg" or "png".
        encoded: the bytes of the file.
        size: (height, width) of the pixels to decode.
        channels: 1 (gray) or 3 (RGB); of a PNG also 4 (RGBA).
        ratio: of a JPEG: 1, 2, 4 or 8, the divisor of its size at which it is decoded.
        corner: of a JPEG: the (top, left) of a window, in pixels of the image at 1/ratio of its size; None for the
            whole image, which must then have the size `size`.
        is_accurate: of a JPEG: whether its cosine transform is the accurate one, not the fast one.

    Attributes:
        shape: the shape of the pixels, (height, width, channels).
    """

    __slots__ = ("corner", "encoded", "format", "is_accurate", "ratio", "shape")

    def __init__(
        self,
        format: str,  # noqa: A002  # what it is
        encoded: bytes,
        size: tuple[int, int],
        channels: int = 3,
        *,
        ratio: int = 1,
        corner: tuple[int, int] | None = None,
        is_accurate: bool = False,
    ) -> None:
        self.format = format
        self.encoded = encoded
        self.shape = (*size, channels)
        self.ratio = ratio
        self.corner = corner
        self.is_accurate = is_accurate

    def to_request(self) -> tuple[Any, ...]:
        """Return what the native module takes."""
        *size, channels = self.shape
        return _FORMATS[self.format], self.encoded, tuple(size), channels, self.ratio, self.corner, self.is_accurate

    def decode(self, *, is_strict: bool = False) -> Image:
        """Decode it: uint8 [H, W, C].

        Args:
            is_strict: whether damage is refused with which a JPEG can be decoded, but of which libjpeg warns.

        Raises:
            UndecodableError: the bytes are damaged.
        """
        decode = load_decoder()
        assert decode is not None  # noqa: S101  # whoever makes an encoded image has checked that
        pixels = np.empty(self.shape, np.uint8)
        if error := self.find_error(decode(self.to_request(), pixels), is_strict=is_strict):
            raise error
        return pixels

    def find_error(self, report: Report, *, is_strict: bool = False) -> UndecodableError | None:
        """Return the error in what the native module reports about this image; None for none, or only a warning."""
        if report is None or (report[0] and not is_strict):
            return None
        return UndecodableError(f"damaged {self.format.upper()}: {report[1]}")


def load_decoder() -> Decode | None:
    """Return the native module's `decode`; None if it is missing, turned off or not exact. The first call decides."""
    return _find()[0]


def status() -> str:
    """Return a sentence that says whether the native decoder is in use, and if not, why."""
    reason = _find()[1]
    return f"native decoder: not in use ({reason}); TensorFlow replaces it" if reason else "native decoder: in use"


@lru_cache(1)
def _find() -> tuple[Decode | None, str]:
    decode, reason = _try_out()
    if reason and not is_turned_off():
        logger.warning("the native decoder is not in use (%s): decoding takes up to twice as long", reason)
    return decode, reason


def _try_out() -> tuple[Decode | None, str]:
    module, reason = import_native()
    if module is None:
        return None, reason
    if not hasattr(module, "decode"):
        return None, "it was built without libjpeg-turbo and libpng; it needs their headers at installation"
    for trial in TRIALS:
        pixels = np.empty((*trial.size, trial.channels), np.uint8)
        request = _FORMATS[trial.format], trial.encoded, trial.size, trial.channels, trial.ratio, trial.corner, False
        if module.decode(request, pixels) is not None or zlib.crc32(pixels.data) != trial.checksum:
            return None, "the system's libjpeg or libpng does not give TensorFlow's pixels"
    return module.decode, ""
