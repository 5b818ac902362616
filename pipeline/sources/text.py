"""Sources of texts: class-folders, files of rows, TFRecords."""

import codecs
import contextlib
import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from augment.regular_files import open_regular_file
from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.records import tfrecord
from pipeline.sources.base import Sample, Source, check_names
from pipeline.sources.folder import FolderSource
from pipeline.sources.rows import MAX_TEXT_BYTES, RowFile, RowSource
from pipeline.sources.text_format import TextFormat
from pipeline.sources.text_row_formats import guess_format
from pipeline.sources.tfrecord import TFRecordSource, has_manifest, list_shards

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")

_HEAD = 4096
"""Number of bytes of a file that are searched for signs of binary data."""


class TextFolderSource(FolderSource):
    """Texts in class-folders: `root/class name/any/depth/text.txt`, one per file."""

    extensions = (".txt",)
    what = "a text"
    size_remedy = f"texts have at most {MAX_TEXT_BYTES:,} bytes; split it"

    def read(self, index: int) -> Sample:
        """Read one file, without the byte order mark that UTF-8 files may start with.

        Raises:
            ReadError: it cannot be read, or has no text.
        """
        sample = super().read(index)
        return _check_text(sample._replace(encoded=(sample.encoded or b"").removeprefix(codecs.BOM_UTF8)))


class TextRecordSource(TFRecordSource):
    """Texts in TFRecords: features `text` and, if present, `label` and `label/text`."""

    features = tfrecord.TEXT
    may_be_empty = True

    def read(self, index: int) -> Sample:
        """Read one record.

        Raises:
            ReadError: it is damaged, or has no text.
        """
        return _check_text(super().read(index))


def open_text_source(
    source: Any,
    *,
    class_names: Sequence[str] | None = None,
    label_offset: int = 0,
    text_format: TextFormat | None = None,
) -> Source:
    """Recognize a source of texts, and open it.

    Args:
        source: a class-folder directory of .txt files; a directory, file, glob or list of TFRecord files; or a file of
            rows.
        class_names: the classes in the order of their labels; by default those of the source.
        label_offset: number to subtract from the labels in TFRecords.
        text_format: of a file of rows; by default from its extension.

    Raises:
        SourceError: it is none of these, or holds no sample.
        OptionError: an option does not fit the source.
    """
    check_names(class_names)
    text_format = text_format or TextFormat()
    if isinstance(source, Sequence) and not isinstance(source, str):
        paths = [Path(os.fspath(_check_path(path))) for path in source]
        return TextRecordSource(paths, class_names, label_offset)
    _check_path(source)
    path = Path(os.fspath(source))
    if path.is_dir():
        records = has_manifest(path) or bool(list_shards(path))
        _check_records_only(path, label_offset, records)
        return (
            TextRecordSource.from_directory(path, class_names, label_offset)
            if records
            else TextFolderSource(path, class_names, MAX_TEXT_BYTES)
        )
    if path.is_file():
        records = text_format.format is None and (path in list_shards(path.parent) or _is_record_file(path))
        _check_records_only(path, label_offset, records)
        if records:
            return TextRecordSource([path], class_names, label_offset)
        return RowSource(RowFile(path, text_format), class_names)
    if matches := sorted(glob.glob(os.fspath(source))):
        return TextRecordSource([Path(match) for match in matches], class_names, label_offset)
    raise SourceError(f"{path} does not exist, and matches no file as a glob")


def is_row_file(source: Any) -> bool:
    """Whether a source is a file of rows: no TFRecord file (by name and first bytes), and no binary file.

    A file whose extension is that of rows is one, also if it is compressed; so is one in UTF-16: opening it raises the
    error that says so.
    """
    if not isinstance(source, (str, os.PathLike)):
        return False
    path = Path(os.fspath(source))
    if not path.is_file() or path in list_shards(path.parent):
        return False
    try:
        with open(open_regular_file(path), "rb") as file:
            head = file.read(_HEAD)
        is_named = guess_format(path.name) or (path.suffix.lower() in _COMPRESSED and guess_format(path.stem))
        is_text = b"\0" not in head or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return bool(is_named or is_text) and not tfrecord.is_record_file(path)
    except OSError:
        return False  # opening the source raises the error


def has_texts(source: TFRecordSource) -> bool:
    """Whether the first undamaged example has a text, and no image."""
    for index in range(len(source)):
        with contextlib.suppress(OSError, ValueError):
            names = source.feature_names(index)
            return tfrecord.TEXT.content in names and tfrecord.ENCODED not in names
    return False


def _check_text(sample: Sample) -> Sample:
    if not (sample.encoded or b"").strip():
        raise ReadError(sample.key, "has no text")
    return sample


def _is_record_file(path: Path) -> bool:
    try:
        return tfrecord.is_record_file(path)
    except OSError:
        return False  # opening the source raises the error


def _check_path(given: Any) -> str | os.PathLike[str]:
    if not isinstance(given, (str, os.PathLike)):
        raise SourceError(f"source must be a path, or a list of TFRecord files; got {type(given).__name__}")
    return given


def _check_records_only(path: Path, label_offset: int, records: bool) -> None:
    if label_offset and not records:
        raise OptionError(f"label_offset applies to TFRecords, but {path} holds none; drop label_offset")
