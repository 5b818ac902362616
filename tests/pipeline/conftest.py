"""Hand-made pieces of image files, which no library writes."""

import struct
import zlib
from collections.abc import Callable

import pytest


def make_tiff(orientation: int, byte_order: str = "<", kind: int = 3) -> bytes:
    """Write EXIF data (a TIFF file) with one other tag and an orientation."""
    head = {"<": b"II", ">": b"MM"}[byte_order] + struct.pack(byte_order + "HI", 42, 8)
    maker = struct.pack(byte_order + "HHII", 0x010F, 2, 2, 0x4100)
    tag = struct.pack(byte_order + "HHI", 0x0112, kind, 1)
    value = struct.pack(byte_order + ("I" if kind == 4 else "Hxx"), orientation)
    return head + struct.pack(byte_order + "H", 2) + maker + tag + value + struct.pack(byte_order + "I", 0)


def put_tiff(encoded: bytes, tiff: bytes) -> bytes:
    """Put EXIF data into a JPEG (as its first segment), a PNG (before its pixels) or a lossy or lossless WebP."""
    if encoded.startswith(b"\xff\xd8"):
        payload = b"Exif\0\0" + tiff
        return encoded[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + encoded[2:]
    if encoded.startswith(b"\x89PNG"):
        return encoded[:33] + png_chunk(b"eXIf", tiff) + encoded[33:]
    from pipeline.images.header import read_header

    header = read_header(encoded)
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (header.width, header.height))
    extended = b"VP8X" + struct.pack("<IB3x", 10, 0b1000) + sides
    padded = tiff + bytes(len(tiff) % 2)
    body = b"WEBP" + extended + encoded[12:] + b"EXIF" + struct.pack("<I", len(tiff)) + padded
    return b"RIFF" + struct.pack("<I", len(body)) + body


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    """Frame one PNG chunk."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def make_png(width: int, height: int) -> bytes:
    """Write a PNG that claims a size, and holds one grey row of eight pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(bytes(9))) + png_chunk(b"IEND", b"")


@pytest.fixture(scope="session")
def tiff() -> Callable[..., bytes]:
    """Give `tiff(orientation, byte_order="<", kind=3)`: EXIF data."""
    return make_tiff


@pytest.fixture(scope="session")
def with_tiff() -> Callable[[bytes, bytes], bytes]:
    """Give `with_tiff(encoded, tiff)`: a JPEG, PNG or WebP with EXIF data in it."""
    return put_tiff


@pytest.fixture(scope="session")
def png_of() -> Callable[[int, int], bytes]:
    """Give `png_of(width, height)`: a PNG that claims this size and is small itself."""
    return make_png
