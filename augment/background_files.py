"""The photographs in a folder, cached within a memory budget."""

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, cast

import cv2

from augment.errors import TransformError
from augment.transform import Image

_EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_MAX_SIDE = 1024
"""Longer side of a cached image in pixels: more than a network's input, and at most 3 MiB per image."""


class BackgroundFiles:
    """The images in a folder. Copies share the cache; thread-safe.

    Args:
        folder: all images below it, sorted by path.
        cache_bytes: memory for decoded images; the least recently used image is dropped first.

    Raises:
        TransformError: the folder does not exist, or contains no image.
    """

    def __init__(self, folder: str, cache_bytes: int) -> None:
        found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
        self._paths = sorted(path for path in found if path.suffix.lower() in _EXTENSIONS)
        if not self._paths:
            raise TransformError(
                f"no background images in {folder!r}: it must be a folder with {', '.join(_EXTENSIONS)} files"
            )
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[Path, Image] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._paths)

    def __deepcopy__(self, memo: dict[int, Any]) -> "BackgroundFiles":
        return self  # each thread copies the transform; the copies share the files

    def draw(self, uniform: float) -> Image:
        """Return the image with index int(uniform * number of images), uint8 RGB [H, W, 3]; `uniform` is in [0, 1).

        Raises:
            TransformError: the image cannot be read.
        """
        path = self._paths[int(uniform * len(self._paths))]
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
        image = _read(path)
        with self._lock:
            if path not in self._cache:
                self._cache[path] = image
                self._nbytes += image.nbytes
            while self._nbytes > self._cache_bytes and self._cache:
                self._nbytes -= self._cache.popitem(last=False)[1].nbytes
        return image


def _read(path: Path) -> Image:
    image = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise TransformError(f"cannot read the background image {path}: replace or remove it")
    longest = max(image.shape[:2])
    if longest > _MAX_SIDE:
        height, width = (max(1, round(side * _MAX_SIDE / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cast(Image, image)
