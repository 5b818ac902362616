"""Decoding: the pixels that other decoders give, turned upright; and a reason for what is no image."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.images.decode import CHANNELS, MAX_PIXELS, Decoder, convert_channels, turn_upright

Make = Callable[..., Any]

FORMATS = [".jpg", ".png", ".gif", ".bmp", ".webp"]
WRITABLE = [
    (extension, channels) for extension in FORMATS for channels in (1, 3, 4) if (extension, channels) != (".gif", 1)
]
"""What OpenCV can write: no grey GIFs."""

TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: np.rot90(image, 2),
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image[:, ::-1], -1),
    8: lambda image: np.rot90(image, 1),
}
"""How each orientation is undone (EXIF 2.3): 6 by a quarter turn clockwise, 7 by mirroring first."""


def opencv(encoded: bytes, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode as OpenCV does: RGB, upright."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), flags), cv2.COLOR_BGR2RGB)


def quarters(height: int, width: int) -> np.ndarray:
    """Draw four differently colored quarters, which show where up is, even as a JPEG: uint8 [height, width, 3]."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2, 0] = 250
    image[: height // 2, width // 2 :, 1] = 250
    image[height // 2 :, : width // 2, 2] = 250
    return image


def largest_difference(one: np.ndarray, other: np.ndarray) -> int:
    """Compare images of the same shape."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize(("extension", "channels"), WRITABLE)
def test_the_pixels_are_those_that_opencv_decodes(extension: str, channels: int, picture: Make, encode: Make) -> None:
    """Grey, RGB and RGBA images of all formats become the RGB that OpenCV sees; JPEGs nearly (another inverse DCT)."""
    encoded = encode(picture(0, 24, 32, channels), extension)
    image = Decoder()(encoded)
    assert image.dtype == np.uint8
    assert largest_difference(image, opencv(encoded)) <= (8 if extension == ".jpg" else 0)


@pytest.mark.parametrize(("extension", "operation"), [(".jpg", tf.io.decode_jpeg), (".png", tf.io.decode_png)])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_and_png_are_decoded_as_tensorflow_does(
    extension: str, operation: Make, channels: int, picture: Make, encode: Make
) -> None:
    """Whoever moves from `tf.io` sees the same pixels, bit by bit, in color and in gray."""
    encoded = encode(picture(0, 24, 32, channels), extension)
    np.testing.assert_array_equal(Decoder()(encoded), operation(encoded, channels=3).numpy())
    gray = Decoder(color_mode="grayscale")(encoded)
    np.testing.assert_array_equal(gray, operation(encoded, channels=1).numpy())


@pytest.mark.parametrize("color_mode", CHANNELS)
@pytest.mark.parametrize(("extension", "channels"), WRITABLE)
def test_every_format_decodes_to_every_color_mode(
    extension: str, channels: int, color_mode: str, picture: Make, encode: Make
) -> None:
    """The color mode alone says how many channels there are, whatever the file holds."""
    image = Decoder(color_mode=color_mode)(encode(picture(0, 24, 32, channels), extension))
    assert image.shape == (24, 32, CHANNELS[color_mode])
    assert image.dtype == np.uint8


@pytest.mark.parametrize("extension", [".png", ".bmp", ".webp"])
def test_transparency_is_kept_as_rgba_and_dropped_as_rgb(extension: str, picture: Make) -> None:
    """The alpha channel comes out as it went in; without it, the colors stay what they were."""
    image = picture(0, 24, 32, 4)
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if extension == ".webp" else []
    image[..., 3] |= 128  # a lossless WebP keeps no color where nothing shows
    encoded = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA), options)[1].tobytes()
    np.testing.assert_array_equal(Decoder(color_mode="rgba")(encoded), image)
    np.testing.assert_array_equal(Decoder(color_mode="rgb")(encoded), image[..., :3])


@pytest.mark.parametrize("extension", FORMATS)
def test_what_is_not_transparent_is_opaque(extension: str, picture: Make, encode: Make) -> None:
    """RGB images get an alpha channel of 255, and keep their colors."""
    encoded = encode(picture(0, 24, 32), extension)
    image = Decoder(color_mode="rgba")(encoded)
    assert (image[..., 3] == 255).all()
    np.testing.assert_array_equal(image[..., :3], Decoder()(encoded))


def test_gray_images_become_equal_channels(picture: Make, encode: Make) -> None:
    """A grey PNG as RGB has three like channels, and as grey is what was written."""
    image = picture(0, channels=1)
    encoded = encode(image)
    np.testing.assert_array_equal(Decoder()(encoded), np.repeat(image, 3, axis=2))
    np.testing.assert_array_equal(Decoder(color_mode="grayscale")(encoded), image)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("transparency", [None, 1])
def test_pngs_of_few_bits_are_opaque_unless_they_say_otherwise(bits: int, transparency: int | None) -> None:
    """Palettes of 2 to 16 colors become the RGBA that Pillow sees."""
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8) % 2**bits
    picture = PIL.Image.fromarray(levels).convert("P")
    picture.putpalette([(37 * number + 11) % 256 for number in range(3 * 2**bits)])
    written = io.BytesIO()
    picture.save(written, "PNG", bits=bits, **({} if transparency is None else {"transparency": transparency}))
    seen = np.asarray(PIL.Image.open(written).convert("RGBA"))
    np.testing.assert_array_equal(Decoder(color_mode="rgba")(written.getvalue()), seen)


def test_deep_and_gray_alpha_pngs_are_read(picture: Make) -> None:
    """16 bits a channel become 8, and grey with alpha becomes RGBA."""
    image = picture(0, channels=3)
    deep = cv2.imencode(".png", image[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    np.testing.assert_array_equal(Decoder()(deep), image)
    both = tf.io.encode_png(image[..., :2]).numpy()
    given_back = Decoder(color_mode="rgba")(both)
    np.testing.assert_array_equal(given_back[..., 0], image[..., 0])
    np.testing.assert_array_equal(given_back[..., 3], image[..., 1])


def gif(width: int, height: int, *frames: tuple[int, int, int, int, int]) -> bytes:
    """Write a GIF of frames (left, top, width, height, color index), each of one color of a palette of four."""
    palette = bytes([10, 20, 30, 250, 0, 0, 0, 250, 0, 0, 0, 250])
    encoded = b"GIF89a" + struct.pack("<HHBBB", width, height, 0b1_001_0_001, 0, 0) + palette
    for left, top, frame_width, frame_height, color in frames:
        encoded += b"," + struct.pack("<HHHHB", left, top, frame_width, frame_height, 0) + b"\x02"
        # Codes of three bits, and a "clear" (4) before each pixel, so that the code never grows; 5 ends the image.
        codes = [code for _ in range(frame_width * frame_height) for code in (4, color)] + [5]
        bits = sum(code << 3 * place for place, code in enumerate(codes))
        data = bits.to_bytes(-(-3 * len(codes) // 8), "little")
        encoded += (
            b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\0"
        )
    return encoded + b";"


def test_of_an_animated_gif_the_first_frame_is_taken() -> None:
    """Later frames do not show, and TensorFlow's first frame is the same."""
    encoded = gif(6, 5, (0, 0, 6, 5, 1), (0, 0, 6, 5, 2), (1, 1, 3, 3, 3))
    image = Decoder()(encoded)
    np.testing.assert_array_equal(image, tf.io.decode_gif(encoded)[0].numpy())
    assert (image == [250, 0, 0]).all()


def test_a_gif_s_partial_first_frame_stands_on_its_full_screen() -> None:
    """A first frame that is smaller than the screen is placed where it belongs; the image has the screen's size."""
    image = Decoder()(gif(6, 5, (2, 1, 3, 2, 1)))
    assert image.shape == (5, 6, 3)
    inside = np.zeros((5, 6), bool)
    inside[1:3, 2:5] = True
    assert (image[inside] == [250, 0, 0]).all()
    assert (image[~inside] != [250, 0, 0]).any(axis=1).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_upright(orientation: int, encode: Make, tiff: Make, with_tiff: Make) -> None:
    """All eight EXIF orientations look as OpenCV, which applies them, shows them."""
    drawn = quarters(32, 48)
    encoded = with_tiff(encode(drawn, ".jpg"), tiff(orientation))
    image = Decoder()(encoded)
    assert image.shape == ((48, 32, 3) if orientation >= 5 else (32, 48, 3))
    assert largest_difference(image, opencv(encoded)) < 12
    assert np.abs(image - TURNED[orientation](drawn).astype(float)).mean() < 5  # only edges blur


@pytest.mark.parametrize("color_mode", CHANNELS)
def test_every_color_mode_is_turned_upright(color_mode: str, encode: Make, tiff: Make, with_tiff: Make) -> None:
    """Grey, RGB and RGBA are turned alike."""
    plain = encode(quarters(32, 48), ".jpg")
    decoder = Decoder(color_mode=color_mode)
    np.testing.assert_array_equal(decoder(with_tiff(plain, tiff(6))), np.rot90(decoder(plain), -1))


@pytest.mark.parametrize("extension", [".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pngs_and_webps_are_turned_upright(
    orientation: int, extension: str, encode: Make, picture: Make, tiff: Make, with_tiff: Make
) -> None:
    """EXIF data in a PNG or WebP counts as in a JPEG."""
    plain = encode(picture(0, 8, 12), extension)
    image = Decoder()(with_tiff(plain, tiff(orientation)))
    np.testing.assert_array_equal(image, TURNED[orientation](Decoder()(plain)))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_image_of_illegal_orientation_stays_as_it_is(
    orientation: int, picture: Make, encode: Make, tiff: Make, with_tiff: Make
) -> None:
    """An illegal EXIF orientation neither turns nor fails an image."""
    plain = encode(picture(0, 8, 12), ".jpg")
    np.testing.assert_array_equal(Decoder()(with_tiff(plain, tiff(orientation))), Decoder()(plain))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_undoes_each_orientation(orientation: int, picture: Make) -> None:
    """The pixels move as EXIF says, and lie in one piece of memory for the kernels behind."""
    image = picture(0, 3, 5)
    turned = turn_upright(image, orientation)
    np.testing.assert_array_equal(turned, TURNED[orientation](image))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("before", [1, 3, 4])
@pytest.mark.parametrize("after", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_are_converted_in_three_dimensions(before: int, after: int, dtype: type, picture: Make) -> None:
    """Between grey, RGB and RGBA, in uint8 and float32, the third dimension always stays."""
    converted = convert_channels(picture(0, 4, 6, before).astype(dtype), after)
    assert converted.shape == (4, 6, after)
    assert converted.dtype == dtype


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        (".jpg", "damaged JPEG: the file ends before the image does"),
        (".png", "damaged PNG: the file ends before the image does"),
        (".gif", "damaged GIF, or a variant that OpenCV cannot decode"),
        (".bmp", "damaged BMP: truncated"),
        (".webp", "damaged WEBP, or a variant that OpenCV cannot decode"),
    ],
)
def test_a_truncated_image_is_refused(extension: str, reason: str, picture: Make, encode: Make) -> None:
    """No beginning of a file passes for the whole, with missing rows filled in: the error names the format."""
    encoded = encode(picture(0, 24, 32), extension)
    with pytest.raises(ValueError, match=r".") as caught:
        Decoder()(encoded[: len(encoded) * 2 // 3])
    assert str(caught.value).startswith(reason)
    for end in range(0, len(encoded), 7):
        with pytest.raises(ValueError, match=r"damaged|header|empty|begins"):
            Decoder()(encoded[:end])


def test_an_empty_file_is_refused() -> None:
    """Nothing is no image, and the error says so."""
    with pytest.raises(ValueError, match=r"^the file is empty$"):
        Decoder()(b"")


def test_a_web_page_is_refused() -> None:
    """What a failed download leaves behind is shown by its first bytes."""
    with pytest.raises(ValueError, match=r"not a JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>404</h'"):
        Decoder()(b"<html>404</html>")


@pytest.mark.parametrize(("width", "height"), [(0, 8), (8, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(width: int, height: int, png_of: Make) -> None:
    """A side of zero is named."""
    with pytest.raises(ValueError, match=rf"^the header claims {height} x {width} pixels$"):
        Decoder()(png_of(width, height))


@pytest.mark.parametrize(
    ("width", "height"), [(2**31 - 1, 1), (1, 2**31 - 1), (30_000, 30_000), (2**32 - 1, 2**32 - 1)]
)
def test_a_decompression_bomb_is_refused_by_its_header(width: int, height: int, png_of: Make) -> None:
    """A few bytes that claim to be enormous cost no memory; the error names the limit."""
    with pytest.raises(ValueError, match=r".") as caught:
        Decoder()(png_of(width, height))
    message = f"the header claims {height} x {width} pixels, more than max_pixels={MAX_PIXELS}"
    assert str(caught.value) == f"{message}; raise max_pixels if you trust the image"


@pytest.mark.parametrize("extension", FORMATS)
def test_max_pixels_is_the_last_number_that_passes(extension: str, picture: Make, encode: Make) -> None:
    """As many pixels as the limit are decoded; one pixel less of a limit, and they are refused."""
    encoded = encode(picture(0, 24, 32), extension)
    assert Decoder(max_pixels=24 * 32)(encoded).shape == (24, 32, 3)
    with pytest.raises(ValueError, match=r"^the header claims 24 x 32 pixels, more than max_pixels=767; raise"):
        Decoder(max_pixels=24 * 32 - 1)(encoded)


def test_another_size_than_the_header_claims_is_refused(picture: Make, encode: Make) -> None:
    """The parameters of an augmentation are drawn for the header's size: an image of another one is damaged."""
    for extension in FORMATS:
        encoded = encode(picture(0, 24, 32), extension)
        header = Decoder().header(encoded)._replace(width=31)
        with pytest.raises(ValueError, match="the header claims 24 x 31 pixels, but 24 x 32 were decoded"):
            Decoder()(encoded, header)


@given(extension=st.sampled_from(FORMATS), where=st.floats(0, 1, exclude_max=True), flipped=st.integers(1, 255))
def test_a_flipped_byte_gives_an_image_or_a_value_error(
    picture: Make, encode: Make, extension: str, where: float, flipped: int
) -> None:
    """Damage anywhere in a file of any format is either not visible to the decoder, or a ValueError with a reason."""
    encoded = bytearray(encode(picture(0, 8, 9), extension))
    encoded[int(where * len(encoded))] ^= flipped
    try:
        image = Decoder(max_pixels=10_000)(bytes(encoded))
    except ValueError as error:
        assert str(error)  # noqa: PT017  # either outcome is right
    else:
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert image.shape[0] * image.shape[1] <= 10_000


def test_a_png_whose_checksum_fails_is_refused(picture: Make, encode: Make) -> None:
    """Pixels that are not what was written are an error, not an image."""
    encoded = bytearray(encode(picture(0)))
    encoded[60] ^= 1
    with pytest.raises(ValueError, match=r"^damaged PNG: "):
        Decoder()(bytes(encoded))


def test_reasons_are_one_line_without_tensorflow_s_own_words(picture: Make, encode: Make) -> None:
    """A reason goes into the error log: no operation names, no line breaks."""
    for extension in FORMATS:
        encoded = encode(picture(0, 24, 32), extension)
        with pytest.raises(ValueError, match=r".") as caught:
            Decoder()(encoded[: len(encoded) // 2])
        assert "\n" not in str(caught.value)
        assert "{{" not in str(caught.value)
        assert "[Op:" not in str(caught.value)


def test_a_compressed_text_in_a_png_does_not_swell(picture: Make, encode: Make) -> None:
    """A text chunk that would unpack to 50 MB beside a small image is not unpacked, or the image is refused."""
    encoded = encode(picture(0))
    text = zlib.compress(bytes(50_000_000), 9)
    payload = b"Comment\0\0" + text
    chunk = struct.pack(">I", len(payload)) + b"zTXt" + payload + struct.pack(">I", zlib.crc32(b"zTXt" + payload))
    try:
        image = Decoder()(encoded[:33] + chunk + encoded[33:])
    except ValueError as error:
        assert "PNG" in str(error)  # noqa: PT017  # either outcome is right
    else:
        np.testing.assert_array_equal(image, picture(0))


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
def test_cmyk_is_decoded_in_every_color_mode(color_mode: str) -> None:
    """A JPEG for printing comes out as its colors, and as their gray."""
    import io

    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.new("CMYK", (24, 16), (0, 200, 200, 30)).save(buffer, "JPEG", quality=95)
    decoder = Decoder(color_mode=color_mode)
    encoded = buffer.getvalue()
    image = decoder(encoded)
    window = decoder.window(encoded, decoder.header(encoded), (2, 4, 8, 9), 1)
    expected = Decoder()(encoded)
    assert expected[8, 8, 0] > expected[8, 8, 1] + 100  # red
    np.testing.assert_array_equal(window, image[2:10, 4:13])
    np.testing.assert_array_equal(image[..., :3], convert_channels(expected, image.shape[2])[..., :3])
