"""Checking whether a JPEG or PNG is complete, without decoding it.

OpenCV fills the missing pixels of a truncated file with gray. Re-encoding would turn it into a sound image, so files
are checked first.
"""

import struct
import zlib

from pipeline.images.header import MAX_SEGMENTS, find_marker

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_PROGRESSIVE = (0xC2, 0xCA)

_MAX_CHUNKS = 1 << 20
"""The most chunks of a PNG; encoders write one per 8 KiB or more."""


def is_read_to_its_end(encoded: bytes) -> bool:
    """Follow a JPEG's segments and scans to its end marker (ITU-T T.81, annex B).

    An end marker inside a segment belongs to a thumbnail, or to nothing.

    Returns:
        Whether OpenCV sees all of it. OpenCV stops behind the only scan of a JPEG that is not progressive, and does not
        see errors between there and the end.

    Raises:
        ValueError: the file is truncated, or has more segments than an image.
    """
    position, markers = 2, bytearray()
    for _ in range(2 * MAX_SEGMENTS):
        position = find_marker(encoded, position)
        if position >= len(encoded):
            raise ValueError("damaged JPEG: truncated")
        marker = encoded[position]
        if marker == _END:
            is_progressive = any(frame in markers for frame in _PROGRESSIVE)
            return is_progressive or markers.count(_SCAN) == 1 == len(markers) - markers.index(_SCAN)
        if marker == _START:
            return False
        markers.append(marker)
        position += 1 + int.from_bytes(encoded[position + 1 : position + 3])
    raise ValueError(f"damaged JPEG: more than {2 * MAX_SEGMENTS} segments")


def check_png(encoded: bytes) -> None:
    """Check all chunks of a PNG by their checksums, up to its end (PNG, 5.3).

    Raises:
        ValueError: the file is truncated, a checksum is wrong, or there are more chunks than in an image.
    """
    position = 8
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(encoded):
            raise ValueError("damaged PNG: truncated")
        length, kind = struct.unpack_from(">I4s", encoded, position)
        end = position + 12 + length
        if end > len(encoded):
            raise ValueError("damaged PNG: truncated")
        (checksum,) = struct.unpack_from(">I", encoded, end - 4)
        if zlib.crc32(memoryview(encoded)[position + 4 : end - 4]) != checksum:
            raise ValueError(f"damaged PNG: its {kind.decode('latin-1')!r} chunk fails its checksum")
        if kind == b"IEND":
            return
        position = end
    raise ValueError(f"damaged PNG: more than {_MAX_CHUNKS} chunks")
