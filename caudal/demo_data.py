"""The demo's data, from images in scikit-learn: no download."""

from pathlib import Path

import cv2
import numpy as np

from augment.transform import Image
from pipeline.images.encode import encode_png
from pipeline.progress import Progress

PHOTOGRAPHS = 128
"""Number of photographs."""


def write_digits(root: Path, progress: Progress) -> None:
    """Write 1,797 handwritten digits, 8 x 8 pixels, as `train/` and `validation/` class-folders of PNGs.

    A fifth of each digit's samples is for validation. Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten
    Digits" (UCI), as in `sklearn.datasets.load_digits`.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    parts = train_test_split(np.arange(len(images)), test_size=0.2, stratify=digits.target, random_state=0)
    done = 0
    for part, members in zip(("train", "validation"), parts, strict=True):
        for index in members:
            _write(root / part / str(digits.target[index]) / f"{index:04d}.png", encode_png(images[index]))
            progress(done := done + 1, len(images))


def write_photographs(root: Path, progress: Progress) -> None:
    """Write windows of two photographs, about 400 x 300 to 640 x 427 pixels, as class-folders of JPEGs."""
    from sklearn.datasets import load_sample_images

    photographs = dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    random = np.random.default_rng(0)
    for number in range(PHOTOGRAPHS):
        name = ("china", "flower")[number % 2]
        _write(root / name / f"{number:04d}.jpg", _encode_jpeg(_cut_window(photographs[name], random)))
        progress(number + 1, PHOTOGRAPHS)


def _cut_window(photograph: Image, random: np.random.Generator) -> Image:
    height, width = (int(side * random.uniform(0.65, 1.0)) for side in photograph.shape[:2])
    top, left = (
        int(random.integers(0, whole - side + 1))
        for whole, side in zip(photograph.shape, (height, width), strict=False)
    )
    return photograph[top : top + height, left : left + width]


def _encode_jpeg(image: Image) -> bytes:
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return encoded.tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
