"""Re-encoding: another size, another format."""

from dataclasses import dataclass

import cv2
import numpy as np

from augment.transform import Image
from pipeline.decode import Decoder, upright, with_channels
from pipeline.encode import DEFAULT_QUALITY, encode
from pipeline.header import Header

_GREY, _RGB, _RGBA = Decoder(color_mode="grayscale"), Decoder(), Decoder(color_mode="rgba")
_REDUCED = {
    (1, 1): cv2.IMREAD_GRAYSCALE,
    (1, 2): cv2.IMREAD_REDUCED_GRAYSCALE_2,
    (1, 4): cv2.IMREAD_REDUCED_GRAYSCALE_4,
    (1, 8): cv2.IMREAD_REDUCED_GRAYSCALE_8,
    (3, 1): cv2.IMREAD_COLOR,
    (3, 2): cv2.IMREAD_REDUCED_COLOR_2,
    (3, 4): cv2.IMREAD_REDUCED_COLOR_4,
    (3, 8): cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclass(frozen=True, kw_only=True)
class Recoding:
    """What images are made to be.

    Attributes:
        short_side: the length of the shorter side in pixels, the shape kept; None where it does not matter.
        size: (height, width) in pixels; None where it does not matter.
        format: "jpeg", "png" or "webp"; None keeps an image's own, and makes PNG of GIF and BMP.
        quality: of JPEG and WebP; None is `DEFAULT_QUALITY`, and leaves images alone that need no other change.
    """

    short_side: int | None = None
    size: tuple[int, int] | None = None
    format: str | None = None
    quality: int | None = None

    def target_size(self, height: int, width: int) -> tuple[int, int]:
        """Give (height, width) of what becomes of an upright image."""
        if self.size is not None:
            return self.size
        if self.short_side is None:
            return height, width
        scale = self.short_side / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def target_format(self, image_format: str) -> str:
        """Give the format of what becomes of an image."""
        return self.format or ("png" if image_format in ("gif", "bmp") else image_format)

    def keeps(self, header: Header) -> bool:
        """Whether an image already is what it is made to be, so that its bytes can be passed through."""
        same_size = self.target_size(header.height, header.width) == (header.height, header.width)
        turned = header.orientation != 1
        return self.quality is None and same_size and not turned and self.target_format(header.format) == header.format

    def decode(self, encoded: bytes, header: Header) -> Image:
        """Decode an image upright, no finer than it is wanted: at 1/2, 1/4 or 1/8 where that is enough.

        Raises:
            ValueError: the bytes are damaged.
        """
        height, width = header.upright_size
        finest = min(
            side / wanted for side, wanted in zip((height, width), self.target_size(height, width), strict=True)
        )
        return decode(encoded, header, next(ratio for ratio in (8, 4, 2, 1) if ratio <= max(finest, 1)))

    def finish(self, image: Image, image_format: str) -> tuple[bytes, Header]:
        """Resize and encode an upright image, uint8 [H, W, C].

        Raises:
            ValueError: the format cannot hold it.
        """
        image = _resized(image, self.target_size(*image.shape[:2]))
        target = self.target_format(image_format)
        quality = DEFAULT_QUALITY if self.quality is None else self.quality
        return encode(image, target, quality), Header(target, *image.shape[:2])


def decode(encoded: bytes, header: Header, ratio: int = 1) -> Image:
    """Decode an image upright with the channels that it has: grey, RGB or RGBA, uint8 [H, W, C].

    JPEGs are decoded by OpenCV, at 1/ratio of their size: TensorFlow, which decodes them for the loader, takes longer to
    start than to decode a thousand. OpenCV fills what is missing of a JPEG with grey, so that is looked for first.

    Raises:
        ValueError: the bytes are damaged.
    """
    if header.format == "png" and encoded[25] == 0:  # grey (PNG, 11.2.2 IHDR)
        return _GREY(encoded, header)
    if header.format != "jpeg":
        return _decode_transparent(encoded, header)
    if header.components not in (1, 3):
        return _RGB(encoded, header)
    if b"\xff\xd9" not in encoded[-_TRAILER:] and b"\xff\xd9" not in encoded:
        raise ValueError("damaged JPEG: it is cut off")
    flags = _REDUCED[header.components, ratio] | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    if image is None:
        raise ValueError("damaged JPEG, or a variant that OpenCV cannot decode")
    image = image[..., np.newaxis] if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return upright(image, header.orientation)


_TRAILER = 64
"""Bytes at the end of a JPEG among which its end is looked for first."""


def _resized(image: Image, size: tuple[int, int]) -> Image:
    if image.shape[:2] == size:
        return image
    # Below a half, two neighbours in each direction no longer cover what becomes one pixel. JPEGs come here larger than
    # that only where they were not decoded at a scale.
    halves = 2 * size[0] <= image.shape[0] and 2 * size[1] <= image.shape[1]
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if halves else cv2.INTER_LINEAR)
    return resized if resized.ndim == 3 else resized[..., np.newaxis]  # type: ignore[no-any-return]


def _decode_transparent(encoded: bytes, header: Header) -> Image:
    """Decode what may have transparency; it is dropped where there is none."""
    image = _RGBA(encoded, header)
    return image if image[..., 3].min() < 255 else with_channels(image, 3)
