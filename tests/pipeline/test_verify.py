"""Tests of verifying converted datasets."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline.errors import SourceError
from pipeline.records import tfrecord
from pipeline.records.manifest import encode_with_digest, has_own_digest


@pytest.fixture
def converted_dataset(folders: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a converted dataset of two shards."""
    pipeline.convert(folders(ants=3, bees=3), tmp_path / "out", shards=2)
    return tmp_path / "out"


def shard(converted_dataset: Path, number: int = 0) -> Path:
    """Return the path of one shard."""
    return converted_dataset / f"out-{number:05d}-of-00002.tfrecord"


def faults(converted_dataset: Path) -> list[str]:
    """Verify, and return each fault as text."""
    return [str(fault) for fault in pipeline.verify(converted_dataset, decode=True)]


def test_fresh_conversion_has_no_fault(converted_dataset: Path) -> None:
    """The output of `convert` verifies, also with `decode`."""
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
    """The fault of a record has its number and position."""
    path = shard(converted_dataset)
    offset, _ = tfrecord.build_index(path)[1].tolist()
    damaged = bytearray(path.read_bytes())
    damaged[offset + 5] ^= 1
    path.write_bytes(damaged)
    assert f"{path.name} record 1 at byte {offset - 12}: the record fails its checksum" in faults(converted_dataset)


def test_truncation_at_a_record_boundary_is_found(converted_dataset: Path) -> None:
    """A shard without its last record is too small, has another digest, and fewer records."""
    path = shard(converted_dataset)
    offset, _ = tfrecord.build_index(path)[2].tolist()
    path.write_bytes(path.read_bytes()[: offset - 12])
    texts = faults(converted_dataset)
    assert any("has 2 records, expected 3" in text for text in texts)
    assert any("bytes, expected" in text for text in texts)
    assert any("the SHA-256" in text for text in texts)
    assert any("does not match the records" in text for text in texts)


def test_missing_and_extra_files_are_named(converted_dataset: Path) -> None:
    """A missing shard and an unlisted file are both faults."""
    shard(converted_dataset, 1).unlink()
    (converted_dataset / "notes.txt").write_text("hello")
    assert faults(converted_dataset) == [
        "out-00001-of-00002.tfrecord: is missing",
        "notes.txt: is not listed in dataset.json",
    ]


def replace_records(converted_dataset: Path, records: list[bytes]) -> list[str]:
    """Write other records into the first shard, with matching manifest and index file, and verify."""
    path = shard(converted_dataset)
    path.write_bytes(b"".join(map(tfrecord.frame, records)))
    np.save(tfrecord.index_path(path), tfrecord.build_index(path))
    manifest = json.loads((converted_dataset / "dataset.json").read_text())
    manifest["shards"][0]["examples"] = len(records)
    for entry in (*manifest["shards"], *manifest["files"]):
        data = (converted_dataset / entry["name"]).read_bytes()
        entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["num_examples"] = sum(entry["examples"] for entry in manifest["shards"])
    (converted_dataset / "dataset.json").write_bytes(encode_with_digest(manifest))
    return faults(converted_dataset)


def make_version_1(root: Path) -> None:
    """Rewrite a manifest as earlier versions wrote it: only the shards have digests."""
    manifest = json.loads((root / "dataset.json").read_text())
    for name in ("files", "examples_per_class", "ignored_files", "sha256"):
        del manifest[name]
    manifest["format_version"] = 1
    (root / "dataset.json").write_text(json.dumps(manifest, indent=2) + "\n")


def test_format_version_1_verifies_and_loads(converted_dataset: Path) -> None:
    """A dataset without digests of its companion files is complete, and its shards and index files are checked."""
    make_version_1(converted_dataset)
    assert faults(converted_dataset) == []
    assert pipeline.Loader(converted_dataset).class_names == ("ants", "bees")
    index = tfrecord.index_path(shard(converted_dataset))
    data = bytearray(index.read_bytes())
    data[20] ^= 1  # in the header, which NumPy would read
    index.write_bytes(data)
    assert faults(converted_dataset) == [f"{index.name}: does not match the records of {shard(converted_dataset).name}"]


def test_another_class_name_is_a_fault_in_version_1(converted_dataset: Path) -> None:
    """The records' own class names tell that a manifest's were exchanged."""
    make_version_1(converted_dataset)
    path = converted_dataset / "dataset.json"
    path.write_text(path.read_text().replace('"ants"', '"asps"'))
    texts = faults(converted_dataset)
    assert len(texts) == 3
    assert all(text.endswith("has the class name b'ants', but class 0 is b'asps'") for text in texts)


def test_an_encoded_manifest_contains_its_digest() -> None:
    """The digest is that of the bytes with zeros in its place, by an implementation of its own."""
    data = encode_with_digest({"shards": [{"sha256": "ab" * 32}], "class_names": ["\udcff"]})
    digest = json.loads(data)["sha256"]
    begin = data.index(digest.encode())
    assert hashlib.sha256(data[:begin] + b"0" * 64 + data[begin + 64 :]).hexdigest() == digest
    assert has_own_digest(data)
    assert not has_own_digest(data.replace(b"ab", b"aa", 1))


@pytest.fixture
def split_dataset(folders: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a converted dataset with two splits, one of them with a skipped sample."""
    source = folders(height=2, width=2, ants=3, bees=3)
    (source / "ants" / "1.png").write_bytes(b"")
    pipeline.convert(source, tmp_path / "out", split={"a": 0.5, "b": 0.5}, on_error="skip")
    return tmp_path / "out"


def is_faulty(root: Path) -> bool:
    """Whether `verify` finds a fault, or refuses the manifest."""
    try:
        return pipeline.verify(root) != ()
    except SourceError:
        return True


def test_every_changed_byte_of_every_file_is_found(split_dataset: Path) -> None:
    """Manifests, lists and index files: one changed bit in any byte, a missing byte, or one more; shards by samples."""
    (skipped,) = split_dataset.rglob("skipped.jsonl")
    paths = [split_dataset / "splits.json", *sorted(skipped.parent.iterdir())]
    assert len(paths) == 5
    for path in paths:
        whole = path.read_bytes()
        for position in range(0, len(whole), 5 if path.suffix == ".tfrecord" else 1):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            assert is_faulty(split_dataset), f"{path.name} at byte {position}"
        for damaged in (whole[:-1], whole + b"\n", b""):
            path.write_bytes(damaged)
            assert is_faulty(split_dataset), f"{path.name}: {len(damaged)} of {len(whole)} bytes"
        path.write_bytes(whole)
    assert pipeline.verify(split_dataset) == ()


def replace_by_link(path: Path) -> None:
    """Make a link to nothing."""
    path.symlink_to("nowhere")


@pytest.mark.parametrize("create", [Path.mkdir, os.mkfifo, replace_by_link], ids=["folder", "named pipe", "link"])
def test_only_regular_files_count(split_dataset: Path, create: Callable[[Path], None]) -> None:
    """Every file in turn becomes a folder, a named pipe or a link to nothing: a fault, without waiting for the pipe."""
    for path in [path for path in sorted(split_dataset.rglob("*")) if path.is_file()]:
        whole = path.read_bytes()
        path.unlink()
        create(path)
        assert is_faulty(split_dataset), path.name
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(whole)
    assert pipeline.verify(split_dataset) == ()


def test_a_link_to_a_regular_file_counts(converted_dataset: Path, tmp_path: Path) -> None:
    """Storage that keeps files elsewhere and links to them is verified by their contents."""
    path = shard(converted_dataset)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert faults(converted_dataset) == []


def test_duplicate_key_is_a_fault(converted_dataset: Path) -> None:
    """A duplicate key is reported with the example that has the same key."""
    records = list(tfrecord.iterate_records(shard(converted_dataset)))
    (fault,) = replace_records(converted_dataset, [*records, records[0]])
    assert fault.endswith("has the same key as out-00000-of-00002.tfrecord record 0")
    assert "record 3 at byte" in fault


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({tfrecord.LABEL: 2}, "has the label 2, but there are 2 classes"),
        ({tfrecord.LABEL: -1}, "has the label -1, but there are 2 classes"),
        ({tfrecord.ENCODED: b""}, "has no image/encoded"),
        ({tfrecord.ENCODED: b"<html>"}, "not a JPEG, PNG, GIF, BMP or WebP image: it begins with b'<html>'"),
    ],
)
def test_bad_example_is_a_fault(
    converted_dataset: Path,
    encode: Callable[..., bytes],
    picture: Callable,
    changes: dict[str, bytes | int],
    reason: str,
) -> None:
    """A label out of range, and bytes that are not an image, are faults."""
    good: dict[str, bytes | int] = {
        tfrecord.ENCODED: encode(picture(0)),
        tfrecord.LABEL: 0,
        tfrecord.FILENAME: b"new.png",
    }
    (fault,) = replace_records(converted_dataset, [tfrecord.example(good | changes)])
    assert fault.endswith(reason)


def test_record_that_is_no_example_is_a_fault(converted_dataset: Path) -> None:
    """A record with a good checksum that is not an example is a fault."""
    (fault,) = replace_records(converted_dataset, [b"\xff" * 50])
    assert fault.endswith("record 0 at byte 0: the record is not a tf.train.Example")


def test_decode_checks_pixels(converted_dataset: Path, encode: Callable[..., bytes], picture: Callable) -> None:
    """Only `decode` finds an image with a good header and truncated pixels."""
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
        ('{"format_version": 3, "class_names": [], "shards": []}', "has format version 3"),
        ('{"format_version": 2, "class_names": [], "shards": [], "files": [{"name": "../x"}]}', "lists '../x'"),
        (
            '{"format_version": 1, "class_names": [], "shards": [{"name": "../../x", "examples": 1}]}',
            "lists '../../x', which is outside its directory",
        ),
        ('{"format_version": 1, "class_names": [], "shards": [], "options": []}', "is not a valid manifest"),
        (
            '{"format_version": 1, "class_names": [], "shards": [{"name": "x", "examples": 1}]}',
            "lacks the sizes or SHA-256 of its files; convert the dataset again",
        ),
    ],
)
def test_unusable_manifest_is_refused(converted_dataset: Path, manifest: str, reason: str) -> None:
    """A damaged manifest, one of another version, and one that points outside its folder are refused."""
    (converted_dataset / "dataset.json").write_text(manifest)
    with pytest.raises(SourceError, match=reason):
        pipeline.verify(converted_dataset)


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """A folder that is not a converted dataset is refused."""
    with pytest.raises(
        SourceError, match=r"is not a converted dataset: dataset.json is missing; create one with `caudal convert`"
    ):
        pipeline.verify(tmp_path)


def test_records_behind_a_damaged_length_are_checked_too(converted_dataset: Path) -> None:
    """After a damaged length, the index file locates the other records, and each fault is named."""
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


def test_a_file_that_has_grown_is_not_read_to_its_end(split_dataset: Path) -> None:
    """To a terabyte, without taking room on the disk; each file in turn."""
    for path in sorted(path for path in split_dataset.rglob("*") if path.is_file()):
        size = path.stat().st_size
        os.truncate(path, 10**12)
        with contextlib.suppress(SourceError):
            assert any(path.name in fault.file for fault in pipeline.verify(split_dataset)), path
        os.truncate(path, size)
    assert not pipeline.verify(split_dataset)
