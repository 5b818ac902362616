"""BMP files of all variants: the colors of Pillow, and those that were written where Pillow does not read them."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import ImageDataGenerator
from pipeline.images.decode import Decoder

MASKS = {
    16: [(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F), (0xF00, 0xF0, 0xF), (0x1F, 0x3E0, 0x7C00)],
    32: [(0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000), (0x3FF00000, 0xFFC00, 0x3FF), (0xFF00, 0xFF0000, 0xFF)],
}
HEADERS = [12, 16, 40, 52, 56, 64, 108, 124]


def write_bmp(
    rows: list[bytes],
    width: int,
    bits: int,
    *,
    header: int = 40,
    compression: int = 0,
    palette: bytes = b"",
    masks: tuple[int, ...] = (),
    is_top_down: bool = False,
    gap: int = 0,
) -> bytes:
    """Write a BMP of encoded rows, the lowest first."""
    height = -len(rows) if is_top_down else len(rows)
    colors = len(palette) // (3 if header == 12 else 4)
    if header == 12:
        fields = struct.pack("<IHHHH", header, width, height, 1, bits)
    else:
        fields = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, 0, 0, 0, colors, 0)
    fields = (fields + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    fields = fields[: max(header, 40 + 4 * len(masks) if masks else header)]
    start = 14 + len(fields) + len(palette) + gap
    pixels = b"".join(rows)
    return struct.pack("<2sIII", b"BM", start + len(pixels), 0, start) + fields + palette + bytes(gap) + pixels


def pad(row: bytes) -> bytes:
    """Fill a row up to a multiple of 4 bytes."""
    return row + bytes(-len(row) % 4)


def see_by_pillow(encoded: bytes, mode: str = "RGB") -> np.ndarray | None:
    """Decode by Pillow; None if it does not read the variant."""
    try:
        return np.asarray(PIL.Image.open(io.BytesIO(encoded)).convert(mode))
    except (OSError, ValueError):
        return None


@settings(max_examples=150)
@given(st.data())
def test_every_variant_has_the_colors_that_were_written(data: st.DataObject) -> None:
    """Palettes, masks and rows, of any header, computed pixel by pixel; and equal to Pillow's where it reads them."""
    header = data.draw(st.sampled_from(HEADERS))
    bits = data.draw(st.sampled_from([1, 2, 4, 8, 24] if header in (12, 16) else [1, 2, 4, 8, 16, 24, 32]))
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 6))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    options: dict[str, Any] = {"header": header, "gap": data.draw(st.sampled_from([0, 8]))}
    options["is_top_down"] = header != 12 and data.draw(st.booleans())
    values = rng.integers(0, 2**bits, (height, width), np.uint64)
    expected = np.zeros((height, width, 4), np.uint8)
    expected[..., 3] = 255
    if bits <= 8:
        entries = rng.integers(0, 256, (2**bits, 3 if header == 12 else 4), np.uint8)
        options["palette"] = entries.tobytes()
        expected[..., :3] = entries[values.astype(int), 2::-1]
        rows = ["".join(f"{value:0{bits}b}" for value in row) for row in values.tolist()]
        encoded_rows = [int(row + "0" * (-len(row) % 8), 2).to_bytes(-(-len(row) // 8), "big") for row in rows]
    else:
        encoded_rows = [b"".join(value.to_bytes(bits // 8, "little") for value in row) for row in values.tolist()]
        masks: tuple[int, ...] = {16: (0x7C00, 0x3E0, 0x1F)}.get(bits, (0xFF0000, 0xFF00, 0xFF))
        if bits != 24 and header not in (12, 16, 64) and data.draw(st.booleans()):
            masks = data.draw(st.sampled_from(MASKS[bits]))
            used = masks[0] | masks[1] | masks[2]
            if header >= 56:
                masks = (*masks, data.draw(st.sampled_from([0, 2**bits - 1 & ~used])))
            options |= {"masks": masks, "compression": 3}
        for channel, mask in enumerate(masks):
            lowest = mask & -mask
            for level, row in zip(expected, values.tolist(), strict=True):
                level[:, channel] = [(v & mask) // lowest * 255 // (mask // lowest) for v in row] if mask else 255
    encoded = write_bmp([pad(row) for row in encoded_rows], width, bits, **options)
    expected = expected if options["is_top_down"] else expected[::-1]
    np.testing.assert_array_equal(Decoder(color_mode="rgba")(encoded), expected)
    np.testing.assert_array_equal(Decoder()(encoded), expected[..., :3])
    seen = see_by_pillow(encoded)
    if seen is not None:
        np.testing.assert_array_equal(seen, expected[..., :3])


def encode_runs(image: np.ndarray, rng: np.random.Generator, bits: int) -> bytes:
    """Encode pixels [H, W, bytes], the lowest row first, by random runs; some that are 0 are stepped over."""

    def pack(pixels: np.ndarray) -> bytes:
        if bits != 4:
            return pixels.tobytes()
        levels = [*pixels[:, 0].tolist(), 0]
        return bytes(levels[at] << 4 | levels[at + 1] for at in range(0, len(pixels), 2))

    encoded = b""
    for row in image[::-1]:
        column = 0
        while column < len(row):
            rest = row[column:]
            same = min(next((n for n in range(1, len(rest)) if (rest[n] != rest[0]).any()), len(rest)), 255)
            count = int(min(rng.integers(3, 9), len(rest)))
            if not rest[0].any() and rng.integers(2):
                encoded, count = encoded + bytes([0, 2, same, 0]), same
            elif count >= 3 and rng.integers(2):
                pixels = pack(rest[:count])
                encoded += bytes([0, count]) + pixels + bytes(len(pixels) % 2)
            elif bits == 4 and len(rest) > 1:  # two levels in turn
                count = next((n for n in range(2, len(rest)) if rest[n, 0] != rest[n - 2, 0]), len(rest))
                count = min(count, 255)
                encoded += bytes([count]) + pack(rest[:2])
            else:
                encoded, count = encoded + bytes([same]) + pack(rest[:1]), same
            column += count
        encoded += b"\0\0"
    return encoded + b"\0\1"


@settings(max_examples=60)
@given(seed=st.integers(0, 9999), height=st.integers(1, 5), width=st.integers(1, 300), bits=st.sampled_from([4, 8, 24]))
def test_runs_have_the_colors_that_were_written(seed: int, height: int, width: int, bits: int) -> None:
    """Of pixels (OS/2) and of palette indices: repeated, listed one by one, and stepped over; cut, they are refused."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 256, (5, 3), np.uint8) * (np.arange(5)[:, np.newaxis] > 0).astype(np.uint8)
    indices = np.repeat(rng.integers(0, 5, (height, width)), rng.integers(1, 4), axis=1)[:, :width].astype(np.uint8)
    image = colors[indices]
    pixels = image[..., ::-1] if bits == 24 else indices[..., np.newaxis]
    rows = [encode_runs(pixels, rng, bits)] + [b""] * (height - 1)
    palette = b"" if bits == 24 else np.pad(colors[:, ::-1], ((0, 0), (0, 1))).tobytes()
    compression = {8: 1, 4: 2, 24: 4}[bits]
    encoded = write_bmp(rows, width, bits, palette=palette, compression=compression, header=64 if bits == 24 else 40)
    np.testing.assert_array_equal(Decoder()(encoded), image)
    assert bits == 24 or np.array_equal(see_by_pillow(encoded), image)  # type: ignore[arg-type]
    for end in rng.integers(100, max(101, len(encoded) - 3), 5):
        if end < len(encoded) - 3:
            with pytest.raises(ValueError, match=r"^damaged BMP: "):
                Decoder()(encoded[:end])


@pytest.mark.parametrize(
    "runs", [b"\5abc\0\1", b"\0\5abcabcabcabcabc\0\0\1", b"\0\2\0\0", b"\4abc\1abc", b"\1abc", b""]
)
def test_damaged_runs_are_refused(runs: bytes) -> None:
    """Runs beyond their row, steps that lead nowhere, and rows that are missing."""
    with pytest.raises(ValueError, match=r"^damaged BMP: (a run|a step|truncated)"):
        Decoder()(write_bmp([runs, b""], 4, 24, header=64, compression=4))


@given(where=st.integers(0, 137), flipped=st.integers(1, 255), header=st.sampled_from(HEADERS))
def test_a_flipped_byte_of_the_header_gives_an_image_or_a_reason(where: int, flipped: int, header: int) -> None:
    """Damage is a ValueError of one line, whatever the header then says."""
    damaged = bytearray(write_bmp([bytes(12)] * 4, 12, 8, header=header, palette=bytes(768 if header == 12 else 1024)))
    damaged[where] ^= flipped
    try:
        image = Decoder(max_pixels=10_000)(bytes(damaged))
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017  # either outcome is right
    else:
        assert image.dtype == np.uint8
        assert image.shape[0] * image.shape[1] <= 10_000


def test_the_bmps_of_the_corpus_have_the_colors_of_pillow(caudal_data: Path) -> None:
    """Each that both read; and none of the sound ones is refused."""
    files = sorted((caudal_data / "robustness").glob("[ab]/*.bmp"))
    if not files:
        pytest.skip("the corpus holds no BMP")
    compared = 0
    for path in files:
        encoded = path.read_bytes()
        seen = see_by_pillow(encoded) if len(encoded) > 100 else None
        try:
            image = Decoder(max_pixels=10**7)(encoded)
        except ValueError:
            assert path.parent.name == "b", path.name
            continue
        if seen is not None:
            np.testing.assert_array_equal(image, seen, path.name)
            compared += 1
    assert compared >= 15


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
def test_keras_flows_read_what_pillow_does_not(color_mode: str, tmp_path: Path) -> None:
    """As `rgb32bf.bmp` of bmpsuite: masks that Pillow refuses; damage is still a reason."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 256, 4 * 9, np.uint8).tobytes() for _ in range(8)]
    encoded = write_bmp(rows, 9, 32, compression=3, masks=(0xFF00, 0xFF0000, 0xFF))
    assert see_by_pillow(encoded) is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.bmp").write_bytes(encoded)
    options: dict[str, Any] = {"target_size": (8, 9), "color_mode": color_mode, "class_mode": None}
    image = next(ImageDataGenerator().flow_from_directory(tmp_path, **options))[0]
    expected = PIL.Image.fromarray(Decoder()(encoded)).convert({"rgb": "RGB", "rgba": "RGBA"}.get(color_mode, "L"))
    np.testing.assert_array_equal(image, np.asarray(expected).reshape(image.shape))


@pytest.mark.parametrize(
    "run", [b"\1\5" * 20 + b"\0\0", b"\0\2\1\0"], ids=["of one pixel each", "steps that lead nowhere"]
)
def test_runs_are_bounded(run: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes time, however few pixels it has."""
    monkeypatch.setattr("pipeline.images.bmp._MAX_RUNS", 5000)
    encoded = bytearray(write_bmp([run * (40_000 // len(run))], 20, 8, compression=1, palette=bytes(1024)))
    struct.pack_into("<i", encoded, 22, 4000)  # the height
    with pytest.raises(ValueError, match="more than 5000 runs"):
        Decoder()(bytes(encoded))
    struct.pack_into("<i", encoded, 22, 40)
    if run[0]:
        assert Decoder()(bytes(encoded)).shape == (40, 20, 3)
