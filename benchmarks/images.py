"""The contenders' images: select, link, resize, decode."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def list_labeled_files(folder: Path) -> list[tuple[str, int]]:
    """List the files of class-folders, at any depth, with their class indices."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    return [
        (str(path), label)
        for label, root in enumerate(classes)
        for path in sorted(root.rglob("*"))
        if not path.is_dir()
    ]


def list_readable(data: Path) -> list[str]:
    """List the JPEG and PNG images of class-folders that can be decoded, by their paths below `data`.

    Raises:
        SourceError: `data` does not contain class-folders with images.
    """
    from caudal.output import import_tensorflow
    from pipeline.errors import SourceError
    from pipeline.images.decode import Decoder
    from pipeline.sources.folder import FolderSource

    source, decoder = FolderSource(data), Decoder()
    import_tensorflow()

    def key_if_readable(index: int) -> str | None:
        try:
            sample = source.read(index)
            header = decoder.header(sample.encoded or b"")
            decoder(sample.encoded or b"", header)
        except ValueError:
            return None
        return sample.key if header.format in ("jpeg", "png") else None

    with ThreadPoolExecutor() as pool:
        keys = [key for key in pool.map(key_if_readable, range(len(source))) if key is not None]
    if not keys:
        raise SourceError(f"no readable JPEG or PNG images in {data}")
    return keys


def link_images(data: Path, folder: Path, count: int | None = None) -> Path:
    """Make class-folders of links to the readable images, so that every contender finds the same samples.

    Args:
        data: class-folders.
        folder: the folder to make.
        count: number of links; a smaller number selects images evenly, a larger one repeats them. None: each once.
    """
    keys = list_readable(data)
    count = len(keys) if count is None else count
    copies, rest = divmod(count, len(keys))
    for copy in range(copies):
        _link(data, folder, keys, copy)
    _link(data, folder, [keys[number * len(keys) // rest] for number in range(rest)], copies)
    return folder


def _link(data: Path, folder: Path, keys: list[str], copy: int) -> None:
    for key in keys:
        target = folder / key
        if copy:
            target = target.with_name(f"{target.stem}-{copy}{target.suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.path.realpath(data / key))


def resize_images(folder: Path, out: Path, size: int | tuple[int, int]) -> Path:
    """Write the images again as JPEGs of another size (quality 90).

    Args:
        folder: class-folders.
        out: the folder to make.
        size: (height, width), or the length of the shorter side; smaller images are not enlarged to the latter.
    """

    def write(path: str) -> None:
        image: Any = cv2.imread(path, cv2.IMREAD_COLOR)
        if (target := _choose_target_size(image.shape[:2], size)) != image.shape[:2]:
            image = cv2.resize(image, target[::-1], interpolation=cv2.INTER_AREA)
        name = out / Path(path).relative_to(folder).with_suffix(".jpg")
        name.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(name), image, [cv2.IMWRITE_JPEG_QUALITY, 90])

    _for_each(write, folder)
    return out


def decode_images(folder: Path, path: Path) -> Path:
    """Decode images of one size into an `.npy` uint8 [N, H, W, 3], and write their labels beside it."""
    files = list_labeled_files(folder)
    images: list[Any] = [cv2.imread(file, cv2.IMREAD_COLOR_RGB) for file, _ in files]
    np.save(path, np.stack(images))
    np.save(path.with_name("labels.npy"), np.array([label for _, label in files], np.int64))
    return path


def evict(folder: Path) -> None:
    """Ask the kernel to drop the files of a folder from the page cache, so that they are read from the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _choose_target_size(shape: tuple[int, ...], size: int | tuple[int, int]) -> tuple[int, ...]:
    if isinstance(size, tuple):
        return size
    scale = min(1.0, size / min(shape))
    return tuple(max(1, round(scale * side)) for side in shape)


def _for_each(write: Callable[[str], None], folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(write, [path for path, _ in list_labeled_files(folder)]))
