"""TFRecord files: framing, checksums, random access, and the features of an example.

A record is a little-endian uint64 length, the masked CRC-32C of those eight bytes, the data, and the masked CRC-32C of
the data (TensorFlow, `core/lib/io/record_writer.h`). Any TensorFlow program can read these files.
"""

import io
import os
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from augment.stored_files import read_array
from pipeline.records.example import example as example
from pipeline.records.example import get_bytes_feature as get_bytes_feature
from pipeline.records.example import get_int_feature as get_int_feature
from pipeline.records.example import get_values as get_values
from pipeline.records.example import parse_example as parse_example

Index = NDArray[np.int64]
"""The position of each record's data: int64 [records, 2], offset and length in bytes."""

ENCODED = "image/encoded"
FORMAT = "image/format"
HEIGHT = "image/height"
WIDTH = "image/width"
FILENAME = "image/filename"
LABEL = "image/class/label"
CLASS_NAME = "image/class/text"
FEATURES = (ENCODED, FORMAT, HEIGHT, WIDTH, FILENAME, LABEL, CLASS_NAME)
"""The features of images that Caudal reads and writes."""


class Features(NamedTuple):
    """The names of the features of an example.

    Attributes:
        content: the image file's bytes, or the text.
        key: the sample's key.
        label: its class index, int64.
        class_name: the name of its class.
    """

    content: str
    key: str
    label: str
    class_name: str


IMAGE = Features(ENCODED, FILENAME, LABEL, CLASS_NAME)
TEXT = Features("text", "text/filename", "label", "label/text")

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEAD = _LENGTH.size + _CHECKSUM.size
_OVERHEAD = _HEAD + _CHECKSUM.size


class RecordError(ValueError):
    """A record is damaged.

    Attributes:
        record: its number in the file, from 0.
        offset: the byte at which it starts.
        reason: what is wrong.
    """

    def __init__(self, record: int, offset: int, reason: str) -> None:
        super().__init__(f"record {record} at byte {offset}: {reason}")
        self.record = record
        self.offset = offset
        self.reason = reason


def compute_masked_crc(data: bytes) -> int:
    """Compute the checksum of TFRecords: CRC-32C, rotated by 15 bits, plus a constant."""
    return _mask(google_crc32c.value(data))


def _mask(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """Wrap an example's bytes as one record."""
    return b"".join(frame_pieces([data]))


def frame_pieces(pieces: Sequence[bytes]) -> list[bytes]:
    """Wrap an example's bytes, given in pieces, as the pieces of one record."""
    crc = google_crc32c.value(pieces[0])
    for piece in pieces[1:]:
        crc = google_crc32c.extend(crc, piece)
    return [_encode_head(sum(map(len, pieces))), *pieces, _CHECKSUM.pack(_mask(crc))]


@lru_cache(maxsize=4096)
def _encode_head(length: int) -> bytes:
    packed = _LENGTH.pack(length)
    return packed + _CHECKSUM.pack(compute_masked_crc(packed))


def span(begin: int, end: int) -> tuple[int, int]:
    """Return the index row (offset and length of its data) of a record between two positions in its file."""
    return begin + _HEAD, end - begin - _OVERHEAD


def position(offset: int) -> int:
    """Return the byte at which the record starts whose data are at `offset`."""
    return offset - _HEAD


def index_path(shard: Path) -> Path:
    """Return the path of a shard's index file."""
    return shard.with_name(shard.name.removesuffix(".tfrecord") + ".index.npy")


def is_record_file(path: Path) -> bool:
    """Whether a file starts like a TFRecord: with a length and its checksum."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    return (
        len(head) == _HEAD and compute_masked_crc(head[: _LENGTH.size]) == _CHECKSUM.unpack_from(head, _LENGTH.size)[0]
    )


def encode_index(spans: Index) -> bytes:
    """Encode the index of a shard as its index file stores it."""
    file = io.BytesIO()
    np.save(file, spans.reshape(-1, 2), allow_pickle=False)
    return file.getvalue()


def build_index(shard: Path) -> Index:
    """Find the records of a shard from their lengths, without reading their data.

    Raises:
        RecordError: the file is truncated, or its framing damaged.
    """
    with open(shard, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        spans: list[tuple[int, int]] = []
        start = 0
        while start < size:
            length = _read_length(file, len(spans), start, size)
            spans.append(span(start, start := start + length + _OVERHEAD))
            file.seek(start)
    return np.array(spans, np.int64).reshape(-1, 2)


def load_index(shard: Path) -> Index:
    """Return a shard's index: the stored one where it fits the file, else a new one.

    Raises:
        RecordError: no stored index fits, and the file is damaged.
    """
    stored = index_path(shard)
    try:
        status = shard.stat()
        index = read_array(stored)
        if stored.stat().st_mtime_ns >= status.st_mtime_ns and _is_valid_index(index, status.st_size):
            return cast(Index, index)
    except Exception:  # noqa: S110  # np.load raises nearly anything on a damaged file; a new index is as good
        pass
    return build_index(shard)


def read_record(descriptor: int, offset: int, length: int) -> bytes:
    """Read the data of one record and check it; safe from any number of threads.

    Raises:
        ValueError: the data is truncated or fails its checksum.
    """
    data = os.pread(descriptor, length + _CHECKSUM.size, offset)
    if len(data) != length + _CHECKSUM.size:
        raise ValueError("the record is truncated")
    (checksum,) = _CHECKSUM.unpack_from(data, length)
    data = data[:length]
    if compute_masked_crc(data) != checksum:
        raise ValueError("the record fails its checksum")
    return data


def iterate_records(shard: Path) -> Iterator[bytes]:
    """Yield the data of every record in order; each is checked.

    Raises:
        RecordError: at the first record that is damaged.
    """
    index = build_index(shard)
    with open(shard, "rb") as file:
        for number, (offset, length) in enumerate(index.tolist()):
            try:
                yield read_record(file.fileno(), offset, length)
            except ValueError as error:
                raise RecordError(number, position(offset), str(error)) from None


def _read_length(file: BinaryIO, record: int, start: int, size: int) -> int:
    head = file.read(_HEAD)
    if len(head) < _HEAD:
        raise RecordError(record, start, f"only {size - start} bytes remain, too few for a record")
    (length,), (checksum,) = _LENGTH.unpack_from(head), _CHECKSUM.unpack_from(head, _LENGTH.size)
    if compute_masked_crc(head[: _LENGTH.size]) != checksum:
        raise RecordError(record, start, "the length fails its checksum: not a TFRecord file, or a damaged one")
    if start + length + _OVERHEAD > size:
        raise RecordError(record, start, f"it claims {length} bytes, but the file is shorter")
    return int(length)


def _is_valid_index(index: Any, size: int) -> bool:
    if not isinstance(index, np.ndarray) or index.ndim != 2 or index.shape[1] != 2 or index.dtype != np.int64:
        return False
    ends = index.sum(axis=1) + _CHECKSUM.size
    starts = index[:, 0] - _HEAD
    expected = np.concatenate([[0], ends])
    return bool((starts == expected[:-1]).all() and expected[-1] == size)
