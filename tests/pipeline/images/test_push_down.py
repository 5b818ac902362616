"""Tests of decoding only what an augmentation needs: the pixels must be those of the whole image's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import pipeline
from augment import keys
from augment.plan.encoded import EncodedImage
from pipeline.images import decode
from pipeline.images.decode import Decoder

PHOTOGRAPH = cv2.cvtColor(load_sample_images().images[0], cv2.COLOR_RGB2BGR)  # 427 x 640


@pytest.fixture
def photographs(tmp_path: Path) -> Callable[..., Path]:
    """Give `photographs(extension, gray=False)`: a folder of four photographs of different sizes."""

    def make(extension: str, *, gray: bool = False) -> Path:
        folder = tmp_path / "photographs" / "a"
        folder.mkdir(parents=True)
        for number in range(4):
            image = PHOTOGRAPH[number * 9 :, number * 31 :]
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if gray else image
            cv2.imwrite(str(folder / f"{number}{extension}"), image)
        return folder.parent

    return make


def pair_with_reference(root: Path, transform: Any, **options: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pair each image that a loader delivers with what its plan makes of the whole decoded image."""
    loader = pipeline.Loader(root, augment=transform, batch_size=None, image_size=None, shuffle=False, **options)
    decoder = Decoder(color_mode=options.get("color_mode", "rgb"))
    pairs = []
    assert loader.plan is not None
    for index, (image, _) in enumerate(loader.dataset().as_numpy_iterator()):
        whole = decoder((root / "a" / f"{index}{next(root.rglob('*.*')).suffix}").read_bytes())
        key = keys.fold_in(keys.root(0), "augment", 0, [index])
        pairs.append((image, loader.plan.apply(whole, loader.plan.draw(key, [whole.shape]), 0)))
    return pairs


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[int, int, int, int], int]]:
    """Collect the windows that are decoded, with their ratios."""
    seen: list[tuple[tuple[int, int, int, int], int]] = []

    class Recorder(EncodedImage):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if self.corner is not None:
                seen.append(((*self.corner, *self.shape[:2]), self.ratio))

    monkeypatch.setattr(decode, "EncodedImage", Recorder)
    return seen


def test_gray_windows_are_those_of_the_whole_image(photographs: Callable[..., Path], windows: list[Any]) -> None:
    """Without chroma there is nothing to upsample: bit for bit."""
    transform = A.Compose([A.RandomCrop(120, 100, p=1), A.HorizontalFlip(), A.RandomGamma(p=1)])
    for image, whole in pair_with_reference(photographs(".jpg", gray=True), transform, color_mode="grayscale"):
        np.testing.assert_array_equal(image, whole)
    assert [(window[2:], ratio) for window, ratio in windows[1:]] == [((120, 100), 1)] * 4


def test_color_windows_differ_at_their_edges_only(photographs: Callable[..., Path], windows: list[Any]) -> None:
    """The chroma of the outermost two pixels is upsampled from what the window holds; all others are equal."""
    for image, whole in pair_with_reference(photographs(".jpg"), A.RandomCrop(120, 100, p=1)):
        np.testing.assert_array_equal(image[2:-2, 2:-2], whole[2:-2, 2:-2])
    assert len(windows) == 5  # and the one that told dtype and channels


@pytest.mark.parametrize("extension", [".png", ".bmp", ".webp"])
def test_other_formats_are_decoded_whole(photographs: Callable[..., Path], windows: list[Any], extension: str) -> None:
    """What is no JPEG is decoded whole and cropped: bit for bit, also where geometry follows."""
    transform = A.Compose([A.RandomResizedCrop((50, 60)), A.Affine(rotate=(-20, 20), p=1)])
    for image, whole in pair_with_reference(photographs(extension), transform):
        np.testing.assert_array_equal(image, whole)
    assert windows == []


def test_turned_images_are_decoded_whole(
    photographs: Callable[..., Path], windows: list[Any], tiff: Callable[..., bytes], with_tiff: Callable[..., bytes]
) -> None:
    """A window of an upright image is none of a stored one that EXIF turns."""
    root = photographs(".jpg")
    for path in root.rglob("*.jpg"):
        path.write_bytes(with_tiff(path.read_bytes(), tiff(6)))
    for image, whole in pair_with_reference(root, A.RandomCrop(120, 100, p=1)):
        np.testing.assert_array_equal(image, whole)
    assert windows == []


def test_a_coarser_scale_is_chosen_where_it_still_covers_the_result(
    photographs: Callable[..., Path], windows: list[Any]
) -> None:
    """Down to a quarter, the decoder's own scale of a quarter suffices; and the picture stays where it was."""
    transform = A.Compose([A.CenterCrop(320, 400, p=1), A.Resize(80, 100, p=1), A.HorizontalFlip(p=1)])
    for image, whole in pair_with_reference(photographs(".jpg"), transform):
        # The decoder averages 4 x 4 pixels, cv2.resize looks at 2 x 2: compared after both have been blurred.
        blurred, reference = (cv2.GaussianBlur(picture, (0, 0), 2).astype(float) for picture in (image, whole))
        assert np.abs(blurred - reference).mean() < 3
        shifted = np.abs(blurred[:, 2:] - reference[:, :-2]).mean()
        assert np.abs(blurred - reference).mean() < shifted / 2
    assert {ratio for _, ratio in windows} == {4}


def test_an_enlarged_window_is_decoded_at_full_scale(photographs: Callable[..., Path], windows: list[Any]) -> None:
    """Where any later transform enlarges, no pixel may be missing."""
    transform = A.Compose([A.CenterCrop(200, 200, p=1), A.Resize(100, 100, p=1), A.Affine(scale=3.0, p=1)])
    list(pair_with_reference(photographs(".jpg"), transform))
    assert {ratio for _, ratio in windows} == {1}


def test_a_rotation_at_a_coarser_scale_stays_in_place(photographs: Callable[..., Path], windows: list[Any]) -> None:
    """A warp from a decoded half shows what a warp from the whole does."""
    transform = A.Compose([A.CenterCrop(301, 307, p=1), A.Resize(100, 100, p=1), A.Affine(rotate=(20, 20), p=1)])
    for image, whole in pair_with_reference(photographs(".jpg"), transform):
        blurred, reference = (cv2.GaussianBlur(picture, (0, 0), 2).astype(float) for picture in (image, whole))
        assert np.abs(blurred - reference).mean() < 3
        filled, filled_of_whole = (np.mean((picture == 0).all(axis=2)) for picture in (image, whole))
        assert abs(filled - filled_of_whole) < 0.01
    assert {ratio for _, ratio in windows} == {2}


def test_records_are_decoded_like_their_files(
    photographs: Callable[..., Path], tmp_path: Path, windows: list[Any]
) -> None:
    """The same key, the same pixels, from the folder and from its TFRecords; both push down."""
    root = photographs(".jpg")
    pipeline.convert(root, tmp_path / "records")
    options: dict[str, Any] = {"image_size": (60, 70), "batch_size": 4, "augment": A.RandomResizedCrop((60, 70))}
    left, right = (
        next(pipeline.Loader(source, **options).dataset(3).as_numpy_iterator())[0]
        for source in (root, tmp_path / "records")
    )
    np.testing.assert_array_equal(left, right)
    assert len(windows) == 10
