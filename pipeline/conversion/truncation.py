"""Checking whether a JPEG or PNG is complete, without decoding it.

OpenCV fills the missing pixels of a truncated file with gray. Re-encoding would turn it into a sound image, so files
are checked first.
"""

import struct
import zlib


def check_jpeg(encoded: bytes) -> None:
    """Search for the end marker of a JPEG after its first scan (ITU-T T.81, annex B).

    An earlier end marker belongs to a thumbnail. Within a scan, 0xFF is the first byte of a marker or is followed by 0.

    Raises:
        ValueError: the file is truncated.
    """
    try:
        scan = _find_first_scan(encoded)
    except (IndexError, struct.error):
        scan = len(encoded)
    if encoded.find(b"\xff\xd9", scan) < 0:
        raise ValueError("damaged JPEG: truncated")


def check_png(encoded: bytes) -> None:
    """Check all chunks of a PNG by their checksums, up to its end (PNG, 5.3).

    Raises:
        ValueError: the file is truncated, or a checksum is wrong.
    """
    position = 8
    while position + 12 <= len(encoded):
        length, kind = struct.unpack_from(">I4s", encoded, position)
        end = position + 12 + length
        if end > len(encoded):
            break
        (checksum,) = struct.unpack_from(">I", encoded, end - 4)
        if zlib.crc32(memoryview(encoded)[position + 4 : end - 4]) != checksum:
            raise ValueError(f"damaged PNG: its {kind.decode('latin-1')!r} chunk fails its checksum")
        if kind == b"IEND":
            return
        position = end
    raise ValueError("damaged PNG: truncated")


def _find_first_scan(encoded: bytes) -> int:
    position = 2
    while True:
        while encoded[position] != 0xFF:
            position += 1
        while encoded[position] == 0xFF:
            position += 1
        marker = encoded[position]
        position += 1
        if marker == 0xDA:
            return position
        if marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            position += struct.unpack_from(">H", encoded, position)[0]
