"""The records of texts: from class-folders of .txt files, rows of a file, or TFRecords."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.conversion.options import Conversion
from pipeline.conversion.records import Record, find_label
from pipeline.errors import OptionError, SourceError
from pipeline.images.header import max_bytes
from pipeline.records import tfrecord
from pipeline.records.example import encode_pieces
from pipeline.sources import Source, TFRecordSource, open_source
from pipeline.sources.text import TextFolderSource, has_texts, is_row_file, open_text_source
from pipeline.sources.text_format import TextFormat
from pipeline.sources.tfrecord import list_shards
from pipeline.texts.example import make_text_features
from pipeline.texts.stages import TextDecoder


class TextRecords:
    """The records of texts, one per sample.

    Args:
        source: the samples.
        encoding: of the texts; like `TextLoader`, reads texts that are not valid in it as Latin-1. The output is UTF-8.
        names: keys by sample index, for samples whose key in the source is a duplicate.
    """

    def __init__(self, source: Source, encoding: str, names: Mapping[int, str] = MappingProxyType({})) -> None:
        self.source = source
        self._encoding = encoding
        self._names = dict(names)

    def __len__(self) -> int:
        return len(self.source)

    def get_sample_index(self, number: int) -> int:
        """Return the index of a record's sample."""
        return number

    def key(self, number: int) -> str:
        """Return a record's key; this may read the sample.

        Raises:
            ReadError: the sample is damaged.
        """
        return self._names.get(number) or self.source.peek(number).key

    def make(self, number: int) -> Record:
        """Create one record.

        Raises:
            SampleError: the sample cannot be read or decoded, or has no label.
        """
        sample = self.source.read(number)
        decode = TextDecoder(self._encoding)  # a new one: it stores fallback keys, and there are millions of records
        label = find_label(sample, self.source.class_names)
        features = make_text_features(sample, self.source.class_names, decode)
        if (name := self._names.get(number)) is not None:
            features[tfrecord.TEXT.key] = name.encode("utf-8", "surrogateescape")
        content = features[tfrecord.TEXT.content]
        assert isinstance(content, bytes)  # noqa: S101  # for the type checker
        class_name = "" if label is None else self.source.class_names[label]
        return Record(name or sample.key, label, class_name, content, encode_pieces(features))


def open_any(options: Conversion) -> tuple[Source, bool]:
    """Open the source of a conversion, and return whether it holds texts.

    A source holds texts if an option of texts is set, if it is a file but not a TFRecord file, if its TFRecords have
    texts and no images, or if its class-folders have .txt files and no images.

    Raises:
        SourceError: the source cannot be opened.
        OptionError: an option does not fit the source.
    """
    options_of_texts = (
        options.text_format,
        options.delimiter,
        options.text_column,
        options.label_column,
        options.encoding,
    )
    if any(option is not None for option in options_of_texts) or is_row_file(options.source):
        return _open_texts(options), True
    try:
        source = open_source(
            options.source,
            class_names=options.class_names,
            label_offset=options.label_offset,
            max_bytes=max_bytes(),
        )
    except SourceError:
        if not _is_text_folder(options.source):
            raise
        return _open_texts(options), True
    if isinstance(source, TFRecordSource) and has_texts(source):
        return _open_texts(options), True
    return source, False


def _is_text_folder(source: Any) -> bool:
    if not isinstance(source, (str, os.PathLike)) or not Path(source).is_dir() or list_shards(Path(source)):
        return False
    try:
        return len(TextFolderSource(Path(source))) > 0
    except SourceError:
        return False


def _open_texts(options: Conversion) -> Source:
    if options.to == "folder":
        raise OptionError('to="folder" supports images only; convert texts with to="tfrecord"')
    for name in ("resize_short", "image_size", "format", "quality", "augment"):
        if getattr(options, name) is not None:
            raise OptionError(f"{name} applies to images, but {options.source} holds texts; drop {name}")
    return open_text_source(
        options.source,
        class_names=options.class_names,
        label_offset=options.label_offset,
        text_format=TextFormat(
            options.text_format,
            delimiter=options.delimiter,
            text_column=options.text_column,
            label_column=options.label_column,
        ),
    )
