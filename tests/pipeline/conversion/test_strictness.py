"""Re-encoding is as strict as the loader: what the loader refuses to decode does not become a sound image."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.conversion.reencode import decode
from pipeline.images.decode import Decoder

RATIOS = (1, 2, 4, 8)
PARTS = [
    b"\xff\xd9", b"\xff\xd8", b"\xff\xd0", b"\xff\0", b"abc", b"\xff\xe0\0\1", b"\xff\xc8\0\2", b"\xff\xc4\0\3\x55",
    b"\xff\xfe\0\6\xff\xd9ab", b"\xff\xdb\0\x43\x0a", b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0",
    b"\xff\xc0\0\x11\x08\0\x10\0\x10\3\1\x22\0\2\x11\1\3\x11\1",
]  # fmt: skip
"""What is inserted: markers and segments, whole and damaged."""


def write_image(seed: int, image_format: str, **options: Any) -> bytes:
    """Write a small picture as JPEG or PNG."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    picture = PIL.Image.fromarray(small).resize((13 + seed % 30, 9 + seed % 37), PIL.Image.Resampling.BICUBIC)
    written = io.BytesIO()
    picture.save(written, image_format, **options)
    return written.getvalue()


def mend_checksums(encoded: bytes) -> bytes:
    """Give all chunks of a PNG the checksums of what is in them, as far as they can be followed."""
    repaired, position = encoded[:8], 8
    while position + 12 <= len(encoded):
        end = position + 8 + struct.unpack_from(">I", encoded, position)[0]
        if end + 4 > len(encoded):
            break
        body = encoded[position + 4 : end]
        repaired += encoded[position : position + 4] + body + struct.pack(">I", zlib.crc32(body))
        position = end + 4
    return repaired + encoded[position:]


def can_decode(attempt: Any, encoded: bytes) -> bool:
    """Whether a decoder accepts bytes; it must raise nothing else than a ValueError."""
    try:
        attempt(encoded)
    except ValueError:
        return False
    return True


def check_strictness(encoded: bytes) -> None:
    """Compare the decoders of the loader and of `convert`, at each DCT scale."""
    decoder = Decoder(max_pixels=10**7)
    if can_decode(decoder, encoded):
        return
    for ratio in RATIOS:
        assert not can_decode(lambda data, ratio=ratio: decode(data, decoder.header(data), ratio), encoded), ratio


EDITS = st.tuples(
    st.sampled_from(["replace", "cut", "delete", "insert", "copy", "end"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
    st.one_of(st.sampled_from(PARTS), st.binary(min_size=1, max_size=6)),
)


@settings(max_examples=150)
@given(
    seed=st.integers(0, 99),
    options=st.sampled_from([("JPEG", {}), ("JPEG", {"progressive": True}), ("JPEG", {"restart_marker_blocks": 2}),
                             ("PNG", {})]),
    edits=st.lists(EDITS, min_size=1, max_size=3),
    is_repaired=st.booleans(),
)  # fmt: skip
def test_no_damage_that_the_loader_refuses_is_accepted(
    seed: int, options: tuple[str, Any], edits: list[tuple[str, float, float, bytes]], is_repaired: bool
) -> None:
    """Bytes replaced, cut, deleted, inserted and repeated, and segments before the end of the image."""
    encoded = write_image(seed, options[0], **options[1])
    for kind, first, second, part in edits:
        at, other = 2 + int(first * (len(encoded) - 2)), 2 + int(second * (len(encoded) - 2))
        at = max(len(encoded) - 2, 2) if kind == "end" else at
        removed = {"replace": len(part), "cut": len(encoded), "delete": 8}.get(kind, 0)
        added = {"cut": b"", "delete": b"", "copy": encoded[other : other + 20]}.get(kind, part)
        encoded = encoded[:at] + added + encoded[at + removed :]
    check_strictness(mend_checksums(encoded) if is_repaired and options[0] == "PNG" else encoded)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["sequential", "progressive"])
def test_segments_behind_the_pixels_are_not_overlooked(options: dict[str, Any], part: bytes) -> None:
    """OpenCV does not read behind the only scan: a second frame or scan there is an error to libjpeg."""
    encoded = write_image(3, "JPEG", **options)
    check_strictness(encoded[:-2] + part + b"\xff\xd9")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_every_truncated_file_is_refused(image_format: str) -> None:
    """At whatever byte the file ends, with and without an end marker in a comment."""
    encoded = write_image(5, image_format)
    if image_format == "JPEG":
        encoded = encoded[:2] + b"\xff\xfe\0\6\xff\xd9ab" + encoded[2:]
    for end in range(20, len(encoded) - (1 if image_format == "JPEG" else 4), 3):
        assert not can_decode(lambda data: decode(data, Decoder().header(data)), encoded[:end]), end


def test_what_the_loader_refuses_of_the_corpus_is_refused(caudal_data: Path) -> None:
    """Odd and corrupt files of other projects' test suites."""
    for path in sorted((caudal_data / "robustness").glob("[ab]/*")):
        check_strictness(path.read_bytes())
