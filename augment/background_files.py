"""The photographs in a folder, cached within a memory budget; sizes are checked before memory is allocated."""

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from augment.errors import TransformError
from augment.png_chunks import drop_texts
from augment.regular_files import TooLargeError, read_regular_file
from augment.transform import Image

MAX_PIXELS = 89_478_485
"""Largest size of a background image in pixels, the default of a Loader's `max_pixels` (256 MiB of RGB)."""

_EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_MAX_SIDE = 1024
"""Longer side of a cached image in pixels: more than a network's input, and at most 3 MiB per image."""

_MAX_SCANS = 100
"""The most scans of a JPEG: each costs a pass over all pixels, and 10 bytes."""

_NO_LENGTH = (0x01, *range(0xD0, 0xD9))
"""JPEG markers without a length: TEM, RST0 to RST7, SOI."""


class BackgroundFiles:
    """The images in a folder. Copies share the cache; thread-safe.

    Args:
        folder: all images below it, sorted by path.
        cache_bytes: memory for decoded images; the least recently used image is dropped first.
        max_pixels: largest number of pixels of an image.

    Raises:
        TransformError: the folder does not exist, or contains no image.
    """

    def __init__(self, folder: str, cache_bytes: int, max_pixels: int = MAX_PIXELS) -> None:
        found = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
        self._paths = sorted(path for path in found if path.suffix.lower() in _EXTENSIONS)
        if not self._paths:
            raise TransformError(
                f"no background images in {folder!r}: it must be a folder with {', '.join(_EXTENSIONS)} files"
            )
        self._cache_bytes = cache_bytes
        self._max_pixels = max_pixels
        self._prepare_cache()

    def __len__(self) -> int:
        return len(self._paths)

    def __deepcopy__(self, memo: dict[int, Any]) -> "BackgroundFiles":
        return self  # each thread copies the transform; the copies share the files

    def __getstate__(self) -> dict[str, Any]:
        return {"paths": self._paths, "cache_bytes": self._cache_bytes, "max_pixels": self._max_pixels}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._paths, self._cache_bytes, self._max_pixels = state["paths"], state["cache_bytes"], state["max_pixels"]
        self._prepare_cache()

    def _prepare_cache(self) -> None:
        self._cache: OrderedDict[Path, Image] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def draw(self, uniform: float) -> Image:
        """Return the image with index int(uniform * number of images), uint8 RGB [H, W, 3]; `uniform` is in [0, 1).

        Raises:
            TransformError: the image cannot be read, or is too large.
        """
        path = self._paths[int(uniform * len(self._paths))]
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
        image = _read(path, self._max_pixels)
        with self._lock:
            if path not in self._cache:
                self._cache[path] = image
                self._nbytes += image.nbytes
            while self._nbytes > self._cache_bytes and self._cache:
                self._nbytes -= self._cache.popitem(last=False)[1].nbytes
        return image


def read_size(encoded: bytes) -> tuple[int, int] | None:
    """Read (height, width) from the header of a BMP, JPEG, PNG or WebP image; None if it is none of them."""
    if encoded[:2] == b"\xff\xd8":
        return _read_jpeg_size(encoded)
    if encoded[:8] == b"\x89PNG\r\n\x1a\n" and len(encoded) >= 24:
        return int.from_bytes(encoded[20:24], "big"), int.from_bytes(encoded[16:20], "big")
    if encoded[:2] == b"BM" and len(encoded) >= 26:
        if int.from_bytes(encoded[14:18], "little") == 12:  # OS/2
            return int.from_bytes(encoded[20:22], "little"), int.from_bytes(encoded[18:20], "little")
        width, height = (int.from_bytes(encoded[at : at + 4], "little", signed=True) for at in (18, 22))
        return abs(height), abs(width)
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP" and len(encoded) >= 30:
        return _read_webp_size(encoded)
    return None


def _read_jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    """Read the size from the frame header; as libjpeg, skip bytes between segments that are not a marker."""
    at = 2
    while (at := encoded.find(b"\xff", at)) >= 0:
        while encoded[at : at + 1] == b"\xff":
            at += 1
        if at + 8 > len(encoded):
            return None
        marker, at = encoded[at], at + 1
        if marker == 0 or marker in _NO_LENGTH:
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(encoded[at + 3 : at + 5], "big"), int.from_bytes(encoded[at + 5 : at + 7], "big")
        if marker in (0xD9, 0xDA):  # the end, or pixels without a frame header
            return None
        at += int.from_bytes(encoded[at : at + 2], "big")
    return None


def _read_webp_size(encoded: bytes) -> tuple[int, int] | None:
    kind = encoded[12:16]
    if kind == b"VP8 ":
        width, height = (int.from_bytes(encoded[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return height, width
    if kind == b"VP8L":
        bits = int.from_bytes(encoded[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X":
        width, height = (int.from_bytes(encoded[at : at + 3], "little") + 1 for at in (24, 27))
        return height, width
    return None


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        return read_regular_file(path, max_bytes)
    except TooLargeError as error:
        raise TransformError(
            f"the background image {path} has {error.nbytes:,} bytes, more than an image of max_pixels needs: remove it"
        ) from None
    except OSError as error:
        raise TransformError(
            f"cannot read the background image {path} ({error.strerror}): replace or remove it"
        ) from error


def _find_fault(encoded: bytes, size: tuple[int, int]) -> str:
    """Return why an image would take OpenCV long, whatever its size; "" if it does not."""
    if encoded[:2] == b"\xff\xd8" and encoded.count(b"\xff\xda") > _MAX_SCANS:
        return f"it has more than {_MAX_SCANS} scans"
    if encoded[:1] == b"\x89":
        from augment.plan.encoded import EncodedImage, UndecodableError, load_decoder

        if load_decoder() is None:
            return ""
        try:
            EncodedImage("png", encoded, size).decode()
        except UndecodableError as error:
            return str(error)
    return ""


def _read(path: Path, max_pixels: int) -> Image:
    encoded = _read_file(path, 8 * max_pixels)
    size = read_size(encoded)
    if size is None:
        raise TransformError(
            f"cannot read the background image {path}: it is not a BMP, JPEG, PNG or WebP image; replace or remove it"
        )
    if size[0] * size[1] > max_pixels:
        raise TransformError(
            f"the background image {path} has {size[0]} x {size[1]} pixels, more than max_pixels={max_pixels}: "
            "resize or remove it"
        )
    if fault := _find_fault(encoded, size):
        raise TransformError(f"cannot read the background image {path}: {fault}; replace or remove it")
    image = cv2.imdecode(np.frombuffer(drop_texts(encoded), np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise TransformError(f"cannot read the background image {path}: replace or remove it")
    longest = max(image.shape[:2])
    if longest > _MAX_SIDE:
        height, width = (max(1, round(side * _MAX_SIDE / longest)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cast(Image, image)
