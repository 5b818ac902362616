"""Tests of verifying converted datasets."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import SourceError
from pipeline.records import tfrecord


@pytest.fixture
def converted_dataset(folders: Callable[..., Path], tmp_path: Path) -> Path:
    """Give a converted dataset of two shards."""
    pipeline.convert(folders(ants=3, bees=3), tmp_path / "out", shards=2)
    return tmp_path / "out"


def shard(converted_dataset: Path, number: int = 0) -> Path:
    """Give the path of one shard."""
    return converted_dataset / f"out-{number:05d}-of-00002.tfrecord"


def faults(converted_dataset: Path) -> list[str]:
    """Verify, and write each fault as text."""
    return [str(fault) for fault in pipeline.verify(converted_dataset, decode=True)]


def test_fresh_conversion_has_no_fault(converted_dataset: Path) -> None:
    """What `convert` made verifies, decoded too."""
    assert faults(converted_dataset) == []


def test_every_flipped_bit_of_a_shard_is_found(converted_dataset: Path) -> None:
    """Whichever bit of a shard is flipped, there is a fault that names the shard."""
    path = shard(converted_dataset)
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 97):  # a prime: all bits of bytes and all parts of records are met
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert any(fault.file == path.name for fault in pipeline.verify(converted_dataset)), bit


def test_damaged_record_is_named_by_number_and_offset(converted_dataset: Path) -> None:
    """The fault of a record says which it is and where it begins."""
    path = shard(converted_dataset)
    offset, _ = tfrecord.build_index(path)[1].tolist()
    damaged = bytearray(path.read_bytes())
    damaged[offset + 5] ^= 1
    path.write_bytes(damaged)
    assert f"{path.name} record 1 at byte {offset - 12}: the record fails its checksum" in faults(converted_dataset)


def test_truncation_at_a_record_boundary_is_found(converted_dataset: Path) -> None:
    """A shard that lost its last record whole is too small, has another hash, and fewer records."""
    path = shard(converted_dataset)
    offset, _ = tfrecord.build_index(path)[2].tolist()
    path.write_bytes(path.read_bytes()[: offset - 12])
    texts = faults(converted_dataset)
    assert any("has 2 records instead of 3" in text for text in texts)
    assert any("bytes instead of" in text for text in texts)
    assert any("the SHA-256" in text for text in texts)
    assert any("does not say where the records" in text for text in texts)


def test_missing_and_extra_files_are_named(converted_dataset: Path) -> None:
    """A shard that is gone and a file that nothing lists are both faults."""
    shard(converted_dataset, 1).unlink()
    (converted_dataset / "notes.txt").write_text("hello")
    assert faults(converted_dataset) == [
        "out-00001-of-00002.tfrecord: is missing",
        "notes.txt: is not part of the dataset: dataset.json does not list it",
    ]


def replace_records(converted_dataset: Path, records: list[bytes]) -> list[str]:
    """Write other records into the first shard, with a manifest and an index to match, and verify."""
    import hashlib

    import numpy as np

    path = shard(converted_dataset)
    path.write_bytes(b"".join(map(tfrecord.frame, records)))
    np.save(tfrecord.index_path(path), tfrecord.build_index(path))
    manifest = json.loads((converted_dataset / "dataset.json").read_text())
    manifest["shards"][0] |= {
        "examples": len(records),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    manifest["num_examples"] = sum(entry["examples"] for entry in manifest["shards"])
    (converted_dataset / "dataset.json").write_text(json.dumps(manifest))
    return faults(converted_dataset)


def test_duplicate_key_is_a_fault(converted_dataset: Path) -> None:
    """An example whose key another one has is named beside it."""
    records = list(tfrecord.iterate_records(shard(converted_dataset)))
    (fault,) = replace_records(converted_dataset, [*records, records[0]])
    assert fault.endswith("has the key of out-00000-of-00002.tfrecord record 0")
    assert "record 3 at byte" in fault


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({tfrecord.LABEL: 2}, "has the label 2, but there are 2 classes"),
        ({tfrecord.LABEL: -1}, "has the label -1, but there are 2 classes"),
        ({tfrecord.ENCODED: b""}, "has no image/encoded"),
        ({tfrecord.ENCODED: b"<html>"}, "no JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>'"),
    ],
)
def test_bad_example_is_a_fault(
    converted_dataset: Path,
    encode: Callable[..., bytes],
    picture: Callable,
    changes: dict[str, bytes | int],
    reason: str,
) -> None:
    """A label out of range, and bytes that are no image, are named."""
    good: dict[str, bytes | int] = {
        tfrecord.ENCODED: encode(picture(0)),
        tfrecord.LABEL: 0,
        tfrecord.FILENAME: b"new.png",
    }
    (fault,) = replace_records(converted_dataset, [tfrecord.example(good | changes)])
    assert fault.endswith(reason)


def test_record_that_is_no_example_is_a_fault(converted_dataset: Path) -> None:
    """A record with a good checksum that holds something else is named."""
    (fault,) = replace_records(converted_dataset, [b"\xff" * 50])
    assert fault.endswith("record 0 at byte 0: the record is not a tf.train.Example")


def test_pixels_are_checked_where_asked(
    converted_dataset: Path, encode: Callable[..., bytes], picture: Callable
) -> None:
    """Only `decode` finds an image whose header is good and whose pixels are cut off."""
    encoded = encode(picture(0, 40, 40))[:-200]
    example = tfrecord.example({tfrecord.ENCODED: encoded, tfrecord.LABEL: 0, tfrecord.FILENAME: b"cut.png"})
    (fault,) = replace_records(converted_dataset, [example])
    assert "damaged PNG" in fault
    assert pipeline.verify(converted_dataset) == ()


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("", "is not a valid manifest"),
        ("[]", "is not a valid manifest"),
        ('{"format_version": 2, "class_names": [], "shards": []}', "has format version 2"),
        (
            '{"format_version": 1, "class_names": [], "shards": [{"name": "../../x", "examples": 1}]}',
            "lists '../../x', which is outside its directory",
        ),
        ('{"format_version": 1, "class_names": [], "shards": [], "options": []}', "is not a valid manifest"),
        (
            '{"format_version": 1, "class_names": [], "shards": [{"name": "x", "examples": 1}]}',
            "does not say how large the shards are, or what they hash to",
        ),
    ],
)
def test_unusable_manifest_is_refused(converted_dataset: Path, manifest: str, reason: str) -> None:
    """A manifest that is no manifest, of another version, or that points elsewhere is an error of its own."""
    (converted_dataset / "dataset.json").write_text(manifest)
    with pytest.raises(SourceError, match=reason):
        pipeline.verify(converted_dataset)


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """What is no converted dataset is refused."""
    with pytest.raises(
        SourceError, match=r"is not a converted dataset: dataset.json is missing; create one with `caudal convert`"
    ):
        pipeline.verify(tmp_path)


def test_records_behind_a_damaged_length_are_checked_too(converted_dataset: Path) -> None:
    """Where a length cannot be followed, the index says where the other records are, and each fault is named."""
    path = shard(converted_dataset)
    offsets = [offset for offset, _ in tfrecord.build_index(path).tolist()]
    damaged = bytearray(path.read_bytes())
    damaged[offsets[0] - 9] ^= 1
    damaged[offsets[2] + 5] ^= 1
    path.write_bytes(damaged)
    texts = faults(converted_dataset)
    assert any(text.startswith(f"{path.name} record 0 at byte 0: the length fails") for text in texts)
    assert f"{path.name} record 2 at byte {offsets[2] - 12}: the record fails its checksum" in texts
    assert not any("record 1 " in text for text in texts)
