"""Re-encoding: sizes, formats, orientation, transparency, and augmented copies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest

import pipeline
from augment.plan.encoded import load_decoder
from pipeline.conversion import reencode
from pipeline.conversion.reencode import Reencoding, decode
from pipeline.errors import AugmentationError, DecodeError
from pipeline.images.decode import Decoder
from pipeline.images.header import read_header


def write(root: Path, **images: bytes) -> Path:
    """Write a class-folder with one class."""
    (root / "ants").mkdir(parents=True)
    for name, data in images.items():
        (root / "ants" / name.replace("_", ".")).write_bytes(data)
    return root


def export(source: Path, target: Path, **options: Any) -> dict[str, bytes]:
    """Convert to class-folders: the files by name."""
    pipeline.convert(source, target, to="folder", **options)
    return {path.name: path.read_bytes() for path in (target / "ants").iterdir()}


def smooth(height: int, width: int) -> np.ndarray:
    """Draw a picture without fine detail, uint8 [height, width, 3], which survives JPEG."""
    small = np.random.default_rng(1).integers(80, 180, (3, 4, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [
        ((40, 60), {"resize_short": 20}, (20, 30)),
        ((60, 40), {"resize_short": 20}, (30, 20)),
        ((41, 60), {"resize_short": 20}, (20, 29)),
        ((10, 1000), {"resize_short": 5}, (5, 500)),
        ((10, 12), {"resize_short": 20}, (20, 24)),
        ((40, 60), {"image_size": (7, 9)}, (7, 9)),
        ((40, 60), {"quality": 50}, (40, 60)),
    ],
)
def test_images_get_the_requested_size(
    tmp_path: Path,
    encode: Callable[..., bytes],
    size: tuple[int, int],
    options: dict[str, Any],
    expected: tuple[int, int],
) -> None:
    """The header of the output has the requested shorter side, or both sides."""
    source = write(tmp_path / "source", a_jpg=encode(smooth(*size), ".jpg"))
    header = read_header(export(source, tmp_path / "out", **options)["a.jpg"])
    assert (header.format, header.height, header.width) == ("jpeg", *expected)


def test_pixels_equal_those_of_opencv(tmp_path: Path, encode: Callable[..., bytes]) -> None:
    """Above one half there is no DCT scale: decoding, resizing and encoding by OpenCV give the same bytes."""
    encoded = encode(smooth(300, 400), ".jpg")
    (written,) = export(
        write(tmp_path / "source", a_jpg=encoded), tmp_path / "out", resize_short=200, quality=90
    ).values()
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    image = cv2.resize(image, (267, 200), interpolation=cv2.INTER_LINEAR)
    assert written == cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


@pytest.mark.parametrize(("short", "ratio"), [(200, 1), (151, 1), (150, 2), (75, 4), (37, 8), (5, 8)])
def test_a_coarser_scale_is_decoded_where_it_is_enough(
    monkeypatch: pytest.MonkeyPatch, encode: Callable[..., bytes], short: int, ratio: int
) -> None:
    """The decoder gets the largest ratio that is fine enough, and the result looks the same."""
    ratios: list[int] = []

    def watch(encoded: bytes, header: Any, ratio: int = 1) -> Any:
        ratios.append(ratio)
        return decode(encoded, header, ratio)

    monkeypatch.setattr("pipeline.conversion.reencode.decode", watch)
    encoded = encode(smooth(300, 400), ".jpg")
    reencoding = Reencoding(short_side=short, format="png")
    header = read_header(encoded)
    written, output = reencoding.resize_and_encode(reencoding.decode(encoded, header), "jpeg")
    assert ratios == [ratio]
    whole = cv2.resize(Decoder()(encoded), (output.width, output.height), interpolation=cv2.INTER_AREA)
    difference = np.abs(whole.astype(int) - cv2.imdecode(np.frombuffer(written, np.uint8), -1)[..., ::-1])
    assert difference.mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_when_re_encoding(
    tmp_path: Path, encode: Callable[..., bytes], tiff: Callable, with_tiff: Callable, orientation: int
) -> None:
    """The output is upright, as the loader decodes it, and has no orientation."""
    encoded = with_tiff(encode(smooth(24, 40), ".jpg"), tiff(orientation))
    (written,) = export(write(tmp_path / "source", a_jpg=encoded), tmp_path / "out", format="png").values()
    assert read_header(written).orientation == 1
    assert np.abs(Decoder()(written).astype(int) - Decoder()(encoded)).mean() < 2


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".bmp"])
def test_every_format_becomes_every_format(
    tmp_path: Path, encode: Callable[..., bytes], extension: str, image_format: Any
) -> None:
    """The content and the name have the new format; the pixels are the same."""
    source = write(tmp_path / "source", **{f"a_{extension[1:]}": encode(smooth(24, 40), extension)})
    ((name, written),) = export(source, tmp_path / "out", format=image_format, quality=100).items()
    assert name == {"jpeg": "a.jpg", "png": "a.png", "webp": "a.webp"}[image_format]
    assert read_header(written).format == image_format
    before = Decoder()((source / "ants" / f"a{extension}").read_bytes()).astype(int)
    assert np.abs(Decoder()(written) - before).mean() < 3


def test_images_of_the_requested_size_and_format_keep_their_bytes(tmp_path: Path, encode: Callable[..., bytes]) -> None:
    """A second conversion with the same size passes the bytes through; with a quality, images are always re-encoded."""
    source = write(tmp_path / "source", a_jpg=encode(smooth(20, 30), ".jpg"))
    before = (source / "ants" / "a.jpg").read_bytes()
    assert export(source, tmp_path / "same", resize_short=20, format="jpeg") == {"a.jpg": before}
    assert export(source, tmp_path / "other", resize_short=20, quality=20)["a.jpg"] != before


def test_channels_stay_where_the_format_has_them(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., np.ndarray]
) -> None:
    """Gray stays gray; transparency stays in PNG, and is dropped in JPEG and in opaque images."""
    opaque = picture(3, channels=4)
    opaque[..., 3] = 255
    source = write(
        tmp_path / "source",
        grey_png=encode(picture(1, channels=1)),
        clear_png=encode(picture(2, channels=4)),
        opaque_png=encode(opaque),
    )
    channels = {
        image_format: {
            name: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).shape[2:]
            for name, data in export(source, tmp_path / image_format, format=image_format, resize_short=4).items()
        }
        for image_format in ("png", "jpeg")
    }
    assert channels["png"] == {"grey.png": (), "clear.png": (4,), "opaque.png": (3,)}
    assert channels["jpeg"] == {"grey.jpg": (), "clear.jpg": (3,), "opaque.jpg": (3,)}


def test_files_that_become_one_name_get_numbers(tmp_path: Path, encode: Callable[..., bytes]) -> None:
    """`a.png` and `a.jpg` both become JPEGs, and `renamed.jsonl` lists the renamed one."""
    image = smooth(8, 8)
    source = write(tmp_path / "source", a_jpg=encode(image, ".jpg"), a_png=encode(image))
    assert sorted(export(source, tmp_path / "out", format="jpeg")) == ["a.jpg", "a~2.jpg"]
    assert '"sample": "ants/a.png", "file": "ants/a~2.jpg"' in (tmp_path / "out" / "renamed.jsonl").read_text()


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.98, 0.6, 0.3])
def test_truncated_files_are_bad_samples(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable, extension: str, kept: float
) -> None:
    """OpenCV would fill missing pixels with gray; the end marker of a thumbnail does not count."""
    encoded = encode(picture(0, 60, 60), extension)
    if extension == ".jpg":
        encoded = encoded[:2] + b"\xff\xe1\x00\x08ab\xff\xd9cd"[:10] + encoded[2:]
    source = write(tmp_path / "source", **{f"a_{extension[1:]}": encoded[: int(kept * len(encoded))]})
    with pytest.raises(DecodeError, match=r"damaged (JPEG|PNG): (truncated|the file ends)"):
        pipeline.convert(source, tmp_path / "out", resize_short=20)


@pytest.mark.skipif(load_decoder() is None, reason="the native decoder is not in use")
@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_conversion_writes_the_same_with_and_without_the_native_decoder(
    ratio: int, channels: int, encode: Callable[..., bytes], picture: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV's pixels replace those of the native decoder, at every scale of the cosine transform."""
    encoded = encode(picture(0, 61, 45, channels), ".jpg")
    header = Decoder().header(encoded)
    natively = decode(encoded, header, ratio)
    monkeypatch.setattr(reencode, "load_decoder", lambda: None)
    np.testing.assert_array_equal(natively, decode(encoded, header, ratio))


@pytest.mark.skipif(load_decoder() is None, reason="the native decoder is not in use")
def test_damage_of_which_libjpeg_warns_is_not_written_anew(encode: Callable[..., bytes], picture: Callable) -> None:
    """A loader decodes such a file, with wrong colors; a conversion would make a sound one of it."""
    encoded = bytearray(encode(picture(0, 60, 60), ".jpg"))
    encoded[-200:-150] = b"\x55" * 50
    header = Decoder().header(bytes(encoded))
    assert Decoder()(bytes(encoded), header).shape == (60, 60, 3)
    with pytest.raises(ValueError, match="damaged JPEG: Corrupt JPEG data"):
        decode(bytes(encoded), header)


AUGMENT = A.Compose([A.HorizontalFlip(), A.RandomCrop(6, 6), A.ColorJitter(p=0.7)])


def test_copies_equal_what_the_loader_yields_in_later_epochs(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Copy k of a sample equals the sample in epoch k, for equal seeds; the original is kept."""
    source = folders(ants=3, bees=2)
    pipeline.convert(source, tmp_path / "out", to="folder", augment=AUGMENT, copies=2, seed=5)
    loader = pipeline.Loader(source, image_size=None, batch_size=None, augment=AUGMENT, shuffle=False, seed=5)
    for copy in (1, 2):
        stream = loader.dataset(copy, with_keys=True).take(5).as_numpy_iterator()
        for image, _, key in stream:
            name = key.decode().replace(".png", f"~aug{copy}.png")
            np.testing.assert_array_equal(Decoder()((tmp_path / "out" / name).read_bytes()), image)
    for path in source.rglob("*.png"):
        assert (tmp_path / "out" / path.relative_to(source)).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "out").rglob("*.png"))) == 15


def test_copies_of_copies_have_unique_names(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A dataset with augmented copies is augmented again without a collision."""
    pipeline.convert(folders(ants=2), tmp_path / "one", augment=AUGMENT, copies=1)
    manifest = pipeline.convert(tmp_path / "one", tmp_path / "two", augment=AUGMENT, copies=1)
    assert manifest["num_examples"] == 8
    assert pipeline.verify(tmp_path / "two", decode=True) == ()


def test_copies_stay_in_the_part_of_their_sample(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A split divides samples, not copies: no copy of a training sample is in the validation part."""
    pipeline.convert(
        folders(ants=10),
        tmp_path / "out",
        to="folder",
        augment=AUGMENT,
        copies=3,
        split={"a": 0.7, "b": 0.3},
        augment_splits=["a", "b"],
    )
    parts = {
        part: [path.stem.split("~")[0] for path in (tmp_path / "out" / part).rglob("*.png")] for part in ("a", "b")
    }
    assert (len(parts["a"]), len(parts["b"])) == (28, 12)
    assert not set(parts["a"]) & set(parts["b"])


def test_augmented_pixels_that_no_image_file_can_hold_are_refused(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Normalized pixels cannot be stored; the message names the transforms to drop."""
    with pytest.raises(AugmentationError, match="run Normalize and ToFloat in the loader instead"):
        pipeline.convert(folders(ants=1), tmp_path / "out", augment=A.Normalize(), copies=1)
