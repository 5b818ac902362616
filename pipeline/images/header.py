"""The headers of encoded images: format, size and orientation, before any pixel is decoded.

The header is read first for three reasons: an image that claims to be enormous is refused before memory is allocated
for it, `inspect` describes a dataset without decoding it, and the EXIF orientation is not part of the pixels.
"""

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

MAX_PIXELS = 89_478_485
"""The default of `max_pixels`: above it Pillow warns of a decompression bomb (256 MiB of RGB)."""

MAX_SEGMENTS = 4096
"""The most segments or chunks of a header; a JPEG's largest profiles and previews take some hundreds, of 64 KiB."""

MAX_SCANS = 100
"""The most scans of a JPEG: encoders write about ten. Each scan costs a pass over all pixels, and 10 bytes."""


class UnknownFormatError(ValueError):
    """The bytes do not begin as an image of a known format does."""


class _TooLongError(ValueError):
    """A header has more parts than any encoder writes; the message says which."""


class Header(NamedTuple):
    """The header of an encoded image.

    Attributes:
        format: "jpeg", "png", "gif", "bmp" or "webp".
        height: rows of pixels as stored, before orientation.
        width: columns of pixels as stored.
        orientation: the EXIF orientation, 1 to 8; 1 if there is none or an invalid one.
        components: of a JPEG, the number of its color components: 1 (gray), 3 (YCbCr) or 4 (CMYK).
        is_opaque: whether a PNG has no transparency; False for other formats.
    """

    format: str
    height: int
    width: int
    orientation: int = 1
    components: int = 3
    is_opaque: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.height, self.width

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) after the orientation has been applied: 5 to 8 exchange the two."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_header(encoded: bytes) -> Header:
    """Read the header of a JPEG, PNG, GIF, BMP or WebP image.

    Args:
        encoded: the image file's bytes; a prefix that contains the header is enough.

    Raises:
        UnknownFormatError: the format is unknown; the message shows the first bytes.
        ValueError: the header is truncated, damaged or too long, or announces too many scans; the message says which.
    """
    for signature, read in _READERS.items():
        if encoded.startswith(signature):
            try:
                return read(encoded)
            except _TooLongError:
                raise
            except (struct.error, IndexError, ValueError):
                raise ValueError(f"the {read.__name__.removeprefix('_read_')} header is truncated or damaged") from None
    if not encoded:
        raise UnknownFormatError("the file is empty")
    raise UnknownFormatError(f"not a JPEG, PNG, GIF, BMP or WebP image: it begins with {encoded[:12]!r}")


def read_valid_header(encoded: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the header of an image and refuse what must not be decoded.

    Raises:
        ValueError: the format is unknown, or the image is too large; the message says why.
    """
    header = read_header(encoded)
    if header.height < 1 or header.width < 1:
        raise ValueError(f"the header claims {header.height} x {header.width} pixels")
    if header.height * header.width > max_pixels:
        raise ValueError(
            f"the header claims {header.height} x {header.width} pixels, more than max_pixels={max_pixels}; "
            "raise max_pixels if you trust the image"
        )
    return header


def max_bytes(max_pixels: int = MAX_PIXELS) -> int:
    """Return the number of bytes above which a file is not read: the pixels as uncompressed RGBA with 16 bits."""
    return 8 * max_pixels


def _read_jpeg(encoded: bytes) -> Header:
    # A JPEG file is a chain of segments: 0xFF, a marker, and a big-endian length that counts itself (ITU-T T.81, annex
    # B). Between segments libjpeg skips bytes that are no marker (`next_marker` of jdmarker.c). This reader must skip
    # the same, or the decoder finds another frame, of another size.
    position, exif = 2, b""
    for _ in range(MAX_SEGMENTS):
        position = encoded.index(b"\xff", position) + 1
        if encoded[position] == 0xFF:
            position = _skip(_FILL, encoded, position)
        marker = encoded[position]
        position += 1
        if marker <= 0x01 or 0xD0 <= marker <= 0xD8:  # a stuffed zero, or a marker without a payload
            continue
        (length,) = struct.unpack_from(">H", encoded, position)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width, components = struct.unpack_from(">HHB", encoded, position + 3)
            _check_scans(encoded, position + length, None if marker in _PROGRESSIVE else components)
            return Header("jpeg", height, width, _read_orientation(exif), components)
        if marker in (_END, _SCAN):  # end of image, or pixels before their frame
            raise IndexError
        if marker == 0xE1 and encoded.startswith(b"Exif\0\0", position + 2):
            exif = encoded[position + 8 : position + length]
        position += length
    raise _TooLongError(f"the jpeg header has more than {MAX_SEGMENTS} segments")


_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_SMALL = 2048  # bytes

# Neither pattern goes back, so that the time is linear in the bytes, whatever they are.
_FILL = re.compile(rb"\xff*+")
_PIXELS = re.compile(rb"[^\xff]*+(?:\xff++[\x00\x01\xd0-\xd7][^\xff]*+)*+\xff*+")
"""The bytes up to the marker of the next segment: pixels contain stuffed zeros and restart markers."""


def find_marker(encoded: bytes, position: int) -> int:
    """Return the position of a JPEG's next marker, behind its 0xFF: of a segment, or of the image's start or end."""
    return _skip(_PIXELS, encoded, position)


def _skip(pattern: re.Pattern[bytes], encoded: bytes, position: int) -> int:
    """Return the position behind a pattern that also matches nothing."""
    found = pattern.match(encoded, position)
    return position if found is None else found.end()


def _check_scans(encoded: bytes, position: int, components: int | None) -> None:
    """Refuse a JPEG with more than `MAX_SCANS` scans, as far as its bytes are there.

    Args:
        encoded: the JPEG.
        position: the end of its frame segment.
        components: the number of components of a first scan that is the only one; None if others always follow.
    """
    if len(encoded) - position < _SMALL and encoded.count(b"\xff\xda", position) <= MAX_SCANS:
        return  # of small images, following the segments would take a tenth of the time
    scans = 0
    for _ in range(MAX_SEGMENTS):
        position = find_marker(encoded, position)
        if position + 4 > len(encoded) or (marker := encoded[position]) in (_START, _END):
            return
        if marker == _SCAN:
            if not scans and encoded[position + 3] == components:
                return  # it has all components of all pixels; libjpeg refuses further scans
            scans += 1
            if scans > MAX_SCANS:
                raise _TooLongError(f"the JPEG has more than {MAX_SCANS} scans")
        position += 1 + (encoded[position + 1] << 8 | encoded[position + 2])
    raise _TooLongError(f"the JPEG has more than {MAX_SEGMENTS} segments")


def _read_png(encoded: bytes) -> Header:
    width, height = _PNG_SIZE.unpack_from(encoded, 16)
    position, exif = 8, b""
    is_opaque = not encoded[25] & 4  # the bit of an alpha channel in the color type
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(encoded):
            break
        length, kind = _PNG_CHUNK.unpack_from(encoded, position)
        if kind == b"eXIf":
            exif = encoded[position + 8 : position + 8 + min(length, _MAX_EXIF)]
        if kind == b"tRNS":
            is_opaque = False
        if kind == b"IDAT":  # both chunks come before it
            break
        position += 12 + length
    else:
        raise _TooLongError(f"the png header has more than {MAX_SEGMENTS} chunks")
    return Header("png", height, width, _read_orientation(exif), is_opaque=is_opaque)


_MAX_EXIF = 1 << 16
"""Bytes of EXIF data that are read: no more fit into a JPEG's segment."""

_PNG_SIZE = struct.Struct(">II")
_PNG_CHUNK = struct.Struct(">I4s")


def _read_gif(encoded: bytes) -> Header:
    width, height = struct.unpack_from("<HH", encoded, 6)
    return Header("gif", height, width)


def _read_bmp(encoded: bytes) -> Header:
    (header_size,) = struct.unpack_from("<I", encoded, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", encoded, 18)
    return Header("bmp", abs(height), width)  # a negative height stores the rows from the top


def _read_webp(encoded: bytes) -> Header:
    kind = encoded[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", encoded, 26)
        return Header("webp", height & 0x3FFF, width & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", encoded, 21)
        return Header("webp", (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    if kind != b"VP8X" or encoded[8:12] != b"WEBP":
        raise IndexError
    width, height = (int.from_bytes(size, "little") + 1 for size in struct.unpack_from("3s3s", encoded, 24))
    return Header("webp", height, width, _read_webp_orientation(encoded))


def _read_webp_orientation(encoded: bytes) -> int:
    position = 12
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(encoded):
            return 1
        kind, length = struct.unpack_from("<4sI", encoded, position)
        if kind == b"EXIF":
            exif = encoded[position + 8 : position + 8 + min(length, _MAX_EXIF)]
            return _read_orientation(exif.removeprefix(b"Exif\0\0"))
        position += 8 + length + length % 2
    raise _TooLongError(f"the webp header has more than {MAX_SEGMENTS} chunks")


def _read_orientation(tiff: bytes) -> int:
    """Return tag 0x0112 of the first directory of EXIF data; 1 if there is none or an invalid one."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == 0x0112 and kind == 3:
                (value,) = struct.unpack_from(order + "H", tiff, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


_READERS: dict[bytes, Callable[[bytes], Header]] = {
    b"\xff\xd8": _read_jpeg,
    b"\x89PNG\r\n\x1a\n": _read_png,
    b"GIF8": _read_gif,
    b"BM": _read_bmp,
    b"RIFF": _read_webp,
}
