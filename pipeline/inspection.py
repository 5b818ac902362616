"""Inspects a dataset: classes, counts, sizes, formats, and bad samples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.error_log import BadSample
from pipeline.errors import DecodeError, SampleError
from pipeline.images.decode import Decoder
from pipeline.progress import Progress
from pipeline.sources import Sample, open_source

NO_CLASS = "(no class)"
"""The class of samples without a label, or with one that is not a class index."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The result of `inspect`.

    Attributes:
        num_examples: number of samples, bad ones included.
        classes: number of samples per class, in the order of the labels, as far as they could be read.
        formats: number of images per format.
        sizes: the smallest, median and largest (height, width) by area, in pixels, upright; empty where no image could
            be read.
        nbytes: number of bytes of all images.
        unreadable: the bad samples, with those whose label cannot be used.
        ignored_files: number of ignored files, by reason.
    """

    num_examples: int
    classes: dict[str, int]
    formats: dict[str, int]
    sizes: tuple[tuple[int, int], ...]
    nbytes: int
    unreadable: tuple[BadSample, ...]
    ignored_files: dict[str, int]


def inspect(
    source: Any,
    *,
    class_names: Sequence[str] | None = None,
    label_offset: int = 0,
    decode: bool = False,
    progress: Progress | None = None,
) -> Inspection:
    """Read the header of every image of a dataset.

    Args:
        source: anything that `pipeline.Loader` takes.
        class_names: the classes in the order of their labels; by default those of the source.
        label_offset: number to subtract from the labels in TFRecords.
        decode: also decodes every image: only this finds damaged pixels.
        progress: called after each sample.

    Raises:
        SourceError: the source cannot be opened.
    """
    decoder = Decoder()
    opened = open_source(source, class_names=class_names, label_offset=label_offset, max_bytes=decoder.max_bytes)
    classes = Counter(dict.fromkeys(opened.class_names, 0))
    formats: Counter[str] = Counter()
    sizes: list[tuple[int, int]] = []
    unreadable = []
    for index in range(len(opened)):
        try:
            sample = opened.read(index)
            known = 0 <= sample.label < len(opened.class_names)
            classes[opened.class_names[sample.label] if known else NO_CLASS] += 1
            if sample.label_fault:
                unreadable.append(BadSample(sample.key, "read", sample.label_fault))
            image_format, size = _read_format_and_size(sample, decoder, decode)
            formats[image_format] += 1
            sizes.append(size)
        except SampleError as error:
            unreadable.append(BadSample(error.sample, error.stage, error.reason))
        if progress is not None:
            progress(index + 1, len(opened))
    order = np.argsort([height * width for height, width in sizes])
    chosen = tuple(sizes[order[rank]] for rank in (0, len(order) // 2, -1)) if sizes else ()
    return Inspection(
        num_examples=len(opened),
        classes=dict(classes),
        formats=dict(formats),
        sizes=chosen,
        nbytes=int(opened.sizes().sum()),
        unreadable=tuple(unreadable),
        ignored_files=dict(opened.ignored_files),
    )


def _read_format_and_size(sample: Sample, decoder: Decoder, decode: bool) -> tuple[str, tuple[int, int]]:
    if sample.encoded is None:
        assert sample.pixels is not None  # noqa: S101  # a sample holds one or the other
        height, width = sample.pixels.shape[:2]
        return "pixels", (height, width)
    try:
        header = decoder.header(sample.encoded)
        if decode:
            decoder(sample.encoded)
    except ValueError as error:
        raise DecodeError(sample.key, str(error)) from None
    return header.format, header.upright_size
