"""`ImageDataGenerator.flow_from_directory`: batches of images in class-folders."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from pipeline.errors import OptionError, SourceError
from pipeline.keras.checks import check_class_names, check_flags, read_path
from pipeline.keras.decoding import PILLOW_EXTENSIONS
from pipeline.keras.files import FileSource
from pipeline.keras.flow import Files, Flow
from pipeline.keras.flow_files import FilesIterator, get_subset_bounds, make_class_targets
from pipeline.keras.listing import list_class_folders, walk_files, warn_empty_classes, warn_of_directory
from pipeline.keras.targets import BatchTargets

CLASS_MODES = ("categorical", "binary", "sparse", "input", None)


class DirectoryIterator(FilesIterator):
    """Batches of images in class-folders.

    Attributes:
        directory: path of the class-folder directory.
        class_indices: class index by class name.
        num_classes: number of classes.
        classes: class index of every file, int32 [samples].
        labels: the same as `classes`.
    """

    def __init__(
        self,
        flow: Flow,
        files: Files,
        directory: str | os.PathLike[str],
        classes: Sequence[str] | None,
        class_mode: str | None,
        part: tuple[str | None, float],
        follow_links: bool,
    ) -> None:
        if class_mode not in CLASS_MODES:
            raise OptionError(f"invalid `class_mode` {class_mode!r}; expected one of {CLASS_MODES}")
        check_flags(follow_links=follow_links)
        check_class_names("classes", classes)
        self.directory = read_path("directory", directory)
        if not os.path.isdir(self.directory):
            raise SourceError(f"{self.directory} is not a directory")
        ignored: Counter[str] = Counter()
        folders = list_class_folders(self.directory, ignored)
        is_chosen = classes is not None and len(classes) > 0
        names = list(classes) if classes is not None and is_chosen else folders
        if not names:
            raise SourceError(f"{self.directory} has no subfolders; create one subfolder per class")
        if class_mode == "binary" and len(names) != 2:
            raise OptionError(f'class_mode="binary" needs 2 classes, got {names}; use class_mode="sparse"')
        first, last = get_subset_bounds(*part)
        listed = [_list_class(self.directory, name, follow_links, ignored) for name in names]
        warn_empty_classes(self.directory, [name for name, keys in zip(names, listed, strict=True) if not keys])
        warn_of_directory(self.directory, ignored, list(chain.from_iterable(listed)), None if is_chosen else names)
        found = [keys[int(first * len(keys)) : int(last * len(keys))] for keys in listed]  # each class by itself
        labels = [label for label, keys in enumerate(found) for _ in keys]
        self.class_indices = {name: label for label, name in enumerate(names)}
        self.num_classes = len(names)
        self.classes = self.labels = np.array(labels, np.int32)
        keys = [key for keys in found for key in keys]
        sys.stdout.write(f"Found {len(keys)} images belonging to {len(names)} classes.\n")  # as Keras does
        if not keys:
            subset = "" if part[0] is None else f" for subset={part[0]!r}, validation_split={part[1]}"
            raise OptionError(
                f"no images in the folders {', '.join(names)} of {self.directory}{subset}; extensions: "
                f"{', '.join(PILLOW_EXTENSIONS)}"
            )
        targets = make_class_targets(class_mode, labels, len(names), flow.normalizer.dtype)
        source = FileSource(self.directory, keys, max_bytes=files.decoder.max_bytes)
        paths = [os.path.join(self.directory, key) for key in keys]
        super().__init__(flow, files, source, paths, BatchTargets(targets=targets), class_mode)


def _list_class(directory: str, name: str, follow_links: bool, ignored: Counter[str]) -> list[str]:
    folder = os.path.join(directory, name)
    return [f"{name}/{key}" for key in walk_files(folder, PILLOW_EXTENSIONS, follow_links, ignored)]
