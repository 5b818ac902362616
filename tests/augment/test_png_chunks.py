"""Dropping the chunks of a PNG that change no pixel."""

import struct
import zlib

import cv2
import numpy as np

from augment.png_chunks import drop_texts


def make_chunk(kind: bytes, data: bytes) -> bytes:
    """Encode a chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


TEXTS = [make_chunk(kind, b"key\0\0" + zlib.compress(bytes(1000))) for kind in (b"zTXt", b"iTXt", b"tEXt", b"sPLT")]


def test_texts_are_dropped_wherever_they_stand() -> None:
    """What remains are the other chunks, byte for byte."""
    encoded = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8))[1].tobytes()
    assert drop_texts(encoded) == encoded
    longer = encoded[:33] + b"".join(TEXTS) + encoded[33:-12] + TEXTS[0] + encoded[-12:]
    assert drop_texts(longer) == encoded
    assert drop_texts(longer + TEXTS[1]) == encoded


def test_other_bytes_stay() -> None:
    """Of other formats, of damaged files, and of lengths beyond the end."""
    assert drop_texts(b"zTXt") == b"zTXt"
    damaged = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31) + b"zTXt"
    assert drop_texts(damaged) == damaged
    assert drop_texts(damaged + bytes(8)) == damaged[:8]
