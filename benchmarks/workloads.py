"""What is measured: a source, an augmentation, and the size of what is delivered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np

import pipeline
from augment import policy

SIZE = (224, 224)
BATCH_SIZE = 32


@dataclass(frozen=True)
class Workload:
    """One workload.

    Attributes:
        name: how it is asked for.
        transform: the augmentation, an Albumentations composition.
        folder: the class-folders.
        source: what the images are read from: the folder, TFRecords of it, or decoded arrays.
        count: the number of images.
    """

    name: str
    transform: Any
    folder: Path
    source: Any
    count: int


NAMES = ("full", "light", "tfrecord", "cached")
"""The workloads: five transforms from JPEGs; crop and flip; five transforms from TFRecords with a short side of 256;
and from 256 x 256 pixels in memory."""


def prepare(name: str, folder: Path, scratch: Path) -> Workload:
    """Make a workload of class-folders of photographs.

    Args:
        name: one of `NAMES`.
        folder: the photographs.
        scratch: where derived data is written.
    """
    transform = policy("crop_flip" if name == "light" else "full", SIZE)
    if name in ("full", "light"):
        return Workload(name, transform, folder, folder, len(list(folder.rglob("*.jpg"))))
    resize = A.SmallestMaxSize(256) if name == "tfrecord" else A.Resize(256, 256)
    images = [image for image, _ in _loader(folder, resize).dataset().as_numpy_iterator()]
    if name == "cached":
        return Workload(name, transform, folder, (np.stack(images), np.zeros(len(images), int)), len(images))
    resized = scratch / "resized" / "all"
    resized.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        cv2.imwrite(str(resized / f"{number:06d}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    pipeline.convert(resized.parent, scratch / "records", shards=2, overwrite=True)
    return Workload(name, transform, resized.parent, scratch / "records", len(images))


def _loader(folder: Path, augment: Any = None) -> pipeline.Loader:
    return pipeline.Loader(folder, batch_size=None, image_size=None, shuffle=False, augment=augment, on_error="skip")
