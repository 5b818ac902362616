"""The header: format, size and orientation, read from a beginning of the file, whatever the file is."""

import struct
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.images.header import Header, read_header, read_valid_header

FORMATS = {".jpg": "jpeg", ".png": "png", ".gif": "gif", ".bmp": "bmp", ".webp": "webp"}
SIGNATURES = [b"\xff\xd8", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBPVP8X", b""]

Make = Callable[..., Any]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 13), (40, 30), (300, 2)])
@pytest.mark.parametrize("extension", FORMATS)
def test_format_and_size_are_read(extension: str, height: int, width: int, picture: Make, encode: Make) -> None:
    """All five formats say what they are and how large."""
    encoded = encode(picture(0, height, width), extension)
    assert read_header(encoded) == Header(FORMATS[extension], height, width, 1, is_opaque=extension == ".png")


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 50]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
    ],
    ids=["progressive", "restart markers", "lossy", "lossless"],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_variants_of_a_format_are_read(extension: str, options: list[int], channels: int, picture: Make) -> None:
    """Progressive JPEGs, and WebPs with and without loss, with and without transparency, say their size."""
    encoded = cv2.imencode(extension, picture(0, 21, 34, channels), options)[1].tobytes()
    header = read_header(encoded)
    assert (header.format, header.height, header.width) == (FORMATS[extension], 21, 34)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_beginning_that_holds_the_header_is_enough(extension: str, picture: Make, encode: Make) -> None:
    """From some length on, every beginning gives the same header; below it, an error and never a wrong one."""
    encoded = encode(picture(0, 64, 64), extension)
    whole = read_header(encoded)
    outcomes = []
    for end in range(len(encoded) + 1):
        try:
            outcomes.append(read_header(encoded[:end]) == whole)
        except ValueError:
            outcomes.append(None)
    first = outcomes.index(True)
    assert set(outcomes[:first]) == {None}
    assert set(outcomes[first:]) == {True}
    assert first < 1_000


@given(st.sampled_from(SIGNATURES), st.binary(max_size=200))
def test_arbitrary_bytes_give_a_header_or_a_value_error(signature: bytes, rest: bytes) -> None:
    """Nothing that begins like an image, and goes on like anything, raises any other error or hangs."""
    try:
        header = read_header(signature + rest)
    except ValueError as error:
        assert str(error)  # noqa: PT017  # either outcome is right
    else:
        assert header.format in FORMATS.values()
        assert 1 <= header.orientation <= 8


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "the file is empty"),
        (b"<html>404</html>", "not a JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>404</h'"),
        (b"\xff", r"not a JPEG, PNG, GIF, BMP or WebP image: it begins with b'\xff'"),
        (b"\xff\xd8", "the jpeg header is truncated or damaged"),
        (b"\xff\xd8\xff\xd9", "the jpeg header is truncated or damaged"),
        (b"\xff\xd8\xff\xda\0\x04ab\xff\xc0\0\x11\x08\0\x05\0\x06", "the jpeg header is truncated or damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0", "the png header is truncated or damaged"),
        (b"GIF89a\x05", "the gif header is truncated or damaged"),
        (b"BM1234", "the bmp header is truncated or damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "the webp header is truncated or damaged"),
        (b"RIFF\0\0\0\0WAVEfmt " + bytes(40), "the webp header is truncated or damaged"),
    ],
)
def test_what_has_no_header_is_refused_with_the_reason(encoded: bytes, message: str) -> None:
    """Empty, foreign and cut-off files are told apart."""
    with pytest.raises(ValueError, match=r".") as caught:
        read_header(encoded)
    assert str(caught.value) == message


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read(
    orientation: int,
    byte_order: str,
    extension: str,
    picture: Make,
    encode: Make,
    tiff: Make,
    with_tiff: Make,
) -> None:
    """EXIF data of either byte order, in a JPEG, PNG or WebP, gives the orientation; 5 to 8 exchange the sides."""
    encoded = with_tiff(encode(picture(0, 8, 12), extension), tiff(orientation, byte_order))
    header = read_header(encoded)
    assert (header.height, header.width, header.orientation) == (8, 12, orientation)
    assert header.upright_size == ((12, 8) if orientation >= 5 else (8, 12))


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_an_illegal_orientation_counts_as_upright(
    orientation: int, extension: str, picture: Make, encode: Make, tiff: Make, with_tiff: Make
) -> None:
    """An orientation that is not between 1 and 8 is no reason to turn or refuse an image."""
    assert read_header(with_tiff(encode(picture(0), extension), tiff(orientation))).orientation == 1


@given(junk=st.binary(max_size=60), cut=st.integers(0, 60))
def test_damaged_exif_data_counts_as_upright_or_legal(
    picture: Make, encode: Make, tiff: Make, with_tiff: Make, junk: bytes, cut: int
) -> None:
    """EXIF data that is cut off, or junk, never fails an image and never gives an illegal orientation."""
    image = encode(picture(0), ".jpg")
    for damaged in (junk, b"II*\0" + junk, tiff(6)[:cut], tiff(6, ">")[:cut] + junk):
        header = read_header(with_tiff(image, damaged))
        assert (header.height, header.width) == (8, 10)
        assert 1 <= header.orientation <= 8


def test_an_image_inside_the_metadata_is_not_taken_for_the_image(picture: Make, encode: Make) -> None:
    """A thumbnail, which is a JPEG inside an APP1 segment, does not say the size."""
    thumbnail, image = encode(picture(0, 4, 5), ".jpg"), encode(picture(0, 20, 30), ".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    header = read_header(image[:2] + segment + image[2:])
    assert (header.height, header.width) == (20, 30)


def test_segments_may_stand_in_any_order_before_the_pixels(picture: Make, encode: Make) -> None:
    """Huffman tables, whose marker lies among those of the frames, do not pass for a frame."""
    import tensorflow as tf

    image = encode(picture(0, 20, 30), ".jpg")
    segments, position = [], 2
    while image[position + 1] != 0xDA:
        end = position + 2 + struct.unpack_from(">H", image, position + 2)[0]
        segments.append(image[position:end])
        position = end
    segments.sort(key=lambda segment: segment[1] != 0xC4)  # the tables first
    assert segments[0][1] == 0xC4
    reordered = image[:2] + b"".join(segments) + image[position:]
    assert tf.io.decode_jpeg(reordered).shape == (20, 30, 3)
    assert read_header(reordered) == read_header(image) == Header("jpeg", 20, 30)


def split_at_frame(image: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a JPEG: all before its frame segment, that segment, and the rest."""
    start = image.index(b"\xff\xc0")
    end = start + 2 + struct.unpack_from(">H", image, start + 2)[0]
    return image[:start], image[start:end], image[end:]


FRAME = b"\xff\xc0\0\x11\x08\0\x10\0\x10\3\1\x22\0\2\x11\1\3\x11\1"
"""A frame segment that claims 16 x 16 pixels."""


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"\xff\0", b"\xff\xff", b"\xff\1", b"\xff\xd0", b"\xff\xfe\0\4ab", b"\0\x11", FRAME]),
            st.sampled_from([b"\xff\xfe\0\x15" + FRAME, b"\xff\0\0\x28", b"\xff\0\xff\0\0\x15", b"\xff\xfe\0\1"]),
            st.binary(max_size=4),
        ),
        max_size=6,
    )
)
def test_bytes_between_segments_are_skipped_as_libjpeg_does(picture: Make, encode: Make, between: list[bytes]) -> None:
    """Whatever stands between segments: where the decoder finds an image, the header has its size."""
    import tensorflow as tf

    before, frame, after = split_at_frame(encode(picture(0, 20, 30), ".jpg"))
    image = before + b"".join(between) + frame + after
    try:
        shape = tf.io.decode_jpeg(image).shape
    except tf.errors.InvalidArgumentError:
        return
    header = read_header(image)
    assert (header.height, header.width, 3) == shape


def test_a_stuffed_zero_hides_no_frame(picture: Make, encode: Make) -> None:
    """`FF 00` is no segment: a length behind it cannot take the reader past the frame to a smaller one."""
    import tensorflow as tf

    before, frame, after = split_at_frame(encode(picture(0, 40, 60), ".jpg"))
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(FRAME)) + FRAME
    image = before + b"\xff\0" + struct.pack(">H", 2 + len(frame) + 4) + frame + comment + after
    assert tf.io.decode_jpeg(image).shape == (40, 60, 3)
    assert read_header(image)[1:3] == (40, 60)
    with pytest.raises(ValueError, match="claims 40 x 60 pixels, more than max_pixels=256"):
        read_valid_header(image, 256)


def test_bitmaps_of_either_direction_and_age_say_their_size(picture: Make, encode: Make) -> None:
    """A negative height means rows from the top; the oldest header has sides of 16 bits."""
    image = encode(picture(0, 7, 13), ".bmp")
    top_down = image[:22] + struct.pack("<i", -7) + image[26:]
    assert read_header(top_down) == Header("bmp", 7, 13)
    assert read_header(b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 13, 7, 1, 24)) == Header("bmp", 7, 13)


def test_a_header_is_a_value(picture: Make, encode: Make) -> None:
    """Headers compare by what they say, and cannot be changed."""
    encoded = encode(picture(0))
    assert read_header(encoded) == read_header(encoded)
    with pytest.raises(AttributeError):
        read_header(encoded).height = 3  # type: ignore[misc]
    assert np.array(read_header(encoded).upright_size).tolist() == [8, 10]


def timed(encoded: bytes) -> tuple[str, float]:
    """Return why a header is refused, or "", and the seconds of processor time that it took."""
    begin, reason = time.process_time(), ""
    try:
        read_header(encoded)
    except ValueError as error:
        reason = str(error)
    return reason, time.process_time() - begin


EXIF = b"\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(65515)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\4\0\0\0\4\x08\2\0\0\0abcd"
PROGRESSIVE = FRAME.replace(b"\xc0", b"\xc2")
SCAN = b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\0\0"
LONG = {
    "zeros": (b"\xff\xd8", b"\0", "truncated or damaged"),
    "fill bytes": (b"\xff\xd8", b"\xff", "truncated or damaged"),
    "stuffed zeros": (b"\xff\xd8", b"\xff\0", "more than 4096 segments"),
    "restart markers": (b"\xff\xd8", b"\xff\xd0", "more than 4096 segments"),
    "empty segments": (b"\xff\xd8", b"\xff\xe0\0\2", "more than 4096 segments"),
    "EXIF data": (b"\xff\xd8", EXIF, "truncated or damaged"),
    "segments behind the frame": (b"\xff\xd8" + PROGRESSIVE, b"\xff\xe0\0\2", "more than 4096 segments"),
    "pixels": (b"\xff\xd8" + PROGRESSIVE + SCAN, b"\xff\0" + bytes(254), ""),
    "fill bytes in pixels": (b"\xff\xd8" + PROGRESSIVE + SCAN, b"\xff", ""),
    "PNG chunks": (PNG, b"\0\0\0\0tEXtabcd", "more than 4096 chunks"),
    "PNG EXIF chunks": (PNG, b"\0\0\0\0eXIfabcd", "more than 4096 chunks"),
    "WebP chunks": (b"RIFF\0\0\0\0WEBPVP8X" + b"\n\0\0\0" + bytes(10), b"ALPH\0\0\0\0", "more than 4096 chunks"),
}


@pytest.mark.parametrize("name", LONG)
def test_a_header_of_many_megabytes_takes_no_time(name: str) -> None:
    """Whatever repeats for 20 MB is searched at the speed of C, or refused after some thousands."""
    beginning, repeated, expected = LONG[name]
    reason, seconds = timed(beginning + repeated * (20_000_000 // len(repeated)))
    assert expected in reason if expected else not reason
    assert seconds < 1


def progressive(scans: int, between: bytes = b"") -> bytes:
    """Write a progressive JPEG that repeats its last scan, with bytes before each."""
    image = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last = image.rindex(b"\xff\xda")
    given = image.count(b"\xff\xda")
    return image[:last] + (between + image[last:-2]) * (scans - given + 1) + b"\xff\xd9"


@pytest.mark.parametrize(
    "between", [b"", b"\xff\xfe\0\6\xff\xd9ab", b"\xff\xff", b"\0", b"\xff\0", b"\xff\xff\0", b"\xff\xd3"]
)
def test_more_than_a_hundred_scans_are_refused(between: bytes) -> None:
    """They are counted as libjpeg finds them: an end of image in a comment hides none."""
    assert read_header(progressive(100, between)).height == 16
    with pytest.raises(ValueError, match=r"^the JPEG has more than 100 scans$"):
        read_header(progressive(101, between))


def test_scans_of_single_components_are_counted_in_any_frame() -> None:
    """Of a sequential JPEG, too, each scan costs a pass; one scan with all components is the only one."""
    single = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    for frame in (FRAME, PROGRESSIVE):
        with pytest.raises(ValueError, match="more than 100 scans"):
            read_header(b"\xff\xd8" + frame + single * 101)
    assert read_header(b"\xff\xd8" + FRAME + SCAN * 500) == Header("jpeg", 16, 16)
    assert read_header(b"\xff\xd8" + FRAME + b"\xff\xfe\0\x0e" + SCAN[2:] + SCAN * 500) == Header("jpeg", 16, 16)
    with pytest.raises(ValueError, match="more than 100 scans"):  # the comment holds no scan
        read_header(b"\xff\xd8" + FRAME + b"\xff\xfe\0\x10" + SCAN + single * 300)


def test_scans_behind_the_image_and_in_its_metadata_do_not_count(encode: Make, picture: Make) -> None:
    """Thumbnails, and files appended to an image such as videos, may contain any bytes."""
    image = progressive(50)
    noise = SCAN * 1000
    assert read_header(image + noise).height == 16
    assert read_header(image[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(noise)) + noise + image[2:]).height == 16
    assert read_header(encode(picture(0, 16, 16), ".jpg") + noise).height == 16
