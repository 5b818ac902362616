"""Decode as Keras does: TensorFlow's or Pillow's pixels, as stored, without the EXIF orientation."""

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.transform import Image
from pipeline.images.decode import Decoder
from pipeline.images.header import Header, UnknownFormatError
from pipeline.images.resize import resize as resize_by_opencv

PILLOW_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
"""The interpolations of `keras.utils.load_img`."""

PILLOW_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
"""The extensions of images for `ImageDataGenerator`."""

_WIDE_MODES = ("I;16", "I")
"""Pillow's modes of gray levels of 16 and 32 bits that Keras keeps with `color_mode="grayscale"`."""

_END_OF_JPEG = b"\xff\xd9"


@dataclass(frozen=True, kw_only=True)
class UnorientedDecoder(Decoder):
    """Decodes to the pixels of `tf.image.decode_image`, which ignores the EXIF orientation."""

    def header(self, encoded: bytes) -> Header:
        """Read the header and ignore the orientation; see `Decoder.header`."""
        return super().header(encoded)._replace(orientation=1)


@dataclass(frozen=True, kw_only=True)
class RoundingDecoder(UnorientedDecoder):
    """Decodes and resizes to whole levels, for a decoded cache.

    Attributes:
        resizer: resizes the decoded image.
    """

    resizer: Any

    def defer(self, encoded: bytes, header: Header, window: Any = None, ratio: int = 1) -> None:
        """Defer nothing: the pixels are resized."""

    def __call__(self, encoded: bytes, header: Header | None = None) -> Image:
        """Decode and resize one image: uint8 [H, W, C]."""
        resized = self.resizer(super().__call__(encoded, header or self.header(encoded)))
        return cast(Image, np.clip(np.rint(resized), 0, 255).astype(np.uint8))


@dataclass(frozen=True, kw_only=True)
class ResizingDecoder(Decoder):
    """Decodes and resizes to the pixels of `keras.utils.load_img`.

    Attributes:
        target_size: (height, width) in pixels.
        interpolation: one of `PILLOW_INTERPOLATIONS`.
        keep_aspect_ratio: crop the center first, so that nothing is stretched.
    """

    target_size: tuple[int, int]
    interpolation: str = "nearest"
    keep_aspect_ratio: bool = False

    def defer(self, encoded: bytes, header: Header, window: Any = None, ratio: int = 1) -> None:
        """Defer nothing: the pixels are resized, and Pillow decodes some of them."""

    def header(self, encoded: bytes) -> Header:
        """Read the header, and return it with the size after the resize.

        Raises:
            ValueError: the bytes are not an image of a known format, or the image is too large.
        """
        try:
            header = super().header(encoded)
        except UnknownFormatError as error:
            header = self._read_header_by_pillow(encoded, error)
        height, width = self.target_size
        return header._replace(height=height, width=width, orientation=1)

    def __call__(self, encoded: bytes, header: Header | None = None) -> Image:
        """Decode one image [height, width, C]: float32 for gray levels of 16 or 32 bits, else uint8.

        Raises:
            ValueError: the bytes are damaged; the message names the damage.
        """
        header = header or self.header(encoded)
        image = self._decode(encoded, header)
        if isinstance(image, np.ndarray):
            if self.color_mode == "grayscale" and image.shape[2] == 3:
                image = np.asarray(_to_pillow(image).convert("L"))[..., np.newaxis]
            return image if image.shape[:2] == self.target_size else self._resize(image)
        if image.size != self.target_size[::-1]:
            image = self._resize_by_pillow(image)
        return _to_array(image)

    def _decode(self, encoded: bytes, header: Header) -> Any:
        """Return an array, or a Pillow image of gray levels of 16 or 32 bits."""
        # Pillow converts RGB to gray: the decoders return the JPEG's own luma, or use libpng's weights.
        color_mode = "rgb" if self.color_mode == "grayscale" and header.components != 1 else self.color_mode
        if header.format == "jpeg" and header.components != 4 and encoded.rstrip(b"\0").endswith(_END_OF_JPEG):
            return _decode_whole_jpeg(encoded, color_mode)
        # The other decoders read few bits with transparency wrongly.
        is_gray16 = header.format == "png" and encoded[24:26] == b"\x10\0"
        is_rare_png = header.format == "png" and (color_mode == "rgba" or is_gray16)
        is_rare_jpeg = header.format == "jpeg" and header.components == 4
        decoder = Decoder(color_mode=color_mode, max_pixels=self.max_pixels)
        if header.format == "bmp":
            try:
                return self._decode_by_pillow(encoded)
            except ValueError:  # a variant that only this decoder reads, or damage, which it names
                return decoder(encoded)
        if header.format in ("pillow", "gif") or is_rare_png or is_rare_jpeg:
            return self._decode_by_pillow(encoded)
        return decoder(encoded)  # `header` has the size to come

    def _resize(self, image: Image) -> Image:
        if self.interpolation == "nearest" and not self.keep_aspect_ratio:
            return _resize_nearest(image, self.target_size)
        return _to_array(self._resize_by_pillow(_to_pillow(image)))

    def _resize_by_pillow(self, image: Any) -> Any:
        from PIL import Image as PillowImage

        (width, height), size = image.size, self.target_size
        box = _find_central_window(height, width, size) if self.keep_aspect_ratio else None
        return image.resize(size[::-1], PillowImage.Resampling[self.interpolation.upper()], box=box)

    def _decode_by_pillow(self, encoded: bytes) -> Any:
        """Decode as Keras does: gray levels of 16 or 32 bits are kept in gray, and clipped to 255 in color.

        Raises:
            ValueError: Pillow cannot decode the image.
        """
        mode = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}[self.color_mode]
        try:
            with _open_by_pillow(encoded) as image:
                image.load()
                if mode == "L" and image.mode in _WIDE_MODES:
                    return image.copy()
                if image.mode in (*_WIDE_MODES, "I;16B", "F"):
                    _warn_clipped(image, self.color_mode)
                return _to_array(image.convert(mode))
        except Exception as error:  # Pillow raises exceptions of many types
            raise ValueError(f"cannot be decoded: {error}") from None

    def _read_header_by_pillow(self, encoded: bytes, refusal: ValueError) -> Header:
        """Read the header of a format that only Pillow decodes: PPM, TIFF.

        Raises:
            ValueError: Pillow cannot read it either, or the image is too large.
        """
        try:
            with _open_by_pillow(encoded) as image:
                width, height = image.size
        except Exception:  # Pillow raises exceptions of many types; the refusal names the reason
            raise refusal from None
        if height * width > self.max_pixels:
            raise refusal
        return Header("pillow", height, width)


@dataclass(frozen=True, kw_only=True)
class Resizer:
    """Resizes as `keras.utils.image_dataset_from_directory` does: by `tf.image.resize`, without antialiasing.

    Attributes:
        size: (height, width) in pixels.
        interpolation: a method of `tf.image.resize`, in lower case.
        crops: crop the center first, so that nothing is stretched.
        pads: add black borders instead.
    """

    size: tuple[int, int]
    interpolation: str = "bilinear"
    crops: bool = False
    pads: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of resized images: uint8 for "nearest", float32 for the others, as in Keras."""
        return np.dtype(np.uint8 if self.interpolation == "nearest" else np.float32)

    def __call__(self, image: Image) -> Image:
        """Resize one image, uint8 or float32 [H, W, C]."""
        if self.pads:
            return self._resize_with_pad(image)
        if self.crops:
            left, top, right, bottom = _find_central_window(image.shape[0], image.shape[1], self.size)
            image = image[top:bottom, left:right]
        if self.interpolation == "bilinear":
            # OpenCV's floating-point resize returns TensorFlow's pixels in a quarter of the time.
            return resize_by_opencv(image.astype(np.float32), self.size)
        return self._resize_by_tensorflow(image)

    def _resize_by_tensorflow(self, image: Image) -> Image:
        import tensorflow as tf

        resized = tf.image.resize(image, self.size, method=self.interpolation)
        return cast(Image, resized.numpy().astype(self.dtype, copy=False))

    def _resize_with_pad(self, image: Image) -> Image:
        import tensorflow as tf

        padded = tf.image.resize_with_pad(image, *self.size, method=self.interpolation)
        return cast(Image, padded.numpy().astype(self.dtype, copy=False))


def _resize_nearest(image: Image, size: tuple[int, int]) -> Image:
    """Resize to the pixels of Pillow's "nearest": by OpenCV, except rows and columns that the two round differently."""
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).reshape(*size, image.shape[2])
    rows, other_rows = _find_nearest_pixels(image.shape[0], size[0])
    columns, other_columns = _find_nearest_pixels(image.shape[1], size[1])
    if len(other_columns):
        resized[:, other_columns] = image[rows[:, np.newaxis], columns[other_columns]]
    if len(other_rows):
        resized[other_rows] = image[rows[other_rows, np.newaxis], columns]
    return resized


@lru_cache(maxsize=4096)
def _find_nearest_pixels(side: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels that Pillow selects to resize a row, and the positions where OpenCV selects others."""
    from PIL import Image as PillowImage

    row = np.arange(side, dtype=np.int32)[np.newaxis]
    selected = np.asarray(PillowImage.fromarray(row).resize((target, 1), PillowImage.Resampling.NEAREST))[0]
    by_opencv = cv2.resize(row.astype(np.float32), (target, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]
    return selected.astype(np.int64), np.flatnonzero(selected != by_opencv)


def _find_central_window(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the largest central window (left, top, right, bottom) with the aspect ratio of a size."""
    rows = max(min(height, width * size[0] // size[1]), 1)
    columns = max(min(width, height * size[1] // size[0]), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    return left, top, left + columns, top + rows


def _decode_whole_jpeg(encoded: bytes, color_mode: str) -> Image:
    """Decode a complete JPEG by OpenCV: exactly Pillow's pixels, in four fifths of TensorFlow's time.

    Raises:
        ValueError: OpenCV cannot decode it.
    """
    flag = cv2.IMREAD_GRAYSCALE if color_mode == "grayscale" else cv2.IMREAD_COLOR_RGB
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError("damaged JPEG")
    if color_mode == "rgba":
        return cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    return image if image.ndim == 3 else image[..., np.newaxis]


def _open_by_pillow(encoded: bytes) -> Any:
    from PIL import Image as PillowImage

    return PillowImage.open(io.BytesIO(encoded))


def _to_pillow(image: Image) -> Any:
    from PIL import Image as PillowImage

    return PillowImage.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _to_array(image: Any) -> Image:
    """Return the pixels of a Pillow image, [H, W, C]."""
    pixels = np.asarray(image)
    pixels = pixels if image.mode not in _WIDE_MODES else pixels.astype(np.float32)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _warn_clipped(image: Any, color_mode: str) -> None:
    levels = np.asarray(image)
    if levels.min() < 0 or levels.max() > 255:
        is_kept = image.mode in _WIDE_MODES
        remedy = 'use color_mode="grayscale"' if is_kept else f"store the levels in mode {' or '.join(_WIDE_MODES)}"
        warnings.warn(
            f'levels outside 0 to 255 of Pillow\'s mode "{image.mode}" are clipped with color_mode="{color_mode}", '
            f"as in Keras; {remedy} to keep them",
            stacklevel=2,
        )
