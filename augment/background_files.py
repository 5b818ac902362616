"""The photographs in a folder, each read once, within a budget of memory."""

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
"""In pixels, of what is kept: more than an image that a network sees, and 3 MiB at most."""


class BackgroundFiles:
    """Images in a folder, by number. Copies share what was read; safe to use from any number of threads.

    Args:
        folder: all images below it count, sorted by their paths.
        cache_bytes: of decoded images that are kept; the one that was not used for longest goes first.

    Raises:
        TransformError: the folder does not exist, or holds no image.
    """

    def __init__(self, folder: str, cache_bytes: int) -> None:
        found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
        self._paths = sorted(path for path in found if path.suffix.lower() in _EXTENSIONS)
        if not self._paths:
            raise TransformError(f"{folder!r} holds no background: no folder, or one without {', '.join(_EXTENSIONS)}")
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[Path, Image] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._paths)

    def __deepcopy__(self, memo: dict[int, Any]) -> "BackgroundFiles":
        return self  # each thread copies the transform, and they read the same files

    def draw(self, uniform: float) -> Image:
        """Give the image at `uniform` (in [0, 1)) of the way through the folder, uint8 RGB [H, W, 3].

        Raises:
            TransformError: it cannot be read.
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
        raise TransformError(f"the background {path} cannot be read")
    longest = max(image.shape[:2])
    if longest > _MAX_SIDE:
        height, width = (max(1, round(side * _MAX_SIDE / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cast(Image, image)
