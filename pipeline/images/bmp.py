"""Decoding BMP files, of Windows and OS/2.

OpenCV takes a palette of OS/2 for gray levels, leaves levels of 5 bits darker than they are, misplaces rows behind some
runs, and refuses other variants. This module decodes all of them, to the colors of Pillow.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augment.transform import Image

_RGB, _BITFIELDS, _ALPHA_BITFIELDS = 0, 3, 6
_RUNS = {1: 8, 2: 4, 4: 24}
"""The bits per pixel of compressions that encode runs; in Windows, 4 means a JPEG, which has no bits per pixel."""

_OLDEST_HEADER = 12  # bytes: of OS/2 1, with sides of 16 bits and palette entries of 3 bytes
_MASKS_AT = 40  # bytes: the size of the header that has its masks behind it, and their position in larger ones
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}

_MAX_RUNS = 1 << 21
"""The most runs, ends of rows and steps: each takes a microsecond. A photograph of 12 million pixels has 50,000."""

_BLOCK_PIXELS = 1 << 18
"""Pixels that are computed at once: intermediate results then stay small."""


@dataclass(frozen=True)
class _Bitmap:
    """What the header of a BMP says.

    Attributes:
        width: in pixels.
        height: in pixels; negative if the first row is the upper one.
        bits: per pixel.
        compression: 0 for none.
        colors: the number of entries in the palette; 0 for all.
        header_size: in bytes, without the 14 bytes of the file header.
        offset: the position of the pixels in the file; 0 for directly behind the palette.
    """

    width: int
    height: int
    bits: int
    compression: int
    colors: int
    header_size: int
    offset: int

    @property
    def has_masks(self) -> bool:
        return self.compression in (_BITFIELDS, _ALPHA_BITFIELDS) and self.bits in _DEFAULT_MASKS

    @property
    def palette_offset(self) -> int:
        """The position behind the header, and behind the masks."""
        has_masks_behind = self.has_masks and self.header_size == _MASKS_AT
        return 14 + self.header_size + has_masks_behind * (16 if self.compression == _ALPHA_BITFIELDS else 12)


def decode_bmp(encoded: bytes) -> Image:
    """Decode a BMP.

    Returns:
        uint8 [H, W, 3], or [H, W, 4] if the file has transparency.

    Raises:
        ValueError: the file is truncated or damaged, or a variant that nobody writes.
    """
    bitmap = _read_bitmap(encoded)
    read, channels = _find_reader(encoded, bitmap)
    offset = bitmap.offset or bitmap.palette_offset
    has_runs = bitmap.compression in _RUNS
    rows = _decode_runs(encoded[offset:], bitmap) if has_runs else _read_rows(encoded, offset, bitmap)
    image = np.empty((len(rows), bitmap.width, channels), np.uint8)
    target = image if bitmap.height < 0 else image[::-1]
    step = max(1, _BLOCK_PIXELS // bitmap.width)
    for first in range(0, len(rows), step):
        target[first : first + step] = read(rows[first : first + step])
    return image


def _read_bitmap(encoded: bytes) -> _Bitmap:
    if len(encoded) < 18:
        raise ValueError("damaged BMP: truncated")
    offset, size = struct.unpack_from("<II", encoded, 10)
    header = encoded[14 : 14 + min(size, _MASKS_AT)]
    if len(header) < min(size, _MASKS_AT) or size < _OLDEST_HEADER:
        raise ValueError("damaged BMP: its header is truncated")
    if size == _OLDEST_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", header, 4)
        return _Bitmap(width, height, bits, _RGB, 0, size, offset)
    # OS/2 2 may cut the header behind any field; what is missing is 0.
    fields = struct.unpack_from("<iiHHIIiiII", header.ljust(_MASKS_AT, b"\0"), 4)
    width, height, _, bits, compression, *_, colors, _ = fields
    return _Bitmap(width, height, bits, compression, colors, size, offset)


_Reader = Callable[[NDArray[np.uint8]], Image]
"""Computes pixels [rows, W, C] from the bytes of rows [rows, bytes]."""


def _find_reader(encoded: bytes, bitmap: _Bitmap) -> tuple[_Reader, int]:
    """Return how rows are read, and the number of channels.

    Raises:
        ValueError: the variant is unknown.
    """
    bits, compression, width = bitmap.bits, bitmap.compression, bitmap.width
    has_runs = _RUNS.get(compression) == bits
    if bits in (1, 2, 4, 8) and (compression == _RGB or has_runs):
        palette = _read_palette(encoded, bitmap)
        return lambda rows: palette.take(rows if has_runs else _unpack(rows, bits)[:, :width], axis=0), 3
    if bits == 24 and (compression == _RGB or has_runs):
        return lambda rows: rows.reshape(len(rows), width, 3)[..., ::-1], 3
    if bits in _DEFAULT_MASKS and (compression == _RGB or bitmap.has_masks):
        masks = _read_masks(encoded, bitmap)
        channels = 4 if masks[3] else 3
        return lambda rows: _read_by_masks(rows, bits, masks[:channels]), channels
    raise ValueError(f"a BMP of {bits} bits per pixel with compression {compression} cannot be decoded")


def _read_palette(encoded: bytes, bitmap: _Bitmap) -> NDArray[np.uint8]:
    """Read the colors, uint8 [256, 3]; indices behind the last one are black."""
    if bitmap.colors > 256:
        raise ValueError(f"damaged BMP: the header claims a palette of {bitmap.colors} colors")
    size = 3 if bitmap.header_size == _OLDEST_HEADER else 4
    count = min(bitmap.colors or 256, 1 << bitmap.bits)
    start = bitmap.palette_offset
    entries = np.frombuffer(encoded[start : start + size * count].ljust(size * count, b"\0"), np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    palette[:count] = entries.reshape(count, size)[:, 2::-1]
    return palette


def _read_masks(encoded: bytes, bitmap: _Bitmap) -> tuple[int, ...]:
    """Read the masks of red, green, blue and alpha."""
    if not bitmap.has_masks:
        return _DEFAULT_MASKS[bitmap.bits]
    has_alpha = bitmap.header_size >= _MASKS_AT + 16 or bitmap.compression == _ALPHA_BITFIELDS
    count = 4 if has_alpha else 3
    if len(encoded) < 14 + _MASKS_AT + 4 * count:
        raise ValueError("damaged BMP: its header is truncated")
    masks = struct.unpack_from(f"<{count}I", encoded, 14 + _MASKS_AT)
    for mask in masks[:3]:
        if not mask:
            raise ValueError("damaged BMP: the mask of a color is empty")
    return (*masks, 0)[:4]


def _read_rows(encoded: bytes, offset: int, bitmap: _Bitmap) -> NDArray[np.uint8]:
    """Return the bytes of the rows, [H, bytes], without those that fill up the rows to multiples of 4 bytes."""
    count, used = abs(bitmap.height), -(-bitmap.width * bitmap.bits // 8)
    stride = -(-used // 4) * 4
    data = np.frombuffer(encoded, np.uint8)[offset:]
    if len(data) < stride * (count - 1) + used:
        raise ValueError("damaged BMP: truncated")
    if len(data) < stride * count:  # the last row lacks what would fill it up
        data = np.concatenate([data, np.zeros(stride, np.uint8)])
    return data[: stride * count].reshape(count, stride)[:, :used]


def _unpack(rows: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Unpack the indices of 1 to 8 bits in each byte, the highest bits first."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return (rows[..., np.newaxis] >> shifts & np.uint8((1 << bits) - 1)).reshape(len(rows), -1)


def _read_by_masks(rows: NDArray[np.uint8], bits: int, masks: tuple[int, ...]) -> Image:
    """Read the channels that masks select; levels of other than 8 bits are scaled to 0 to 255, and rounded down."""
    values = np.ascontiguousarray(rows).view(f"<u{bits // 8}").astype(np.uint64)
    image = np.empty((*values.shape, len(masks)), np.uint8)
    for channel, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        levels = (values & np.uint64(mask)) >> np.uint64(shift)
        image[..., channel] = levels * np.uint64(255) // np.uint64(mask >> shift)
    return image


def _decode_runs(data: bytes, bitmap: _Bitmap) -> NDArray[np.uint8]:
    """Decode runs, the first row first.

    Returns:
        The bytes of the rows, [H, bytes per row]: an index per pixel, or its blue, green and red. Pixels that are
        stepped over are 0.
    """
    width, height, bits = bitmap.width, abs(bitmap.height), bitmap.bits
    unit = 3 if bits == 24 else 1  # bytes per pixel
    pixels = bytearray(width * height * unit)
    row = column = position = 0
    for _ in range(_MAX_RUNS):
        if row >= height:
            break
        if position + 2 > len(data):
            raise ValueError("damaged BMP: truncated")
        count, kind = data[position], data[position + 1]
        position += 2
        if not count and kind == _END_OF_ROW:
            row, column = row + 1, 0
            continue
        if not count and kind == _END_OF_IMAGE:
            break
        if not count and kind == _STEP:
            right, up = data[position : position + 2].ljust(2, b"\0")
            if not right and not up:
                raise ValueError("damaged BMP: truncated, or a step that leads nowhere")
            row, column, position = row + up, column + right, position + 2
            continue
        # A pixel that is repeated, in RLE4 two in turn; or `kind` pixels, filled up to an even number of bytes.
        start = position - 1 if count else position
        size = unit if count else -(-kind * bits // 8)
        position = start + size + (0 if count else size % 2)
        run = data[start : start + size]
        if bits == 4:
            run = b"".join([_NIBBLES[byte] for byte in run])
        if count:
            run = run * count
        length = (count or kind) * unit
        first = (row * width + column) * unit
        if len(run) < length:
            raise ValueError("damaged BMP: truncated")
        column += count or kind
        if column > width:
            raise ValueError("damaged BMP: a run is longer than its row")
        pixels[first : first + length] = run[:length]
    else:
        raise ValueError(f"a BMP of more than {_MAX_RUNS} runs is not decoded")
    return np.frombuffer(pixels, np.uint8).reshape(height, width * unit)


_END_OF_ROW, _END_OF_IMAGE, _STEP = 0, 1, 2
_NIBBLES = [bytes([byte >> 4, byte & 15]) for byte in range(256)]
