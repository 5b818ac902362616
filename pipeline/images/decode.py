"""From encoded bytes to upright pixels.

TensorFlow's kernels decode JPEG and PNG: they refuse damaged files, whose missing pixels OpenCV would fill with gray.
OpenCV decodes GIF and WebP: it places a GIF's first frame on its full canvas, which TensorFlow's kernel does not. Both
release the GIL. BMPs are decoded by `bmp.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from augment.transform import Image
from pipeline.images.bmp import decode_bmp
from pipeline.images.header import MAX_PIXELS, Header, max_bytes, read_valid_header

KERNELS = ("jpeg", "png")
"""The formats that TensorFlow's kernels decode."""

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""The channels of each color mode."""

DCTS = {"fast": "", "accurate": "INTEGER_ACCURATE"}
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
        """Whether TensorFlow's kernels decode an image.

        Raises:
            ValueError: as `header` does.
        """
        return self.header(encoded).format in KERNELS

    def to_tensors(self, items: Sequence[Any]) -> Sequence[Any]:
        """Convert the bytes of images, all of `KERNELS`, or windows to tensors, which the decoder accepts as well.

        TensorFlow takes 9 us to create one tensor, and as long to create many.

        Args:
            items: bytes, or tuples of integers.
        """
        import tensorflow as tf

        if len(items) < 2:
            return [_tensor(item) for item in items]
        together = np.array(items, object if isinstance(items[0], bytes) else np.int32)
        return cast(Sequence[Any], tf.raw_ops.Unpack(value=tf.constant(together), num=len(items), axis=0))

    def __call__(self, encoded: Any, header: Header | None = None) -> Image:
        """Decode one image and turn it upright.

        Args:
            encoded: the image file's bytes, or a tensor of them.
            header: the image's header, if it has been read; a tensor needs it.

        Returns:
            uint8 [H, W, C], C as `color_mode` says. "rgb" drops transparency; "rgba" adds an opaque alpha channel to
            an image without one.

        Raises:
            ValueError: the bytes cannot be decoded as an image; the message says why.
        """
        header = header or self.header(encoded)
        channels = CHANNELS[self.color_mode]
        if header.format == "jpeg":
            image = self._decode_jpeg(encoded, header)
        elif header.format == "png":
            # Below 8 bits per channel and without transparency, TensorFlow's kernel returns an alpha of 1, 3 or 15.
            image = _decode_png(encoded, min(channels, 3) if header.is_opaque else channels)
        elif header.format == "bmp":
            image = decode_bmp(encoded)
        else:
            image = _decode_with_opencv(encoded, header.format)
        if image.shape[:2] != (header.height, header.width):
            raise ValueError(
                f"damaged {header.format.upper()}: the header claims {header.height} x {header.width} pixels, but "
                f"{image.shape[0]} x {image.shape[1]} were decoded"
            )
        return convert_channels(turn_upright(image, header.orientation), channels)

    def window(self, encoded: Any, header: Header, window: Any, ratio: int) -> Image:
        """Decode only a window of a JPEG that is stored upright.

        Args:
            encoded: the JPEG's bytes, or a tensor of them.
            header: the image's header.
            window: (top, left, height, width) in pixels of the image at 1/ratio of its size, or a tensor of them.
            ratio: 1, 2, 4 or 8: the divisor of the image's size at which the decoder computes its cosine transform.

        Returns:
            uint8 [height, width, C], C as `color_mode` says.

        Raises:
            ValueError: the bytes are damaged.
        """
        return convert_channels(self._decode_jpeg(encoded, header, window, ratio), CHANNELS[self.color_mode])

    def _decode_jpeg(self, encoded: Any, header: Header, window: Any = None, ratio: int = 1) -> Image:
        # TensorFlow's kernel yields no transparency, and no gray from CMYK.
        channels = 3 if header.components == 4 else min(CHANNELS[self.color_mode], 3)
        return _decode_jpeg(encoded, channels, DCTS[self.dct], window, ratio)


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


def _decode_jpeg(encoded: Any, channels: int, dct_method: str, window: Any, ratio: int) -> Image:
    import tensorflow as tf

    # With tensors for all inputs and a value for every attribute TensorFlow takes its fast path into the kernel; with
    # less it tries the fast path, fails, and starts again: 0.05 ms per image.
    options: dict[str, Any] = {
        "channels": channels,
        "ratio": ratio,
        "fancy_upscaling": True,
        "try_recover_truncated": False,
        "acceptable_fraction": 1.0,
        "dct_method": dct_method,
    }
    contents = _tensor(encoded)
    try:
        if window is None:
            return _pixels(tf.raw_ops.DecodeJpeg(contents=contents, **options))
        return _pixels(tf.raw_ops.DecodeAndCropJpeg(contents=contents, crop_window=_tensor(window), **options))
    except tf.errors.OpError as error:
        raise ValueError(f"damaged JPEG: {_first_line(error.message)}") from None


def _decode_png(encoded: Any, channels: int) -> Image:
    import tensorflow as tf

    try:
        # A tensor, and all attributes: see `_decode_jpeg`.
        return _pixels(tf.raw_ops.DecodePng(contents=_tensor(encoded), channels=channels, dtype=tf.uint8))
    except tf.errors.OpError as error:
        raise ValueError(f"damaged PNG: {_first_line(error.message)}") from None


def _tensor(item: Any) -> Any:
    """Convert bytes (TensorFlow copies them once from an array, twice without) or integers; a tensor passes."""
    import tensorflow as tf

    if isinstance(item, bytes):
        return tf.constant(np.array(item, object))
    return tf.constant(item) if isinstance(item, tuple) else item


def _pixels(tensor: Any) -> Image:
    """View a tensor as a read-only array that keeps it alive; `numpy()` would copy the pixels."""
    return np.asarray(memoryview(tensor))


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
