"""ReplaceBackground: the foreground stays, exactly; everything else is replaced, and reproducibly."""

import copy
import os
import zlib
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import augment
from augment import ReplaceBackground, TransformError, keys
from augment.background_files import BackgroundFiles, read_size
from augment.backgrounds import composite
from augment.foreground import grabcut
from augment.plan.encoded import load_decoder

HEIGHT, WIDTH = 40, 56


def disc(radius: int = 10) -> np.ndarray:
    """Make a mask: a disc in the middle."""
    return cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), radius, 255, -1)


def photograph(number: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Make noise."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def apply_transform(transform: Any, data: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """Apply a transform with a key."""
    return augment.KeyedTransform(transform).apply_to(data, keys.fold_in(keys.root(0), number))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three plain backgrounds: red, green and blue, of three sizes."""
    for place, (name, size) in enumerate({"red": (50, 90), "green": (90, 50), "blue": (1500, 1200)}.items()):
        image = np.zeros((*size, 3), np.uint8)
        image[..., 2 - place] = 255
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    return tmp_path


@pytest.mark.parametrize("backgrounds", ["noise", "colors", [(1, 2, 3)], "FOLDER"])
@pytest.mark.parametrize("feather_px", [0, 2, 7.5])
def test_foreground_is_identical_and_the_rest_replaced(backgrounds: Any, feather_px: float, folder: Path) -> None:
    """Inside the mask no pixel changes; beyond the blend none is left of the old background."""
    backgrounds = folder if backgrounds == "FOLDER" else backgrounds
    transform = ReplaceBackground(backgrounds, feather_px=feather_px, p=1)
    image, mask = photograph(), disc()
    result = apply_transform(transform, {"image": image, "mask": mask})
    np.testing.assert_array_equal(result["image"][mask != 0], image[mask != 0])
    np.testing.assert_array_equal(result["mask"], mask)
    beyond = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 5) > feather_px + 2
    new = result["image"][beyond]
    if backgrounds == [(1, 2, 3)]:
        assert (new == (1, 2, 3)).all()
    elif backgrounds == "noise":
        assert (new != image[beyond]).any(axis=1).mean() > 0.99
    else:
        assert len(np.unique(new, axis=0)) == 1
        assert backgrounds == "colors" or sorted(new[0].tolist()) == [0, 0, 255]


@given(st.integers(0, 6), st.integers(2, 18))
def test_blend_falls_from_the_edge_outward(feather_px: int, radius: int) -> None:
    """Between black and white the level grows with the distance from the foreground, over so many pixels."""
    foreground = disc(radius) != 0
    black, white = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    levels = composite(black, foreground, white, feather_px)[HEIGHT // 2, WIDTH // 2 + radius + 1 :, 0].astype(int)
    assert (np.diff(levels) >= 0).all()
    assert int((levels < 255).sum()) == min(feather_px, len(levels))


def test_backgrounds_are_keyed_and_the_same_in_any_thread(folder: Path) -> None:
    """A key gives one result, other keys other ones; copies share what was read."""
    transform = ReplaceBackground(folder, p=1)
    data = {"image": photograph(), "mask": disc()}
    results = [apply_transform(transform, data, number)["image"] for number in range(12)]
    assert len({result.tobytes() for result in results}) == 3
    np.testing.assert_array_equal(apply_transform(copy.deepcopy(transform), data, 5)["image"], results[5])
    assert copy.deepcopy(transform)._files is transform._files


def test_files_are_read_once_within_the_budget(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits is kept; what does not is read again; large files are kept smaller."""
    read = []
    original = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda encoded, flags: read.append(1) or original(encoded, flags))
    files = BackgroundFiles(str(folder), 2**24)
    assert len(files) == 3
    assert max(max(files.draw(place / 3).shape) for place in range(3)) == 1024
    for _ in range(4):
        files.draw(0.4)
    assert len(read) == 3
    small = BackgroundFiles(str(folder), 90 * 50 * 3)  # one of the two small ones
    for place in (0.4, 0.4, 0.9, 0.9, 0.4):
        small.draw(place)
    assert len(read) == 3 + 3


def test_it_composes_serializes_and_leaves_boxes(tmp_path: Path) -> None:
    """In a composition with others it is saved, loaded, compiled around, and boxes and keypoints stay."""
    transform = A.Compose(
        [ReplaceBackground([(9, 9, 9)], feather_px=0, p=1), A.HorizontalFlip(p=1)],
        bbox_params=A.BboxParams("pascal_voc"),
    )
    A.save(transform, tmp_path / "a.json")
    loaded = augment.load(tmp_path / "a.json")
    assert loaded.to_dict() == transform.to_dict()
    plan = augment.compile(loaded)
    assert "ReplaceBackground is not compiled: it needs a mask" in plan.explain()
    data = {"image": photograph(), "mask": disc(), "bboxes": np.array([[18.0, 10.0, 38.0, 30.0, 1.0]])}
    result = plan.apply_to(data, plan.sample(0, 0, [0], [(HEIGHT, WIDTH)]), 0)
    mask = disc()[:, ::-1] != 0
    np.testing.assert_array_equal(result["image"][mask], photograph()[:, ::-1][mask])
    assert (result["image"][~mask] == 9).all()
    np.testing.assert_allclose(result["bboxes"], [[18, 10, 38, 30, 1]], atol=1e-4)


def test_gray_images_and_other_masks() -> None:
    """A gray image gets a gray background; the mask may be another target, or a function of the image."""
    image = photograph()[..., :1]
    result = apply_transform(
        ReplaceBackground([[200]], mask=lambda image: image[..., 0] > 100, feather_px=0, p=1), {"image": image}
    )
    np.testing.assert_array_equal(result["image"], np.where(image > 100, image, 200))
    named = A.Compose([ReplaceBackground([[200]], mask="object", feather_px=0, p=1)])
    result = apply_transform(named, {"image": image, "object": image[..., 0] > 100})
    np.testing.assert_array_equal(result["image"], np.where(image > 100, image, 200))


def test_grabcut_finds_an_object_and_touches_no_generator() -> None:
    """A bright disc on a dark ground is found; equal images have equal masks, whatever OpenCV drew before."""
    image = (photograph(1) // 8 + 20).astype(np.uint8)
    image[disc(14) != 0] = (220, 190, 30)
    cv2.setRNGSeed(5)
    first = grabcut(image)
    cv2.setRNGSeed(99)
    np.testing.assert_array_equal(grabcut(image), first)
    expected = disc(14) != 0
    assert (first.astype(bool) & expected).sum() / (first.astype(bool) | expected).sum() > 0.8
    result = apply_transform(ReplaceBackground("noise", mask="grabcut", p=1), {"image": image})["image"]
    np.testing.assert_array_equal(result[first != 0], image[first != 0])
    assert grabcut(np.zeros((3, 3, 3), np.uint8)).shape == (3, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReplaceBackground("/nowhere"), "no background images in '/nowhere'"),
        (lambda: ReplaceBackground([]), "backgrounds must be a folder, 'noise', 'colors' or a list of colors"),
        (lambda: ReplaceBackground([(1, 2, 300)]), "a list of colors"),
        (lambda: ReplaceBackground(feather_px=-1), "feather_px must be finite and at least 0"),
        (lambda: ReplaceBackground(mask=""), "mask must be a target's name"),
        (lambda: A.save(ReplaceBackground(mask=np.sum), "x.json"), "cannot save a ReplaceBackground"),
        (lambda: ReplaceBackground(feather_px=float("nan")), "feather_px must be finite and at least 0, got nan"),
        (lambda: ReplaceBackground([("a", "b", "c")]), "a list of colors"),
        (lambda: ReplaceBackground(cache_bytes=-1), "cache_bytes must be an integer of at least 0"),
        (
            lambda: apply_transform(ReplaceBackground(p=1), {"image": photograph()}),
            "the target 'mask' is missing .*grabcut",
        ),
        (
            lambda: apply_transform(ReplaceBackground(mask=lambda _: None, p=1), {"image": photograph()}),
            r"a mask must be \[H, W\]",
        ),
        (
            lambda: apply_transform(ReplaceBackground(mask="grabcut", p=1), {"image": np.zeros((9, 9, 4), np.uint8)}),
            "GrabCut needs an image of 1 or 3 channels, got 4",
        ),
        (
            lambda: apply_transform(ReplaceBackground(p=1), {"image": photograph(), "mask": disc()[:9]}),
            r"the mask has shape \(9, 56\)",
        ),
        (
            lambda: apply_transform(ReplaceBackground(p=1), {"image": photograph() / np.float32(255), "mask": disc()}),
            "uint8",
        ),
        (
            lambda: apply_transform(ReplaceBackground([(1,)], p=1), {"image": photograph(), "mask": disc()}),
            "has 1 values",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(make: Any, message: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(TransformError, match=message):
        make()


def test_a_very_long_background_is_read(tmp_path: Path) -> None:
    """A strip of one row, kept smaller, keeps its row."""
    cv2.imwrite(str(tmp_path / "strip.png"), np.full((1, 3000, 3), 7, np.uint8))
    result = apply_transform(ReplaceBackground(tmp_path, feather_px=0, p=1), {"image": photograph(), "mask": disc()})[
        "image"
    ]
    assert (result[disc() == 0] == 7).all()


@pytest.mark.parametrize("extension", [".bmp", ".jpg", ".png", ".webp"])
@given(height=st.integers(1, 300), width=st.integers(1, 300))
def test_sizes_in_headers_are_those_of_the_decoded_images(extension: str, height: int, width: int) -> None:
    """OpenCV writes and reads the images; lossless and lossy WebP differ."""
    image = np.full((height, width, 3), 90, np.uint8)
    for quality in (101, 80) if extension == ".webp" else (None,):
        options = [] if quality is None else [cv2.IMWRITE_WEBP_QUALITY, quality]
        encoded = cv2.imencode(extension, image, options)[1].tobytes()
        assert read_size(encoded) == (height, width)


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF\0\0\0\0WEBPVP8X"])
)
def test_headers_of_any_bytes_are_read(content: bytes, start: bytes) -> None:
    """Nothing is raised, and nothing negative returned."""
    size = read_size(start + content)
    assert size is None or min(size) >= 0


def test_the_size_in_a_jpeg_is_the_one_that_libjpeg_reads() -> None:
    """Bytes between segments, filled with what looks like a small frame, are skipped."""
    encoded = cv2.imencode(".jpg", np.zeros((50, 60, 3), np.uint8))[1].tobytes()
    frame = b"\xc0\x00\x11\x08\x00\x10\x00\x10\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    for junk in (b"\xff\x00" + frame, b"\x00\x01", b"\xff\xff\xff", b"\xff\xd0"):
        hidden = encoded[:20] + junk + encoded[20:]  # after the JFIF segment
        assert cv2.imdecode(np.frombuffer(hidden, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (50, 60)
        assert read_size(hidden) == (50, 60)


def test_large_backgrounds_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is that of a Loader; the message has the size and the bound."""
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((30, 40, 3), np.uint8))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    data = {"image": photograph(), "mask": disc()}
    with pytest.raises(TransformError, match=r"large\.png has 30 x 40 pixels, more than max_pixels=1199: resize"):
        apply_transform(ReplaceBackground(tmp_path, max_pixels=1199, p=1), data)
    with pytest.raises(TransformError, match=r"large\.png has .* bytes, more than an image of max_pixels needs"):
        apply_transform(ReplaceBackground(tmp_path, max_pixels=1, p=1), data)
    with pytest.raises(TransformError, match="max_pixels must be an integer from 1 to 1073741824, got 0"):
        ReplaceBackground(tmp_path, max_pixels=0)
    bomb = (tmp_path / "large.png").read_bytes()
    (tmp_path / "large.png").write_bytes(bomb[:16] + (25_000).to_bytes(4, "big") * 2 + bomb[24:])
    with pytest.raises(TransformError, match="has 25000 x 25000 pixels, more than max_pixels=89478485"):
        apply_transform(ReplaceBackground(tmp_path, p=1), data)


def test_the_bound_is_that_of_a_loader() -> None:
    """One number for all images."""
    from pipeline.images.header import MAX_PIXELS

    assert ReplaceBackground().max_pixels == MAX_PIXELS


def test_backgrounds_that_are_not_images_are_named(tmp_path: Path) -> None:
    """Text, a damaged image, a FIFO and a dangling link; none of them blocks."""
    data = {"image": photograph(), "mask": disc()}
    path = tmp_path / "a.png"
    for make, message in (
        (lambda: path.write_bytes(b"not an image"), "is not a BMP, JPEG, PNG or WebP image"),
        (lambda: path.write_bytes(cv2.imencode(".png", photograph())[1].tobytes()[:40]), "cannot read the background"),
        (lambda: os.mkfifo(path), r"it is a named pipe \(FIFO\), not a regular file"),
        (lambda: path.symlink_to("nowhere"), "No such file or directory"),
    ):
        path.unlink(missing_ok=True)
        make()
        with pytest.raises(TransformError, match=message):
            apply_transform(ReplaceBackground(tmp_path, p=1), data)


def test_backgrounds_that_would_take_long_are_refused(tmp_path: Path) -> None:
    """Pixels that go on behind the last row, and a JPEG of a thousand scans."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    encoded = cv2.imencode(".png", photograph())[1].tobytes()
    at = encoded.index(b"IDAT") - 4
    surplus = zlib.compress(
        zlib.decompress(encoded[at + 8 :][: int.from_bytes(encoded[at : at + 4])]) + bytes(80 << 20)
    )
    chunk = b"IDAT" + surplus
    (tmp_path / "a" / "a.png").write_bytes(
        encoded[:at] + len(surplus).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + encoded[-12:]
    )
    encoded = cv2.imencode(".jpg", photograph())[1].tobytes()
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    (tmp_path / "b" / "b.jpg").write_bytes(encoded[:-2] + scan * 200 + encoded[-2:])
    with pytest.raises(TransformError, match="more than 100 scans"):
        BackgroundFiles(str(tmp_path / "b"), 2**20).draw(0)
    if load_decoder() is not None:
        with pytest.raises(TransformError, match="more pixels follow the last row"):
            BackgroundFiles(str(tmp_path / "a"), 2**20).draw(0)
