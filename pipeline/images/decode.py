"""From encoded bytes to upright pixels.

The native module decodes JPEG and PNG to the pixels of TensorFlow's kernels, which replace it where it is missing. Both
refuse damaged files, whose missing pixels OpenCV would fill with gray. OpenCV decodes GIF and WebP: it places a GIF's
first frame on its full canvas, which TensorFlow's kernel does not. All of them release the GIL. BMPs are decoded by
`bmp.py`.
"""

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from augment.plan.deferred import DeferredImage, defer_decoding
from augment.plan.encoded import EncodedImage, load_decoder
from augment.png_chunks import drop_texts
from augment.transform import Image
from pipeline.images.bmp import decode_bmp
from pipeline.images.header import MAX_PIXELS, Header, max_bytes, read_valid_header

_NATIVE = ("jpeg", "png")
"""The formats that the native module decodes, or TensorFlow."""

Crop = tuple[int, int, int, int]
"""A window (top, left, height, width) in pixels."""

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""The channels of each color mode."""

DCTS = ("fast", "accurate")
"""TensorFlow's name of each inverse cosine transform of JPEGs; its default is the fast one."""


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Decodes images to one color mode.

    Attributes:
        color_mode: "grayscale", "rgb" or "rgba".
        max_pixels: maximum number of pixels; an image whose header claims more is refused before memory is allocated.
        dct: the inverse cosine transform of JPEGs: "fast", or "accurate", with the pixels of Pillow and OpenCV.
    """

    color_mode: str = "rgb"
    max_pixels: int = MAX_PIXELS
    dct: str = "fast"

    @property
    def max_bytes(self) -> int:
        """The number of bytes above which a file is not read."""
        return max_bytes(self.max_pixels)

    def header(self, encoded: bytes) -> Header:
        """Read the header and refuse what must not be decoded.

        Raises:
            ValueError: the format is unknown, or the image is too large; the message says why.
        """
        return read_valid_header(encoded, self.max_pixels)

    def needs_tensorflow(self, encoded: bytes) -> bool:
        """Whether TensorFlow decodes an image.

        Raises:
            ValueError: as `header` does.
        """
        return self.header(encoded).format in _NATIVE and load_decoder() is None

    def __call__(self, encoded: bytes, header: Header | None = None) -> Image:
        """Decode one image and turn it upright.

        Args:
            encoded: the image file's bytes.
            header: the image's header, if it has been read.

        Returns:
            uint8 [H, W, C], C as `color_mode` says. "rgb" drops transparency; "rgba" adds an opaque alpha channel to
            an image without one.

        Raises:
            ValueError: the bytes cannot be decoded as an image; the message says why.
        """
        header = header or self.header(encoded)
        channels = CHANNELS[self.color_mode]
        if header.format in _NATIVE:
            image = _decode(self._encoded_image(encoded, header))
        else:
            image = decode_bmp(encoded) if header.format == "bmp" else _decode_with_opencv(encoded, header.format)
            if image.shape[:2] != header.size:
                raise ValueError(
                    f"damaged {header.format.upper()}: the header claims {header.height} x {header.width} pixels, but "
                    f"{image.shape[0]} x {image.shape[1]} were decoded"
                )
        return convert_channels(turn_upright(image, header.orientation), channels)

    def window(self, encoded: bytes, header: Header, window: Crop, ratio: int) -> Image:
        """Decode only a window of a JPEG that is stored upright.

        Args:
            encoded: the JPEG's bytes.
            header: the image's header.
            window: (top, left, height, width) in pixels of the image at 1/ratio of its size.
            ratio: 1, 2, 4 or 8: the divisor of the image's size at which the decoder computes its cosine transform.

        Returns:
            uint8 [height, width, C], C as `color_mode` says.

        Raises:
            ValueError: the bytes are damaged.
        """
        image = _decode(self._encoded_image(encoded, header, window, ratio))
        return convert_channels(image, CHANNELS[self.color_mode])

    def defer(self, encoded: bytes, header: Header, window: Crop | None = None, ratio: int = 1) -> DeferredImage | None:
        """Defer `__call__`, or `window` if there is one; None if the native module does not decode such an image."""
        image_format, orientation = header.format, header.orientation
        if self.color_mode != "rgb" or image_format not in _NATIVE or orientation != 1 or load_decoder() is None:
            return None
        return defer_decoding(self._encoded_image(encoded, header, window, ratio))

    def _encoded_image(
        self, encoded: bytes, header: Header, window: Crop | None = None, ratio: int = 1
    ) -> EncodedImage:
        """Return what the native module decodes; its channels are those of the color mode, or are converted to them."""
        channels = CHANNELS[self.color_mode]
        if header.format == "png":
            # Below 8 bits per channel and without transparency, libpng adds an alpha of 1, 3 or 15.
            return EncodedImage("png", encoded, header.size, min(channels, 3) if header.is_opaque else channels)
        channels = 3 if header.components == 4 else min(channels, 3)  # no transparency, and no gray from CMYK
        corner, size = (None, header.size) if window is None else (window[:2], window[2:])
        is_accurate = self.dct == "accurate"
        return EncodedImage("jpeg", encoded, size, channels, ratio=ratio, corner=corner, is_accurate=is_accurate)


def turn_upright(image: Image, orientation: int) -> Image:
    """Undo an EXIF orientation.

    Args:
        image: [H, W, C] as stored.
        orientation: 1 to 8 (EXIF 2.3, tag 0x0112).

    Returns:
        The upright image: [H, W, C], or [W, H, C] for 5 to 8.
    """
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def convert_channels(image: Image, channels: int) -> Image:
    """Convert between gray [H, W, 1], RGB [H, W, 3] and RGBA [H, W, 4]."""
    conversion = _CONVERSIONS.get((image.shape[2], channels))
    if conversion is None:
        return image
    converted = cv2.cvtColor(image, conversion)
    return cast(Image, converted if converted.ndim == 3 else converted[..., np.newaxis])


_CONVERSIONS = {
    (1, 3): cv2.COLOR_GRAY2RGB,
    (1, 4): cv2.COLOR_GRAY2RGBA,
    (3, 1): cv2.COLOR_RGB2GRAY,
    (3, 4): cv2.COLOR_RGB2RGBA,
    (4, 1): cv2.COLOR_RGBA2GRAY,
    (4, 3): cv2.COLOR_RGBA2RGB,
}


def _decode(image: EncodedImage) -> Image:
    name = image.format.upper()
    if load_decoder() is not None:
        return image.decode()
    pixels = _decode_with_tensorflow(image)
    if pixels.shape != image.shape:
        raise ValueError(
            f"damaged {name}: the header claims {image.shape[0]} x {image.shape[1]} pixels, but {pixels.shape[0]} x "
            f"{pixels.shape[1]} were decoded"
        )
    return pixels


def _decode_with_tensorflow(image: EncodedImage) -> Image:
    import tensorflow as tf

    # A value for every attribute takes TensorFlow's fast path into the kernel.
    jpeg_options: dict[str, Any] = {
        "channels": image.shape[2],
        "ratio": image.ratio,
        "fancy_upscaling": True,
        "try_recover_truncated": False,
        "acceptable_fraction": 1.0,
        "dct_method": "INTEGER_ACCURATE" if image.is_accurate else "",
    }
    contents = tf.constant(np.array(drop_texts(image.encoded), object))
    try:
        if image.format == "png":
            tensor = tf.raw_ops.DecodePng(contents=contents, channels=image.shape[2], dtype=tf.uint8)
        elif image.corner is None:
            tensor = tf.raw_ops.DecodeJpeg(contents=contents, **jpeg_options)
        else:
            window = tf.constant((*image.corner, *image.shape[:2]))
            tensor = tf.raw_ops.DecodeAndCropJpeg(contents=contents, crop_window=window, **jpeg_options)
    except tf.errors.OpError as error:
        raise ValueError(f"damaged {image.format.upper()}: {_first_line(error.message)}") from None
    return np.asarray(memoryview(tensor))  # read-only, and keeps the tensor alive; `numpy()` would copy the pixels


def _decode_with_opencv(encoded: bytes, image_format: str) -> Image:
    buffer = np.frombuffer(encoded, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"damaged {image_format.upper()}: {_first_line(error.err)}") from None
    if image is None:
        raise ValueError(f"damaged {image_format.upper()}, or a variant that OpenCV cannot decode")
    if image.ndim == 2:
        return cast(Image, image[..., np.newaxis])
    return cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA))


def _first_line(message: str) -> str:
    # TensorFlow puts the name of its op before the reason and after it.
    return message.rpartition("}} ")[2].partition(" [Op:")[0].strip().splitlines()[0]
