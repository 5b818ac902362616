"""A directory with one subfolder a class."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path

import numpy as np

from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.sources.base import Labels, Sample, digest
from pipeline.sources.listing import File, FileList

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
"""What counts as an image, in either case."""


class FolderSource:
    """Images in class-folders: `root/class name/any/depth/image.jpg`.

    Samples stand in the order of their classes, and within a class in the order of their relative paths. Hidden files,
    files that are no images, and files outside the class-folders are passed over and counted. Links are followed.
    A subclass may look for other files.

    Attributes:
        extensions: those of the files that are samples, in lower case.
        what: what such a file is.

    Args:
        root: the directory.
        class_names: the classes in the order of their labels; by default every subfolder, sorted.
        max_bytes: files that are larger are bad samples: they are never read.

    Raises:
        SourceError: `root` is no directory, cannot be listed, or holds no image.
        OptionError: a class that was asked for has no folder.
    """

    extensions: tuple[str, ...] = EXTENSIONS
    what = "image"

    def __init__(self, root: Path, class_names: Sequence[str] | None = None, max_bytes: int | None = None) -> None:
        self.root = root
        self.ignored_files: Counter[str] = Counter()
        self._max_bytes = max_bytes
        folders = self._list_class_folders()
        self.class_names = _choose_classes(class_names, folders, root)
        self._files = FileList(
            file
            for label, name in enumerate(self.class_names)
            for file in sorted(
                self._walk_files(root / name, name, label, (os.path.realpath(root),)), key=attrgetter("key")
            )
        )
        if not len(self._files):
            raise SourceError(
                f"{root} holds no {self.what} below its {len(folders)} class-folders; looked for "
                + ", ".join(self.extensions)
                + _format_ignored(self.ignored_files)
            )

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def fingerprint(self) -> str:
        """Made of the paths, sizes and times of modification."""
        return digest(("folder", self.class_names, self._files.digest()))

    @cached_property
    def empty_classes(self) -> tuple[str, ...]:
        """The classes without samples, in the order of their labels."""
        counts = np.bincount(self.labels(), minlength=len(self.class_names))
        return tuple(name for name, count in zip(self.class_names, counts.tolist(), strict=True) if not count)

    def labels(self) -> Labels:
        """Give the class of every sample, int64 [N]."""
        return self._files.labels()

    def sizes(self) -> Labels:
        """Give the bytes of every file, int64 [N]."""
        return self._files.sizes()

    def peek(self, index: int) -> Sample:
        """Give the sample's key and label; nothing is read."""
        file = self._files[index]
        return Sample(file.key, file.label)

    def read(self, index: int) -> Sample:
        """Read one file.

        Raises:
            ReadError: it cannot be read, or is too large.
        """
        file = self._files[index]
        if self._max_bytes is not None and file.size > self._max_bytes:
            raise ReadError(file.key, f"the file has {file.size} bytes, more than an image of max_pixels could need")
        try:
            encoded = _read_file(f"{self.root}/{file.key}", file.size)
        except OSError as error:
            raise ReadError(file.key, f"cannot be read: {error.strerror}") from None
        return Sample(file.key, file.label, encoded)

    def _list_class_folders(self) -> list[str]:
        folders = []
        for entry in sorted(_scan(self.root), key=attrgetter("name")):
            if entry.name.startswith("."):
                self.ignored_files["hidden"] += 1
            elif _is_folder(entry):
                folders.append(entry.name)
            else:
                self.ignored_files["outside the class-folders"] += 1
        return folders

    def _walk_files(self, folder: Path, key: str, label: int, above: tuple[str, ...]) -> Iterator[File]:
        real = os.path.realpath(folder)
        if real in above:  # a link to a folder that we are in
            self.ignored_files["a link that loops"] += 1
            return
        folders = []
        for entry in _scan(folder):
            name = entry.name
            if name[0] == ".":
                self.ignored_files["hidden"] += 1
            elif _is_folder(entry):
                folders.append(name)
            elif not name.lower().endswith(self.extensions):
                self.ignored_files[f"no {self.what}"] += 1
            else:
                try:
                    status = entry.stat()
                except OSError:
                    self.ignored_files["a broken link"] += 1
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield File(f"{key}/{name}", label, status.st_size, status.st_mtime_ns)
                else:
                    self.ignored_files["no regular file"] += 1
        for name in folders:
            yield from self._walk_files(folder / name, f"{key}/{name}", label, (*above, real))


def _read_file(path: str, size: int) -> bytes:
    """Read a file of an expected size; a small one in three system calls."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        contents = os.read(descriptor, size + 1)
        if len(contents) == size:
            return contents
        parts = [contents]  # it has changed since it was listed, or is read in parts
        while part := os.read(descriptor, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to where we may not look
        return False


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise SourceError(f"{folder} cannot be listed: {error.strerror}") from None


def _choose_classes(asked: Sequence[str] | None, folders: list[str], root: Path) -> tuple[str, ...]:
    if asked is None:
        if not folders:
            raise SourceError(f"{root} has no subfolder; a dataset needs one subfolder a class")
        return tuple(folders)
    if unknown := sorted(set(asked) - set(folders)):
        raise OptionError(f"class_names asks for {unknown}, but {root} has the class-folders {folders}")
    return tuple(asked)


def _format_ignored(ignored_files: Counter[str]) -> str:
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(ignored_files.items()))
    return f" (passed over: {counts})" if counts else ""
