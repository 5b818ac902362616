"""The records that a conversion writes, by number.

Writers need no knowledge of images: they request records by number, and write the example into a shard or the content
into a file. The classes here map a number to a record.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from augment.errors import TransformError
from augment.transform import Image
from pipeline.errors import AugmentationError, DecodeError
from pipeline.images.encode import encode_png
from pipeline.images.header import Header, read_valid_header
from pipeline.records import tfrecord
from pipeline.records.example import Raw, Value, encode_entry, encode_message, encode_pieces
from pipeline.sampling.labels import check_label
from pipeline.sources import Sample, Source
from pipeline.sources.base import NO_LABEL

if TYPE_CHECKING:
    from augment.plan.plan import Plan
    from pipeline.conversion.reencode import Reencoding


class Record(NamedTuple):
    """One record.

    Attributes:
        key: identifies the record in its dataset.
        label: its class, from 0; None if the source has no labels.
        class_name: the name of its class; empty if the source has no labels.
        content: the bytes of the file, for class-folders.
        example: the serialized `tf.train.Example`, in pieces, for shards.
    """

    key: str
    label: int | None
    class_name: str
    content: bytes
    example: list[bytes]


class Records(Protocol):
    """A fixed sequence of records with random access; each process has a copy, threads share one."""

    def __len__(self) -> int: ...

    def make(self, number: int) -> Record:
        """Create one record.

        Raises:
            SampleError: its sample is bad.
        """
        ...


class ImageRecords:
    """The records of images: each sample, followed by its augmented copies.

    Record n is copy n % (copies + 1) of sample n // (copies + 1); copy 0 is the sample itself.

    Args:
        source: the samples.
        reencoding: the target size and format; None passes the bytes through.
        plan: the augmentation of the copies.
        seed: of the augmentation. Copy k of sample i gets the parameters that a loader draws for sample i in epoch k.
        copies: augmented copies per sample.
        copy_mark: the text before the number in the key of a copy.
        names: keys by sample index, for samples whose key in the source is a duplicate.
    """

    def __init__(
        self,
        source: Source,
        reencoding: "Reencoding | None" = None,
        *,
        plan: "Plan | None" = None,
        seed: int = 0,
        copies: int = 0,
        copy_mark: str = "",
        names: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self.source = source
        self._reencoding = reencoding
        self.plan = plan
        self._seed = seed
        self._copies = copies
        self._copy_mark = copy_mark
        self._names = dict(names)
        self._class_names = [name.encode("utf-8", "surrogateescape") for name in source.class_names]

    def __len__(self) -> int:
        return len(self.source) * (self._copies + 1)

    def get_sample_index(self, number: int) -> int:
        """Return the index of a record's sample."""
        return number // (self._copies + 1)

    def key(self, number: int) -> str:
        """Return a record's key; this may read the sample.

        Raises:
            ReadError: the sample is damaged.
        """
        index, copy = divmod(number, self._copies + 1)
        return self._make_key(self._names.get(index) or self.source.peek(index).key, copy)

    def make(self, number: int) -> Record:
        """Create one record.

        Raises:
            SampleError: the sample cannot be read, decoded or augmented, or has no label.
        """
        index, copy = divmod(number, self._copies + 1)
        sample = self.source.read(index)
        label = find_label(sample, self.source.class_names)
        try:
            content, header = self._encode_augmented(sample, index, copy) if copy else self._encode_original(sample)
        except TransformError as error:
            raise AugmentationError(sample.key, str(error)) from error
        except DecodeError:
            raise
        except ValueError as error:
            raise DecodeError(sample.key, str(error)) from None
        key = self._make_key(self._names.get(index, sample.key), copy)
        example = self._encode_example(key, label, content, header, () if copy else sample.extra)
        return Record(key, label, "" if label is None else self.source.class_names[label], content, example)

    def _encode_example(
        self, key: str, label: int | None, content: bytes, header: Header, extra: tuple[tuple[str, Raw], ...]
    ) -> list[bytes]:
        name = key.encode("utf-8", "surrogateescape")
        if not extra:
            of_class = b"" if label is None else _encode_class(label, self._class_names[label])
            of_shape = _encode_shape(header.format, header.height, header.width)
            return encode_message(
                (of_class, *encode_entry(tfrecord.ENCODED, content), *encode_entry(tfrecord.FILENAME, name), of_shape)
            )
        features: dict[str, Value] = {
            **dict(extra),
            tfrecord.ENCODED: content,
            tfrecord.FORMAT: header.format.encode(),
            tfrecord.HEIGHT: header.height,
            tfrecord.WIDTH: header.width,
            tfrecord.FILENAME: name,
        }
        if label is not None:
            features |= {tfrecord.LABEL: label, tfrecord.CLASS_NAME: self._class_names[label]}
        return encode_pieces(features)

    def _make_key(self, key: str, copy: int) -> str:
        if not copy:
            return key
        folder, slash, name = key.rpartition("/")
        stem, dot, extension = name.rpartition(".")
        if not stem:
            stem, dot, extension = name, "", ""
        return f"{folder}{slash}{stem}{self._copy_mark}{copy}{dot}{extension}"

    def _encode_original(self, sample: Sample) -> tuple[bytes, Header]:
        if sample.encoded is None:
            image = _get_pixels(sample)
            if self._reencoding is not None:
                return self._reencoding.resize_and_encode(image, "png")
            return encode_png(image), Header("png", *image.shape[:2])
        header = read_valid_header(sample.encoded)
        if self._reencoding is None or self._reencoding.is_satisfied_by(header):
            return sample.encoded, header
        return self._reencoding.resize_and_encode(self._reencoding.decode(sample.encoded, header), header.format)

    def _encode_augmented(self, sample: Sample, index: int, copy: int) -> tuple[bytes, Header]:
        from pipeline.conversion.reencode import Reencoding, decode  # imports OpenCV, which pass-through does not need

        assert self.plan is not None  # noqa: S101  # for the type checker: copies need a plan
        if sample.encoded is None:
            image, image_format = _get_pixels(sample), "png"
        else:
            header = read_valid_header(sample.encoded)
            image, image_format = decode(sample.encoded, header), header.format
        params = self.plan.sample(self._seed, copy, [index], [image.shape])
        augmented = self.plan.apply(image, params, 0)
        if augmented.dtype != np.uint8 or augmented.shape[2] not in (1, 3, 4):
            raise TransformError(
                f"the augmentation yields {augmented.dtype} with {augmented.shape[2]} channels, but image files hold "
                "uint8 with 1, 3 or 4; run Normalize and ToFloat in the loader instead"
            )
        return (self._reencoding or Reencoding()).resize_and_encode(augmented, image_format)


def find_label(sample: Sample, class_names: Sequence[str]) -> int | None:
    """Return a sample's label; None if the source has no labels at all.

    Raises:
        ReadError: the sample has a label that is not a class, or none where others have one.
    """
    has_none = sample.label == NO_LABEL and not sample.label_fault
    return None if has_none and not class_names else check_label(sample, class_names)


# The names of the features sort in this order: class, content, name, shape. Thousands of images share class or shape.


@lru_cache(maxsize=4096)
def _encode_class(label: int, class_name: bytes) -> bytes:
    return b"".join((*encode_entry(tfrecord.LABEL, label), *encode_entry(tfrecord.CLASS_NAME, class_name)))


@lru_cache(maxsize=4096)
def _encode_shape(image_format: str, height: int, width: int) -> bytes:
    sides = *encode_entry(tfrecord.HEIGHT, height), *encode_entry(tfrecord.WIDTH, width)
    return b"".join((*encode_entry(tfrecord.FORMAT, image_format.encode()), *sides))


def _get_pixels(sample: Sample) -> Image:
    image = sample.pixels
    if image is None or image.dtype != np.uint8:
        actual = "no pixels" if image is None else f"{image.dtype} pixels"
        raise DecodeError(sample.key, f"has {actual}, but PNG stores uint8; convert the array to uint8 (0 to 255)")
    return image
