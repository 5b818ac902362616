"""Tests of the native decoder: pixels and refusals are those of TensorFlow's kernels."""

import io
import os
import random
import struct
import threading
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from sklearn.datasets import load_sample_images

from augment.plan.decoder_trials import TRIALS
from augment.plan.deferred import defer_decoding, materialize_all
from augment.plan.encoded import EncodedImage, UndecodableError, load_decoder
from augment.transform import Image

pytestmark = pytest.mark.skipif(load_decoder() is None, reason="the native decoder is not in use: no libjpeg-turbo")

PHOTOGRAPH = np.asarray(load_sample_images().images[0])[100:290, 200:431]  # odd sides


def encode(kind: str) -> bytes:
    """Encode the photograph in one of the kinds of files that cameras and programs write."""
    kinds: dict[str, dict[str, Any]] = {
        "4:4:4": {"format": "JPEG", "quality": 95, "subsampling": 0},
        "4:2:2": {"format": "JPEG", "quality": 80, "subsampling": 1},
        "4:2:0": {"format": "JPEG", "quality": 60, "subsampling": 2},
        "restarts": {"format": "JPEG", "quality": 60, "restart_marker_rows": 1},
        "progressive": {"format": "JPEG", "quality": 70, "progressive": True},
        "gray": {"format": "JPEG", "mode": "L"},
        "CMYK": {"format": "JPEG", "mode": "CMYK"},
        "PNG": {"format": "PNG"},
        "gray PNG": {"format": "PNG", "mode": "L"},
        "palette PNG": {"format": "PNG", "mode": "P"},
        "transparent PNG": {"format": "PNG", "mode": "RGBA"},
        "bilevel PNG": {"format": "PNG", "mode": "1"},
    }
    options = dict(kinds[kind])
    image = PillowImage.fromarray(PHOTOGRAPH).convert(options.pop("mode", "RGB"))
    written = io.BytesIO()
    image.save(written, **options)
    return written.getvalue()


JPEGS = ["4:4:4", "4:2:2", "4:2:0", "restarts", "progressive", "gray", "CMYK"]
PNGS = ["PNG", "gray PNG", "palette PNG", "transparent PNG", "bilevel PNG"]
FILES = {kind: encode(kind) for kind in (*JPEGS, *PNGS)}


def decode_by_tensorflow(image: EncodedImage) -> Image | None:
    """Decode as an image is decoded without the native module; None if TensorFlow refuses it."""
    try:
        if image.format == "png":
            return np.asarray(tf.raw_ops.DecodePng(contents=image.encoded, channels=image.shape[2]))
        options: dict[str, Any] = {"channels": image.shape[2], "ratio": image.ratio, "fancy_upscaling": True}
        options["dct_method"] = "INTEGER_ACCURATE" if image.is_accurate else ""
        if image.corner is None:
            return np.asarray(tf.raw_ops.DecodeJpeg(contents=image.encoded, **options))
        window = (*image.corner, *image.shape[:2])
        return np.asarray(tf.raw_ops.DecodeAndCropJpeg(contents=image.encoded, crop_window=window, **options))
    except tf.errors.OpError:
        return None


def decode_natively(image: EncodedImage) -> Image | None:
    """Decode an image by the native module; None if it refuses it."""
    try:
        return image.decode()
    except UndecodableError:
        return None


def assert_equal(image: EncodedImage) -> None:
    """Compare both decoders; one may refuse only what the other refuses, or what has another size."""
    expected, actual = decode_by_tensorflow(image), decode_natively(image)
    if expected is None or expected.shape != image.shape:
        assert actual is None
    else:
        np.testing.assert_array_equal(actual, expected)


def draw_window(rng: random.Random, encoded: bytes, channels: int) -> EncodedImage:
    """Draw a request for a part of a JPEG, or for the whole, at any scale."""
    ratio, is_accurate = rng.choice([1, 1, 2, 4, 8]), rng.random() < 0.3
    height, width = (-(-side // ratio) for side in PHOTOGRAPH.shape[:2])
    if rng.random() < 0.3:
        return EncodedImage("jpeg", encoded, (height, width), channels, ratio=ratio, is_accurate=is_accurate)
    top, left = rng.randrange(height), rng.randrange(width)
    size = rng.randint(1, height - top), rng.randint(1, width - left)
    return EncodedImage("jpeg", encoded, size, channels, ratio=ratio, corner=(top, left), is_accurate=is_accurate)


@pytest.mark.parametrize("kind", JPEGS)
def test_windows_of_jpegs_are_those_of_tensorflow(kind: str) -> None:
    """Of every sampling, at every scale and with both cosine transforms, in color and in gray."""
    rng = random.Random(0)  # noqa: S311  # not for secrets
    for _ in range(25):
        assert_equal(draw_window(rng, FILES[kind], 3 if kind == "CMYK" else rng.choice([1, 3])))


@pytest.mark.parametrize("kind", PNGS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pngs_are_those_of_tensorflow(kind: str, channels: int) -> None:
    """With any number of channels."""
    assert_equal(EncodedImage("png", FILES[kind], PHOTOGRAPH.shape[:2], channels))


@settings(max_examples=400)
@given(kind=st.sampled_from([*JPEGS, *PNGS]), seed=st.integers(0, 10**6))
def test_damage_is_found_where_tensorflow_finds_it(kind: str, seed: int) -> None:
    """Cut, overwritten and shortened files are refused by both or neither, and otherwise give the same pixels."""
    rng = random.Random(seed)  # noqa: S311
    encoded = bytearray(FILES[kind])
    if rng.random() < 0.3:
        del encoded[rng.randrange(2, len(encoded)) :]
    for _ in range(rng.choice([0, 1, 1, 3])):
        encoded[rng.randrange(2, len(encoded))] = rng.randrange(256)
    if rng.random() < 0.3 and len(encoded) > 4:
        at = rng.randrange(2, len(encoded) - 1)
        encoded[at : at + 2] = bytes([0xFF, rng.choice([0xC4, 0xD0, 0xD9, 0xDA, 0xDB, 0xE1, 0xFE])])
    if rng.random() < 0.2:
        del encoded[rng.randrange(2, len(encoded)) :][: rng.randrange(50)]
    channels = 3 if kind == "CMYK" else rng.choice([1, 3])
    if kind in PNGS:
        assert_equal(EncodedImage("png", bytes(encoded), PHOTOGRAPH.shape[:2], channels))
    else:
        assert_equal(draw_window(rng, bytes(encoded), channels))


def test_what_lies_below_a_window_is_not_read() -> None:
    """Neither decoder notices that the file ends there; the whole image is refused."""
    window = EncodedImage("jpeg", FILES["4:2:0"][:-300], (20, 30), corner=(3, 4))
    assert_equal(window)
    assert decode_natively(window) is not None
    whole = EncodedImage("jpeg", FILES["4:2:0"][:-1], PHOTOGRAPH.shape[:2])
    assert_equal(whole)
    assert decode_natively(whole) is None


@pytest.mark.parametrize("end", [2, 3, 100, 700])
def test_a_file_that_ends_early_is_refused(end: int) -> None:
    """The message says so."""
    image = EncodedImage("jpeg", FILES["4:2:0"][:end], (150, 8), corner=(0, 0))
    assert decode_by_tensorflow(image) is None
    with pytest.raises(UndecodableError, match=r"^damaged JPEG: (the file ends before|no marker follows)"):
        image.decode()


def test_trials_have_the_checksums_of_tensorflow_s_pixels() -> None:
    """What each process compares itself with, before it uses the decoder."""
    for trial in TRIALS:
        assert_equal(
            EncodedImage(
                trial.format, trial.encoded, trial.size, trial.channels, ratio=trial.ratio, corner=trial.corner
            )
        )


def test_images_that_cannot_be_decoded_do_not_spoil_their_neighbors() -> None:
    """One call decodes all; it returns the errors of the damaged by their number, and the pixels of the others."""
    height, width, _ = PHOTOGRAPH.shape
    good, bad = FILES["4:2:0"], FILES["4:2:0"][:5000]
    images = [EncodedImage("jpeg", encoded, (height, width)) for encoded in (good, bad, good)]
    works = []
    for image in images:
        deferred = defer_decoding(image)
        if deferred is None:
            pytest.skip("the compiled kernels are not in use")
        works.append((deferred, np.zeros(image.shape, np.uint8)))
    errors = materialize_all(works)
    assert {number: str(error) for number, error in errors.items()} == {
        1: "damaged JPEG: the file ends before the image does"
    }
    for number in (0, 2):
        np.testing.assert_array_equal(works[number][1], images[number].decode())


def test_a_header_of_another_size_is_refused() -> None:
    """Parameters were drawn for the size that was read: the message names both."""
    height, width, _ = PHOTOGRAPH.shape
    for kind, image_format in (("4:2:0", "jpeg"), ("PNG", "png")):
        image = EncodedImage(image_format, FILES[kind], (height, width + 1))
        message = f"the header claims {height} x {width + 1} pixels, but {height} x {width} were decoded"
        with pytest.raises(UndecodableError, match=message):
            image.decode()


def test_opencv_differs() -> None:
    """The test of equality above can fail: another inverse cosine transform gives other pixels."""
    image = EncodedImage("jpeg", FILES["4:2:0"], PHOTOGRAPH.shape[:2])
    other = cv2.cvtColor(cv2.imdecode(np.frombuffer(FILES["4:2:0"], np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert not np.array_equal(image.decode(), other)


def make_png(*chunks: tuple[bytes, bytes], pixels: bytes) -> bytes:
    """Make a PNG of 16 x 16 RGB pixels, with chunks before them."""
    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    encoded = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"".join([b"\x89PNG\r\n\x1a\n", *encoded])


ROWS = (b"\0" + b"\x55" * 48) * 16


def test_pixels_that_follow_the_last_row_are_not_decompressed() -> None:
    """Each byte of them may become a thousand."""
    compressor = zlib.compressobj(9)
    parts = [compressor.compress(ROWS), *(compressor.compress(bytes(2**20)) for _ in range(80)), compressor.flush()]
    with pytest.raises(UndecodableError, match="more pixels follow the last row"):
        EncodedImage("png", make_png(pixels=b"".join(parts)), (16, 16)).decode()
    few = EncodedImage("png", make_png(pixels=zlib.compress(ROWS + bytes(100))), (16, 16))
    assert np.array_equal(few.decode(), decode_by_tensorflow(few))


@pytest.mark.parametrize(
    ("kind", "before"),
    [(b"zTXt", b"key\0\0"), (b"iTXt", b"key\0\1\0en\0key\0"), (b"tEXt", b"key\0"), (b"sPLT", b"p\0\10")],
)
def test_texts_and_suggested_palettes_take_no_memory(kind: bytes, before: bytes) -> None:
    """They change no pixel."""
    texts = [(kind, before + zlib.compress(bytes(7_000_000)))] * 40  # libpng would store 280 MB
    image = EncodedImage("png", make_png(*texts, pixels=zlib.compress(ROWS)), (16, 16))
    base = read_resident_bytes()
    peaks: list[int] = []
    watched = threading.Event()
    watcher = threading.Thread(target=watch_memory, args=(watched, peaks))
    watcher.start()
    try:
        pixels = image.decode()
    finally:
        watched.set()
        watcher.join()
    assert (pixels == 0x55).all()
    assert max(peaks) - base < 50e6


def read_resident_bytes() -> int:
    """Return the memory that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watch_memory(end: threading.Event, seen: list[int]) -> None:
    """Note the memory until the end."""
    while not end.is_set():
        seen.append(read_resident_bytes())
        end.wait(0.001)
    seen.append(read_resident_bytes())
