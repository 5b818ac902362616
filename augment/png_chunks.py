"""The chunks of a PNG."""

import struct

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"zTXt", b"iTXt", b"sPLT", b"tEXt")


def drop_texts(encoded: bytes) -> bytes:
    """Return a PNG without its texts and suggested palettes; other bytes stay as they are.

    They change no pixel. libpng stores each, decompressed to up to 8 MB, and a few kB decompress to that.
    """
    if not encoded.startswith(_SIGNATURE) or not any(kind in encoded for kind in _TEXTS):
        return encoded
    kept, position, start = [], len(_SIGNATURE), 0
    while position + 12 <= len(encoded):
        length, kind = struct.unpack_from(">I4s", encoded, position)
        end = position + 12 + length
        if kind in _TEXTS:
            kept.append(encoded[start:position])
            start = min(end, len(encoded))
        position = end
    return b"".join([*kept, encoded[start:]])
