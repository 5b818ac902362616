"""TFRecord files: what is written here TensorFlow reads, what it writes is read here, and damage is named."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import tfrecord

RECORDS = [b"first", b"", b"x" * 1000]


def npy(array: np.ndarray) -> bytes:
    """Give the bytes of an `.npy` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(array: np.ndarray) -> bytes:
    """Give the bytes of an `.npz` file."""
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Write a shard of three records, and no index."""
    path = tmp_path / "data.tfrecord"
    path.write_bytes(b"".join(map(tfrecord.frame, RECORDS)))
    return path


def read_all(path: Path, index: np.ndarray) -> list[bytes]:
    """Read all records by an index."""
    with open(path, "rb") as file:
        return [tfrecord.read_record(file.fileno(), offset, length) for offset, length in index.tolist()]


@given(records=st.lists(st.binary(max_size=300), max_size=6))
def test_tensorflow_reads_what_is_framed_here(
    tmp_path_factory: pytest.TempPathFactory, records: Sequence[bytes]
) -> None:
    """`tf.data.TFRecordDataset` gives back the records, and so do the index and the iterator."""
    path = tmp_path_factory.mktemp("records") / "data.tfrecord"
    path.write_bytes(b"".join(map(tfrecord.frame, records)))
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == records
    assert read_all(path, tfrecord.build_index(path)) == records
    assert list(tfrecord.iterate_records(path)) == records


def test_what_tensorflow_writes_is_the_same_bytes(shard: Path, tmp_path: Path) -> None:
    """`tf.io.TFRecordWriter` writes the same file."""
    with tf.io.TFRecordWriter(str(tmp_path / "theirs.tfrecord")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert (tmp_path / "theirs.tfrecord").read_bytes() == shard.read_bytes()
    np.testing.assert_array_equal(tfrecord.build_index(tmp_path / "theirs.tfrecord"), [[12, 5], [33, 0], [49, 1000]])


def test_an_index_belongs_to_its_shard_by_name() -> None:
    """`.tfrecord` is replaced; any other name is continued."""
    assert tfrecord.index_path(Path("d/a-00000-of-00001.tfrecord")) == Path("d/a-00000-of-00001.index.npy")
    assert tfrecord.index_path(Path("d/a.rec")) == Path("d/a.rec.index.npy")


def test_a_stored_index_is_used(shard: Path) -> None:
    """Where the index fits, the file's framing is not read: damage to a length's checksum goes unseen."""
    index = tfrecord.build_index(shard)
    damaged = bytearray(shard.read_bytes())
    damaged[8] ^= 1
    shard.write_bytes(damaged)
    np.save(tfrecord.index_path(shard), index)  # last: an index that is older than its shard is not believed
    assert read_all(shard, tfrecord.load_index(shard)) == RECORDS
    tfrecord.index_path(shard).unlink()
    with pytest.raises(tfrecord.RecordError):
        tfrecord.load_index(shard)


FITTING = np.array([[12, 5], [33, 0], [49, 1000]])

WRONG_INDICES = {
    "empty": b"",
    "no array": b"junk",
    "cut header": npy(FITTING)[:20],
    "cut data": npy(FITTING)[:-5],
    "archive": npz(FITTING),
    "broken archive": b"PK\x03\x04junk and more junk",
    "pickled": npy(np.array([None, {}], object)),
    "no records": npy(FITTING[:0]),
    "too few": npy(FITTING[:2]),
    "too many": npy(np.concatenate([FITTING, FITTING])),
    "reversed": npy(FITTING[::-1]),
    "negative": npy(-FITTING),
    "beyond the end": npy(FITTING + np.array([0, 1])),
    "a scalar": npy(np.array(3)),
    "one dimension": npy(FITTING.ravel()),
    "three columns": npy(np.ones((3, 3), np.int64)),
    "floats": npy(FITTING.astype(float)),
    "32 bits": npy(FITTING.astype(np.int32)),
    "too long, then negative": npy(np.array([[12, 2**40], [2**40 + 28, 1053 - 4 - 2**40 - 28]])),
    "huge numbers": npy(np.array([[12, 2**62], [2**62, 2**62]])),
    "huge shape": npy(FITTING).replace(b"(3, 2), }              ", b"(99999999999999, 2), } "),
}


@pytest.mark.parametrize("stored", WRONG_INDICES.values(), ids=WRONG_INDICES)
def test_a_wrong_index_is_replaced_by_a_new_one(shard: Path, stored: bytes) -> None:
    """Whatever stands in the index's place, the records are found."""
    tfrecord.index_path(shard).write_bytes(stored)
    assert read_all(shard, tfrecord.load_index(shard)) == RECORDS


def test_the_index_of_an_older_file_of_the_same_size_is_replaced(shard: Path) -> None:
    """A shard that was written anew with its records in another order is not read by the older index."""
    np.save(tfrecord.index_path(shard), tfrecord.build_index(shard))
    shard.write_bytes(b"".join(map(tfrecord.frame, RECORDS[::-1])))
    assert read_all(shard, tfrecord.load_index(shard)) == RECORDS[::-1]


@given(stored=st.binary(max_size=200), prefix=st.sampled_from([b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00", b"PK\x03\x04"]))
def test_no_index_file_whatsoever_fails_a_shard(
    tmp_path_factory: pytest.TempPathFactory, prefix: bytes, stored: bytes
) -> None:
    """Arbitrary bytes in the index's place never hide a good shard."""
    path = tmp_path_factory.mktemp("records") / "data.tfrecord"
    path.write_bytes(b"".join(map(tfrecord.frame, RECORDS)))
    tfrecord.index_path(path).write_bytes(prefix + stored)
    np.testing.assert_array_equal(tfrecord.load_index(path), FITTING)


@pytest.mark.parametrize("end", range(1, 60))
def test_a_shard_cut_anywhere_but_between_records_is_an_error(shard: Path, end: int) -> None:
    """A cut inside a record is named with the record's number and place; one between two is not seen from the file."""
    whole = shard.read_bytes()
    boundaries = [0, 21, 37]
    shard.write_bytes(whole[:end])
    if end in boundaries:
        assert len(tfrecord.build_index(shard)) == boundaries.index(end)
        return
    record = sum(boundary < end for boundary in boundaries) - 1
    with pytest.raises(tfrecord.RecordError, match=r"too few for a record|the file is shorter") as caught:
        tfrecord.build_index(shard)
    assert (caught.value.record, caught.value.offset) == (record, boundaries[record])
    assert str(caught.value).startswith(f"record {record} at byte {boundaries[record]}: ")


@pytest.mark.parametrize("byte", [0, 7, 8, 11])
def test_a_damaged_length_is_an_error(shard: Path, byte: int) -> None:
    """A flipped bit in a length or its checksum is never followed into the file."""
    damaged = bytearray(shard.read_bytes())
    damaged[21 + byte] ^= 4
    shard.write_bytes(damaged)
    with pytest.raises(tfrecord.RecordError) as caught:
        tfrecord.build_index(shard)
    assert str(caught.value) == (
        "record 1 at byte 21: the length fails its checksum: not a TFRecord file, or a damaged one"
    )


@pytest.mark.parametrize("length", [2**32, 2**62, 2**64 - 1])
def test_a_length_beyond_the_file_is_an_error(shard: Path, length: int) -> None:
    """A length that lies, with a right checksum, allocates nothing."""
    head = struct.pack("<Q", length)
    shard.write_bytes(head + struct.pack("<I", tfrecord.compute_masked_crc(head)) + b"x" * 64)
    with pytest.raises(tfrecord.RecordError) as caught:
        tfrecord.build_index(shard)
    assert str(caught.value) == f"record 0 at byte 0: it claims {length} bytes, but the file is shorter"


@pytest.mark.parametrize("byte", [49, 600, 1048, 1049, 1052])
def test_damaged_data_is_an_error_of_its_record_alone(shard: Path, byte: int) -> None:
    """A flipped bit in a record's data or checksum is found when it is read; the others are read as before."""
    damaged = bytearray(shard.read_bytes())
    damaged[byte] ^= 16
    shard.write_bytes(damaged)
    index = tfrecord.build_index(shard)
    assert read_all(shard, index[:2]) == RECORDS[:2]
    with pytest.raises(ValueError, match=r"^the record fails its checksum$"):
        read_all(shard, index[2:])
    records = tfrecord.iterate_records(shard)
    assert [next(records), next(records)] == RECORDS[:2]
    with pytest.raises(tfrecord.RecordError, match=r"^record 2 at byte 37: the record fails its checksum$"):
        next(records)


def test_a_record_beyond_the_end_is_cut_off(shard: Path) -> None:
    """An index that points behind the end of a file reads nothing."""
    with pytest.raises(ValueError, match=r"^the record is truncated$"):
        read_all(shard, np.array([[49, 1001]]))


def test_examples_hold_bytes_and_integers_and_are_deterministic() -> None:
    """Features come back by name and kind; the same features, in whatever order, are the same bytes."""
    features: dict[str, bytes | int] = {"b": b"\xff\0", "a": -3}
    data = tfrecord.example(features)
    assert data == tfrecord.example(dict(reversed(features.items())))
    example = tfrecord.parse_example(data)
    assert tfrecord.get_bytes_feature(example, "b") == b"\xff\0"
    assert tfrecord.get_int_feature(example, "a") == -3


def test_a_feature_that_is_missing_or_of_another_kind_is_none() -> None:
    """Asking adds nothing to the example either."""
    example = tfrecord.parse_example(tfrecord.example({"a": 1}))
    assert tfrecord.get_bytes_feature(example, "a") is None
    assert tfrecord.get_bytes_feature(example, "c") is None
    assert tfrecord.get_int_feature(example, "c") is None
    assert sorted(example.features.feature) == ["a"]


def test_a_record_that_is_no_example_is_an_error() -> None:
    """Bytes that protobuf cannot parse are a ValueError that says what was expected."""
    with pytest.raises(ValueError, match=r"^the record is not a tf\.train\.Example$"):
        tfrecord.parse_example(b"\xff" * 50)
