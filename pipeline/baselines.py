"""Loaders without this library: a Python generator, and a Keras `PyDataset` (formerly `Sequence`).

Both read class-folders, decode with OpenCV and call the augmentation per image, as the tutorials of Keras and
Albumentations do. Benchmarks and documentation compare Caudal with them.
"""

import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.images.formats import DECODED_EXTENSIONS

Transform = Callable[..., dict[str, Any]]
"""Called as `transform(image=...)`; returns `{"image": ...}`, as Albumentations' transforms do."""

Batch = tuple[NDArray[Any], NDArray[np.int64]]
"""Images [B, H, W, C] and labels int64 [B]."""


def naive_generator(root: str | os.PathLike[str], batch_size: int, transform: Transform) -> Iterator[Batch]:
    """Yield batches for ever, in a new order each epoch; `model.fit` needs `steps_per_epoch` to end an epoch."""
    files = labeled_files(root)
    while True:
        random.shuffle(files)
        for start in range(0, len(files), batch_size):
            yield _load_batch(files[start : start + batch_size], transform)


class ImageSequence(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """Batches with random access, so that Keras can load several at once."""

    def __init__(self, root: str | os.PathLike[str], batch_size: int, transform: Transform, **workers: Any) -> None:
        super().__init__(**workers)
        self.files = labeled_files(root)
        self.batch_size = batch_size
        self.transform = transform
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self.files) / self.batch_size)

    def __getitem__(self, step: int) -> Batch:
        return _load_batch(self.files[step * self.batch_size : (step + 1) * self.batch_size], self.transform)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        random.shuffle(self.files)


def labeled_files(root: str | os.PathLike[str]) -> list[tuple[Path, int]]:
    """List the images in class-folders with their labels."""
    folders = sorted(path for path in Path(root).iterdir() if path.is_dir())
    return [
        (path, label)
        for label, folder in enumerate(folders)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in DECODED_EXTENSIONS
    ]


def _load_batch(files: list[tuple[Path, int]], transform: Transform) -> Batch:
    images = [transform(image=cv2.imread(os.fspath(path), cv2.IMREAD_COLOR_RGB))["image"] for path, _ in files]
    return np.stack(images), np.array([label for _, label in files])
