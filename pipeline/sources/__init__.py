"""Sources of samples: class-folders, TFRecord files, arrays."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import OptionError, SourceError
from pipeline.sources.aligned import AlignedSource as AlignedSource
from pipeline.sources.arrays import ArraySource as ArraySource
from pipeline.sources.base import Sample as Sample
from pipeline.sources.base import Source as Source
from pipeline.sources.base import check_names
from pipeline.sources.folder import FolderSource as FolderSource
from pipeline.sources.tfrecord import TFRecordSource as TFRecordSource
from pipeline.sources.tfrecord import has_manifest, list_shards


def open_source(
    source: Any,
    *,
    class_names: Sequence[str] | None = None,
    label_offset: int = 0,
    max_bytes: int | None = None,
) -> Source:
    """Recognize a source, and open it.

    Args:
        source: a class-folder directory; a directory, file, glob or list of TFRecord files; images or (images, labels).
        class_names: the classes in the order of their labels; by default those of the source.
        label_offset: number to subtract from the labels in TFRecords.
        max_bytes: larger files in class-folders are bad samples.

    Raises:
        SourceError: it is none of these, or holds no sample.
        OptionError: `class_names` is empty, has duplicates or unknown names, or an option does not apply.
    """
    check_names(class_names)
    if isinstance(source, AlignedSource) and class_names in (None, source.class_names):
        return source
    if isinstance(source, np.ndarray) or (isinstance(source, tuple) and len(source) == 2 and not _is_path(source[0])):
        if label_offset:
            raise OptionError("label_offset applies to TFRecords, but the source holds arrays; drop label_offset")
        images, labels = (source, None) if isinstance(source, np.ndarray) else source
        return ArraySource(images, labels, class_names)
    if isinstance(source, Sequence) and not isinstance(source, str) and all(map(_is_path, source)):
        return TFRecordSource([Path(os.fspath(path)) for path in source], class_names, label_offset)
    if not _is_path(source):
        raise SourceError(
            f"source must be a path, a list of TFRecord files, or (images, labels); got {type(source).__name__}"
        )
    path = Path(os.fspath(source))
    if path.is_dir():
        if has_manifest(path) or list_shards(path):
            return TFRecordSource.from_directory(path, class_names, label_offset)
        if label_offset:
            raise OptionError(f"label_offset applies to TFRecords, but {path} holds image files; drop label_offset")
        return FolderSource(path, class_names, max_bytes)
    if path.is_file():
        return TFRecordSource([path], class_names, label_offset)
    if matches := sorted(glob.glob(os.fspath(source))):
        return TFRecordSource([Path(match) for match in matches], class_names, label_offset)
    raise SourceError(f"{path} does not exist, and matches no file as a glob")


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))
