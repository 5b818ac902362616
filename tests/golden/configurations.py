"""The configurations whose digests are golden: sources, modes and augmentations, over data that are made here."""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
from numpy.typing import NDArray

import augment
from augment import policies
from augment import text as texts
from pipeline import ImageDataGenerator, Loader, TextLoader, image_dataset_from_directory
from pipeline.records import tfrecord

Image = NDArray[np.uint8]

CLASSES = {"ants": 4, "bees": 5, "cats": 3}


def make_picture(number: int, height: int = 24, width: int = 32) -> Image:
    """Draw a picture by integer arithmetic: a gradient, an edge and some noise, different for each number."""
    y, x, channel = np.ogrid[:height, :width, :3]
    noise = (y * 7919 + x * 104729 + channel * 1299709 + number * 15485863) % 41
    edge = np.where(x * 3 + number > 2 * y + 10, 90, 20)
    return ((noise + edge + 2 * y + 3 * x + 25 * channel + 11 * number) % 256).astype(np.uint8)


class Sources:
    """The data, written below a directory when they are first used.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def png(self) -> Path:
        """Class-folders of PNGs of different sizes."""
        return self._write_folders("png", ".png", 1)

    @cached_property
    def jpeg(self) -> Path:
        """Class-folders of larger JPEGs."""
        return self._write_folders("jpeg", ".jpg", 6)

    @cached_property
    def damaged(self) -> Path:
        """Class-folders of which one file in four is cut."""
        root = self._write_folders("damaged", ".png", 1)
        for path in sorted(root.rglob("1.png")):
            path.write_bytes(path.read_bytes()[:90])
        return root

    @cached_property
    def records(self) -> Path:
        """TFRecords of another program, whose labels start at 1."""
        path = self._root / "data.tfrecord"
        examples = []
        for number, (name, file) in enumerate((path.parent.name, path) for path in sorted(self.png.rglob("*.png"))):
            features: dict[str, bytes | int] = {
                tfrecord.ENCODED: file.read_bytes(),
                tfrecord.FILENAME: os.fsencode(f"{name}/{number}.png"),
                tfrecord.LABEL: sorted(CLASSES).index(name) + 1,
                tfrecord.CLASS_NAME: name.encode(),
            }
            examples.append(tfrecord.frame(tfrecord.example(features)))
        path.write_bytes(b"".join(examples))
        return path

    @cached_property
    def arrays(self) -> tuple[Image, NDArray[np.int64]]:
        """Images of one size, and labels."""
        return np.stack([make_picture(number) for number in range(10)]), np.arange(10) % 3

    @cached_property
    def text_rows(self) -> Path:
        """A file of rows, one of them quoted over two lines."""
        path = self._root / "rows.csv"
        rows = [f'{number % 3},"the quick brown fox number {number}\n jumps over a lazy dog"' for number in range(11)]
        path.write_text("label,text\n" + "\n".join(rows))
        return path

    @cached_property
    def text_lines(self) -> Path:
        """A file of `label text` lines."""
        path = self._root / "lines.txt"
        path.write_text("".join(f"{number % 2} a good movie, {number} times better\n" for number in range(12)))
        return path

    @cached_property
    def text_folder(self) -> Path:
        """Class-folders of texts."""
        for number in range(9):
            path = self._root / "texts" / "np"[number % 2] / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"this is café number {number}, not bad at all")
        return self._root / "texts"

    @property
    def cache(self) -> Path:
        """A new directory for a cache."""
        return self._root / "cache"

    def _write_folders(self, folder: str, extension: str, scale: int) -> Path:
        number = 0
        for name, count in CLASSES.items():
            (self._root / folder / name).mkdir(parents=True)
            for file in range(count):
                image = make_picture(number, scale * (20 + number), scale * (30 - number))
                _, encoded = cv2.imencode(extension, image)
                (self._root / folder / name / f"{file}{extension}").write_bytes(encoded.tobytes())
                number += 1
        return self._root / folder


def _make_images(source: str, **options: Any) -> Callable[[Sources], Any]:
    def make(sources: Sources) -> Loader:
        given = {"image_size": (16, 20), "batch_size": 5, "seed": 7} | options
        return Loader(getattr(sources, source), **{name: _resolve(value, sources) for name, value in given.items()})

    return make


def _make_texts(source: str, **options: Any) -> Callable[[Sources], Any]:
    return lambda sources: TextLoader(getattr(sources, source), **{"batch_size": 5, "workers": 0} | options)


def _resolve(value: Any, sources: Sources) -> Any:
    return value(sources) if callable(value) and getattr(value, "__name__", "") == "<lambda>" else value


def _make_keras_dataset(sources: Sources) -> Any:
    return image_dataset_from_directory(
        sources.png, class_names=["cats", "ants"], image_size=(12, 14), batch_size=4, seed=3, verbose=False
    )


def _make_keras_flow(sources: Sources) -> Any:
    images, _ = sources.arrays
    generator = ImageDataGenerator(rotation_range=30, zoom_range=0.2, horizontal_flip=True, rescale=1 / 255)
    return generator.flow(images, np.arange(len(images)), batch_size=4, seed=5)


FLIP = A.HorizontalFlip(p=0.5)

MODES: dict[str, Callable[[Sources], Any]] = {
    "folder": _make_images("png", augment=FLIP),
    "folder, another order of classes": _make_images("png", class_names=["cats", "ants"], shuffle=False),
    "folder, jpeg, not shuffled": _make_images("jpeg", shuffle=False),
    "records, offset": _make_images("records", label_offset=1, augment=FLIP),
    "arrays": _make_images("arrays", augment=FLIP, image_size=None),
    "seed of 63 bits": _make_images("png", seed=2**63 - 25),
    "shard": _make_images("png", shard=(1, 3), batch_size=2),
    "drop_remainder, categorical": _make_images("png", drop_remainder=True, label_mode="categorical"),
    "validation subset, stratified": _make_images("png", validation_split=0.4, subset="validation", stratify=True),
    "training subset, limited": _make_images("png", validation_split=0.3, subset="training", limit=5),
    "single samples, any size": _make_images("png", batch_size=None, image_size=None, label_mode=None, augment=FLIP),
    "grayscale, area": _make_images("png", color_mode="grayscale", interpolation="area"),
    "rgba, lanczos4": _make_images("png", color_mode="rgba", interpolation="lanczos4"),
    "binary, nearest": _make_images("png", class_names=["ants", "bees"], label_mode="binary", interpolation="nearest"),
    "copies": _make_images("png", copies=2, augment=FLIP),
    "views": _make_images("png", views="five_crop", augment=FLIP),
    "mixup": _make_images("png", mix=augment.MixUp(), label_mode="categorical"),
    "cutmix or mosaic": _make_images("png", mix=[augment.CutMix(), augment.Mosaic()], label_mode="categorical"),
    "replaced bad samples": _make_images("damaged", on_error="replace", augment=FLIP),
    "skipped bad samples": _make_images("damaged", on_error="skip", augment=FLIP),
    "cached pixels": _make_images("jpeg", cache=lambda sources: sources.cache, augment=FLIP),
    "Keras, dataset": _make_keras_dataset,
    "Keras, generator": _make_keras_flow,
    "texts": _make_texts("text_folder"),
    "texts, EDA": _make_texts("text_rows", augment=texts.EDA()),
    "texts, variants": _make_texts("text_lines", augment=texts.EDA(num_aug=3), num_aug=3),
    "texts, composed": _make_texts(
        "text_rows", augment=texts.Compose([texts.RandomSwap(), texts.OneOf([texts.RandomDeletion()])])
    ),
}

COMPOSED = [
    A.OneOf([A.Rotate(p=1), A.Sequential([A.Transpose(p=1), A.InvertImg(p=0.5)], p=1)], p=0.8),
    A.SomeOf([A.VerticalFlip(p=1), A.RandomGamma(p=0.6), A.CoarseDropout(p=1)], n=2),
    A.RandomOrder([A.Affine(shear=10, p=1), A.HorizontalFlip(p=0.5), A.ToGray(p=0.3)], n=3),
]

AUGMENTATIONS: dict[str, Callable[[], Any]] = {
    "full": lambda: policies.policy("full", (16, 20)),
    "geometry": lambda: [
        A.RandomResizedCrop((24, 28)),
        A.Affine(rotate=25, scale=(0.8, 1.2), translate_percent=0.1, p=0.8),
        A.Perspective(p=0.5),
        A.SafeRotate(p=0.5),
        A.D4(p=0.5),
    ],
    "crops and pads": lambda: [
        A.SmallestMaxSize(40),
        A.RandomCrop(30, 30),
        A.PadIfNeeded(36, 36),
        A.CenterCrop(32, 34),
        A.RandomSizedCrop((20, 30), (20, 24)),
    ],
    "point-wise": lambda: [
        A.ColorJitter(p=0.8),
        A.HueSaturationValue(p=0.5),
        A.RGBShift(p=0.5),
        A.Posterize(p=0.4),
        A.CLAHE(p=0.3),
        A.RandomBrightnessContrast(p=1),
    ],
    "filled rectangles": lambda: [A.CoarseDropout(p=0.8), A.Erasing(p=0.6), A.GridDropout(p=0.4), A.XYMasking(p=0.5)],
    "compositions": lambda: COMPOSED,
    "compositions, not compiled": lambda: [
        A.SomeOf([FLIP, A.Transpose(p=0.7), A.RandomGamma(p=1)], n=3, replace=True, p=0.9),
        A.OneOrOther(A.Affine(rotate=20, p=1), A.Blur(p=1), p=0.4),
        A.SelectiveChannelTransform([A.RandomGamma(p=1)], channels=(0, 2), p=0.5),
    ],
    "unmodified": lambda: [A.ElasticTransform(p=0.7), A.GaussNoise(p=0.7), A.MotionBlur(p=0.5), FLIP],
    "floats": lambda: [FLIP, A.Normalize(p=1)],
    "rand_augment": lambda: policies.policy("rand_augment(2, 9)", (20, 20)),
    "trivial_augment": lambda: policies.policy("trivial_augment", (20, 20)),
    "auto_augment": lambda: policies.policy("auto_augment", (20, 20)),
    "aug_mix": lambda: policies.policy("aug_mix", (20, 20)),
}

CONFIGURATIONS: Mapping[str, Callable[[Sources], Any]] = MODES | {
    f"augmentation: {name}": lambda sources, make=make: _make_images("jpeg", augment=make(), copies=2)(sources)  # type: ignore[misc]  # each has its own
    for name, make in AUGMENTATIONS.items()
}
"""How each golden configuration is made from the sources: 40 of them."""
