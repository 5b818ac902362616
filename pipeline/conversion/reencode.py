"""Re-encoding images in another size, format or quality."""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from augment.plan.encoded import EncodedImage, load_decoder
from augment.png_chunks import drop_texts
from augment.transform import Image
from pipeline.conversion.truncation import check_png, is_read_to_its_end
from pipeline.images.decode import Decoder, turn_upright
from pipeline.images.encode import DEFAULT_QUALITY, encode
from pipeline.images.header import Header

_RGB, _RGBA = Decoder(), Decoder(color_mode="rgba")
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
class Reencoding:
    """The target size, format and quality of images.

    Attributes:
        short_side: the length of the shorter side in pixels, with the same aspect ratio; None keeps the size.
        size: (height, width) in pixels; None keeps the size.
        format: "jpeg", "png" or "webp"; None keeps an image's format, but turns GIF and BMP into PNG.
        quality: of JPEG and WebP; None is `DEFAULT_QUALITY`, and passes images through that need no other change.
    """

    short_side: int | None = None
    size: tuple[int, int] | None = None
    format: str | None = None
    quality: int | None = None

    def compute_target_size(self, height: int, width: int) -> tuple[int, int]:
        """Compute (height, width) of the output for an upright image."""
        if self.size is not None:
            return self.size
        if self.short_side is None:
            return height, width
        scale = self.short_side / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def get_target_format(self, image_format: str) -> str:
        """Return the format of the output."""
        return self.format or ("png" if image_format in ("gif", "bmp") else image_format)

    def is_satisfied_by(self, header: Header) -> bool:
        """Whether an image already has the target size and format, so that its bytes pass through."""
        same_size = self.compute_target_size(header.height, header.width) == (header.height, header.width)
        turned = header.orientation != 1
        return (
            self.quality is None and same_size and not turned and self.get_target_format(header.format) == header.format
        )

    def decode(self, encoded: bytes, header: Header) -> Image:
        """Decode an image upright, at 1/2, 1/4 or 1/8 of its size if that is enough for the target size.

        Raises:
            ValueError: the bytes are damaged.
        """
        height, width = header.upright_size
        target = self.compute_target_size(height, width)
        finest = max(1.0, min(height / target[0], width / target[1]))
        return decode(encoded, header, next(ratio for ratio in (8, 4, 2, 1) if ratio <= finest))

    def resize_and_encode(self, image: Image, image_format: str) -> tuple[bytes, Header]:
        """Resize and encode an upright image, uint8 [H, W, C].

        Raises:
            ValueError: the format cannot store the image.
        """
        image = _resize(image, self.compute_target_size(*image.shape[:2]))
        target = self.get_target_format(image_format)
        quality = DEFAULT_QUALITY if self.quality is None else self.quality
        return encode(image, target, quality), Header(target, *image.shape[:2])


def decode(encoded: bytes, header: Header, ratio: int = 1) -> Image:
    """Decode an image upright with its own channels: gray, RGB or RGBA, uint8 [H, W, C].

    The native module decodes PNGs, and JPEGs at 1/ratio of their size and with the accurate cosine transform, as OpenCV
    does, which replaces it where it is missing.

    Raises:
        ValueError: the bytes are damaged: all that a loader refuses, PNGs with a wrong checksum, and, where there is
            the native module, all of which libjpeg warns.
    """
    if header.format == "jpeg" and header.components in (1, 3):
        image = (_decode_jpeg if load_decoder() else _decode_jpeg_with_opencv)(encoded, header, ratio)
        return turn_upright(image, header.orientation)
    if header.format == "png":
        check_png(encoded)
        decode_png = _decode_png if load_decoder() else _decode_png_with_opencv
        image = turn_upright(decode_png(encoded, header), header.orientation)
    elif header.format == "jpeg":
        return _RGB(encoded, header)  # CMYK: OpenCV converts it by another formula
    else:
        image = _RGBA(encoded, header)
    return image if image.shape[2] < 4 or image[..., 3].min() < 255 else image[..., :3]


def _decode_jpeg(encoded: bytes, header: Header, ratio: int) -> Image:
    size = -(-header.height // ratio), -(-header.width // ratio)
    image = EncodedImage("jpeg", encoded, size, header.components, ratio=ratio, is_accurate=True)
    return image.decode(is_strict=True)


def _decode_png(encoded: bytes, header: Header) -> Image:
    channels = _PNG_CHANNELS.get(encoded[25], 3 if header.is_opaque else 4)
    return EncodedImage("png", encoded, header.size, channels).decode()


def _decode_png_with_opencv(encoded: bytes, header: Header) -> Image:
    return _imdecode(drop_texts(encoded), header, cv2.IMREAD_UNCHANGED)


_PNG_CHANNELS = {0: 1, 2: 3, 4: 4, 6: 4}
"""The channels of each color type but that of palettes; a transparent color of gray and RGB is dropped."""


def _decode_jpeg_with_opencv(encoded: bytes, header: Header, ratio: int) -> Image:
    if not is_read_to_its_end(encoded):
        # OpenCV does not see all of it. TensorFlow does, but takes longer to start than to decode a thousand images.
        _RGB(encoded, header)
    image = _imdecode(encoded, header, _REDUCED[header.components, ratio] | cv2.IMREAD_IGNORE_ORIENTATION)
    if image.shape[:2] != (-(-header.height // ratio), -(-header.width // ratio)):
        raise ValueError(f"damaged JPEG: the header claims {header.height} x {header.width} pixels")
    return image


def _imdecode(encoded: bytes, header: Header, flags: int) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f"damaged {header.format.upper()}: {error.err}") from None
    if image is None:
        raise ValueError(f"damaged {header.format.upper()}, or a variant that OpenCV cannot decode")
    if image.dtype == np.uint16:
        image = np.right_shift(image.astype(np.uint16), 8).astype(np.uint8)
    if image.ndim == 2:
        return cast(Image, image[..., np.newaxis])
    return cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA))


def _resize(image: Image, size: tuple[int, int]) -> Image:
    if image.shape[:2] == size:
        return image
    # Below one half, bilinear interpolation skips pixels. Only JPEGs that were not decoded at a DCT scale are as large.
    halves = 2 * size[0] <= image.shape[0] and 2 * size[1] <= image.shape[1]
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if halves else cv2.INTER_LINEAR)
    return cast(Image, resized if resized.ndim == 3 else resized[..., np.newaxis])
