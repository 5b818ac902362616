"""A directory with one subfolder per class."""

import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path

import numpy as np

from augment.plan.native import import_native
from augment.regular_files import read_listed_file
from pipeline.errors import OptionError, ReadError, SampleError, SourceError
from pipeline.images.formats import DECODED_EXTENSIONS
from pipeline.sources.base import Labels, Sample, digest, make_read_error, read_sample, warn_once
from pipeline.sources.folder_report import (
    describe_contents,
    describe_folder_level,
    format_counts,
    get_ignored_reason,
    is_hidden,
    join_facts,
)
from pipeline.sources.listing import File, FileList

_log = logging.getLogger(__name__)


class FolderSource:
    """Images in class-folders: `root/class name/any/depth/image.jpg`.

    Samples are in the order of their folders' names, and within a folder in the order of their relative paths, whatever
    the labels: so `class_names` in another order changes no index, and the stream is that of TFRecords made from the
    directory. Hidden files, files that are not images, and files outside the class folders are ignored and counted.
    Links are followed. What is ignored, classes without samples, and a directory that looks one level too high are
    logged as one warning. A subclass may read other files.

    Attributes:
        extensions: those of the files that are samples, in lower case.
        what: the kind of sample, with its article.
        size_remedy: what to do about a file that is too large.

    Args:
        root: the directory.
        class_names: the classes in the order of their labels; by default every subfolder, sorted.
        max_bytes: larger files are bad samples: they are never read.

    Raises:
        SourceError: `root` is not a directory, cannot be listed, or holds no sample.
        OptionError: a class of `class_names` has no folder.
    """

    extensions: tuple[str, ...] = DECODED_EXTENSIONS
    what = "an image"
    size_remedy = "too large for an image of max_pixels; raise max_pixels"

    def __init__(self, root: Path, class_names: Sequence[str] | None = None, max_bytes: int | None = None) -> None:
        self.root = root
        self.ignored_files: Counter[str] = Counter()
        self._max_bytes = max_bytes
        folders = self._list_class_folders()
        self.class_names = _choose_classes(class_names, folders, root)
        self._files = FileList(
            file
            for name, label in sorted((name, label) for label, name in enumerate(self.class_names))
            for file in sorted(
                self._walk_files(root / name, name, label, (os.path.realpath(root),)), key=attrgetter("key")
            )
        )
        if not len(self._files):
            ignored = f" (ignored: {format_counts(self.ignored_files)})" if self.ignored_files else ""
            raise SourceError(
                f"no {self.what.split()[-1]}s in the {len(folders)} class folders of {root}; extensions: "
                + ", ".join(self.extensions)
                + ignored
            )
        contents = describe_contents(self)
        level = "" if class_names is not None else describe_folder_level(self, self._files)
        warn_once(_log, join_facts(root, [*contents, level]), unreported=join_facts(root, [level]))

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the paths, sizes and modification times."""
        return digest(("folder", self.class_names, self._files.digest()))

    @cached_property
    def empty_classes(self) -> tuple[str, ...]:
        """The classes without samples, in the order of their labels."""
        counts = np.bincount(self.labels(), minlength=len(self.class_names))
        return tuple(name for name, count in zip(self.class_names, counts.tolist(), strict=True) if not count)

    def labels(self) -> Labels:
        """Return the class of every sample, int64 [N]."""
        return self._files.labels()

    def sizes(self) -> Labels:
        """Return the number of bytes of every file, int64 [N]."""
        return self._files.sizes()

    def peek(self, index: int) -> Sample:
        """Return the sample's key and label; this reads no file."""
        file = self._files[index]
        return Sample(file.key, file.label)

    def read(self, index: int) -> Sample:
        """Read one file.

        Raises:
            ReadError: it cannot be read, is too large, or has changed since it was listed.
        """
        file = self._files[index]
        if self._max_bytes is not None and file.size > self._max_bytes:
            raise ReadError(file.key, f"the file has {file.size} bytes, {self.size_remedy}")
        try:
            encoded = read_listed_file(f"{self.root}/{file.key}", file.size, file.modified_ns)
        except OSError as error:
            raise make_read_error(file.key, error) from None
        return Sample(file.key, file.label, encoded)

    def read_samples(self, indices: Sequence[int]) -> list[Sample | SampleError]:
        """Read many files, or their errors, by one call of the native module, without the GIL."""
        native, _ = import_native()
        files = [self._files.locate(index) for index in indices]
        if native is None or (self._max_bytes is not None and any(size > self._max_bytes for _, _, size, _ in files)):
            return [read_sample(self, index) for index in indices]
        root = os.fsencode(self.root) + b"/"
        contents = native.read_files([(root + key, size, modified_ns) for key, _, size, modified_ns in files])
        return [
            # What is not as it was listed is read again, for its error.
            read_sample(self, index) if encoded is None else Sample(os.fsdecode(key), label, encoded)
            for index, (key, label, *_), encoded in zip(indices, files, contents, strict=True)
        ]

    def _list_class_folders(self) -> list[str]:
        folders = []
        for entry in sorted(_scan(self.root), key=attrgetter("name")):
            if is_hidden(entry.name):
                self.ignored_files["hidden"] += 1
            elif _is_folder(entry):
                folders.append(entry.name)
            else:
                self.ignored_files["outside the class folders"] += 1
        return folders

    def _walk_files(self, folder: Path, key: str, label: int, above: tuple[str, ...]) -> Iterator[File]:
        real = os.path.realpath(folder)
        if real in above:  # a link to a folder above it
            self.ignored_files["link loop"] += 1
            return
        folders = []
        for entry in _scan(folder):
            name = entry.name
            if is_hidden(name):
                self.ignored_files["hidden"] += 1
            elif _is_folder(entry):
                folders.append(name)
            elif not name.lower().endswith(self.extensions):
                self.ignored_files[get_ignored_reason(name, self.what)] += 1
            else:
                try:
                    status = entry.stat()
                except OSError:
                    self.ignored_files["broken link"] += 1
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield File(f"{key}/{name}", label, status.st_size, status.st_mtime_ns)
                else:
                    self.ignored_files["not a regular file"] += 1
        for name in folders:
            yield from self._walk_files(folder / name, f"{key}/{name}", label, (*above, real))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to a directory that must not be listed
        return False


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise SourceError(f"{folder} cannot be listed: {error.strerror}") from None


def _choose_classes(class_names: Sequence[str] | None, folders: list[str], root: Path) -> tuple[str, ...]:
    if class_names is None:
        if not folders:
            raise SourceError(f"{root} has no subfolders; create one subfolder per class")
        return tuple(folders)
    if unknown := sorted(set(class_names) - set(folders)):
        raise OptionError(f"class_names: {unknown} not found in {root}; its class folders are {folders}")
    return tuple(class_names)
