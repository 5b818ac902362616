"""Verifying a converted dataset: comparing its files and records with its manifest."""

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augment.regular_files import read_regular_file
from augment.stored_files import name_damage
from pipeline.errors import SourceError
from pipeline.images.header import read_valid_header
from pipeline.progress import Progress
from pipeline.records import tfrecord
from pipeline.records.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    SKIPPED,
    SPLITS,
    has_own_digest,
    hash_file,
    iter_listed_files,
    iter_unlisted_files,
    read_manifest,
    read_splits,
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        file: the file's name.
        reason: what is wrong.
        record: the record's number, from 0; None if the fault is not in a record.
        offset: the position of the record in the file, in bytes.
    """

    file: str
    reason: str
    record: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        record = "" if self.record is None else f" record {self.record} at byte {self.offset}"
        return f"{self.file}{record}: {self.reason}"


def verify(
    directory: str | os.PathLike[str], *, decode: bool = False, progress: Progress | None = None
) -> tuple[Fault, ...]:
    """Compare a converted dataset with its manifest, byte for byte.

    Checks each file's size and SHA-256, each shard's framing, record checksums and index file, and each example's image
    header (or text), label and class name. Reports duplicate keys, missing files, files that are not regular, and files
    that the manifest does not list. Manifests of format version 2 contain their own digest and those of all other
    files; version 1 has only those of the shards.

    Args:
        directory: the output of `convert`.
        decode: also decodes every image.
        progress: called with the number of bytes checked, and the number of all bytes.

    Returns:
        The faults; empty if the dataset is complete.

    Raises:
        SourceError: the manifest is missing or cannot be read.
    """
    root = Path(directory)
    if not (parts := read_splits(root)):
        return tuple(_find_faults(root, _check_verifiable(read_manifest(root), root), decode, progress))
    faults = [Fault(name, f"is not listed in {SPLITS}") for name in _find_unlisted(root, parts)]
    faults += _find_split_faults(root)
    for part in parts:
        try:
            faults += (replace(fault, file=f"{part}/{fault.file}") for fault in verify(root / part, decode=decode))
        except SourceError as error:
            faults.append(Fault(f"{part}/{MANIFEST}", str(error)))
        if progress is not None:
            progress(parts.index(part) + 1, len(parts))
    return tuple(faults)


def _check_verifiable(manifest: dict[str, Any], root: Path) -> dict[str, Any]:
    for file in (*manifest["shards"], *manifest.get("files", [])):
        if not isinstance(file.get("bytes"), int) or not isinstance(file.get("sha256"), str):
            raise SourceError(f"{root / MANIFEST} lacks the sizes or SHA-256 of its files; convert the dataset again")
    return manifest


def _find_split_faults(root: Path) -> Iterator[Fault]:
    """Compare the list of splits with its own digest, and the manifests of the splits with theirs."""
    data = read_regular_file(root / SPLITS)
    splits = json.loads(data)
    if not _needs_digest(splits):
        return
    if not has_own_digest(data):
        yield Fault(SPLITS, "does not match its own SHA-256")
    for part, entry in dict(splits["splits"]).items() if isinstance(splits["splits"], dict) else ():
        path = root / part / MANIFEST
        expected = entry.get("sha256") if isinstance(entry, dict) else None
        if not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
            continue  # reading it says so
        if (digest := hash_file(path)) != expected:
            yield Fault(f"{part}/{MANIFEST}", f"has the SHA-256 {digest}, expected {expected}")


def _needs_digest(value: dict[str, Any]) -> bool:
    """Whether a manifest has a digest, or must have one: a damaged version number must not hide it."""
    return value.get("format_version") != 1 or "sha256" in value or "files" in value


def _find_unlisted(root: Path, parts: tuple[str, ...]) -> list[str]:
    return sorted({path.name for path in root.iterdir()} - {SPLITS, *parts})


def _find_faults(root: Path, manifest: dict[str, Any], decode: bool, progress: Progress | None) -> Iterator[Fault]:
    if _needs_digest(manifest) and not has_own_digest(read_regular_file(root / MANIFEST)):
        yield Fault(MANIFEST, "does not match its own SHA-256")
    yield from _find_file_faults(root, manifest)
    texts = manifest.get("options", {}).get("content") == "texts"
    check = _check_text if texts else _make_decoder() if decode else read_valid_header
    features = tfrecord.TEXT if texts else tfrecord.IMAGE
    examples = _Examples(manifest["class_names"], features, check)
    done, total = 0, sum(shard["bytes"] for shard in manifest["shards"])
    for shard in manifest["shards"]:
        path = root / shard["name"]
        if path.is_file():
            yield from _compare_file(path, shard)
            yield from _find_record_faults(path, shard, examples)
        done += shard["bytes"]
        if progress is not None:
            progress(done, total)
    yield from examples.find_duplicates()
    listed = sum(shard["examples"] for shard in manifest["shards"])
    if manifest.get("num_examples") != listed:
        yield Fault(MANIFEST, f"num_examples is {manifest.get('num_examples')}, but the shards hold {listed}")


def _find_file_faults(root: Path, manifest: dict[str, Any]) -> Iterator[Fault]:
    present = {path.name for path in root.iterdir()}
    listed = set(iter_listed_files(manifest))
    for name in sorted(listed - present):
        yield Fault(name, "is missing")
    for name in iter_unlisted_files(root):
        yield Fault(name, f"is not listed in {MANIFEST}")
    for name in sorted(present & (listed | {SKIPPED})):
        if not (root / name).is_file():  # follows links
            yield Fault(name, "is not a regular file")
    for file in manifest.get("files", []):
        if (root / file["name"]).is_file():
            yield from _compare_file(root / file["name"], file)


def _compare_file(path: Path, entry: dict[str, Any]) -> Iterator[Fault]:
    """Compare a file with its size and digest in the manifest."""
    size = path.stat().st_size
    if size != entry["bytes"]:
        yield Fault(path.name, f"has {size} bytes, expected {entry['bytes']}")
    if size > entry["bytes"]:
        return  # it may have grown without end
    if (digest := hash_file(path)) != entry["sha256"]:
        yield Fault(path.name, f"has the SHA-256 {digest}, expected {entry['sha256']}")


def _find_record_faults(path: Path, shard: dict[str, Any], examples: "_Examples") -> Iterator[Fault]:
    try:
        index = tfrecord.build_index(path)
    except tfrecord.RecordError as error:
        yield Fault(path.name, error.reason, error.record, error.offset)
        index = _load_stored_index(path)  # a length is damaged; the index file still locates the records
    else:
        if len(index) != shard["examples"]:
            yield Fault(path.name, f"has {len(index)} records, expected {shard['examples']}")
        yield from _find_index_faults(path, index)
    with open(path, "rb") as file:
        for record, (offset, length) in enumerate(index.tolist()):
            begin = tfrecord.position(offset)
            try:
                examples.check(tfrecord.read_record(file.fileno(), offset, length), path.name, record, begin)
            except ValueError as error:
                yield Fault(path.name, str(error), record, begin)


def _load_stored_index(path: Path) -> tfrecord.Index:
    """Return the entries of a damaged shard's index file that point into the shard; empty if it is damaged, too."""
    stored = tfrecord.index_path(path)
    try:
        with name_damage(stored, "an index", SourceError):
            index = tfrecord.read_index_file(path)
            if index.dtype != np.int64 or index.ndim != 2 or index.shape[1] != 2:
                raise ValueError("it has another shape or dtype")
    except SourceError:
        return np.zeros((0, 2), np.int64)
    size = path.stat().st_size
    inside = (index >= 0).all(axis=1) & (index[:, 0] <= size) & (index[:, 1] <= size - index[:, 0])
    return np.asarray(index[: len(index) if inside.all() else int(inside.argmin())])


def _find_index_faults(path: Path, index: tfrecord.Index) -> Iterator[Fault]:
    stored = tfrecord.index_path(path)
    expected = tfrecord.encode_index(index)
    if stored.is_file() and (stored.stat().st_size != len(expected) or read_regular_file(stored) != expected):
        yield Fault(stored.name, f"does not match the records of {path.name}")


def _make_decoder() -> Callable[[bytes], object]:
    from pipeline.images.decode import Decoder  # imports OpenCV, and later TensorFlow

    return Decoder()


def _check_text(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the text is not UTF-8: {error.reason} at byte {error.start}") from None


class _Examples:
    """Checks examples one by one, and stores their keys in 40 bytes each."""

    def __init__(
        self, class_names: Sequence[str], features: tfrecord.Features, check: Callable[[bytes], object]
    ) -> None:

        self._class_names = [str(name).encode("utf-8", "surrogateescape") for name in class_names]
        self._features = features
        self._check = check
        self._keys = bytearray()
        self._locations = array("q")
        self._files: list[str] = []

    def check(self, data: bytes, file: str, record: int, offset: int) -> None:
        """Check one example.

        Raises:
            ValueError: the example is bad.
        """
        example = tfrecord.parse_example(data)
        key = tfrecord.get_bytes_feature(example, self._features.key) or b""
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        self._keys += hashlib.blake2b(key, digest_size=16).digest()
        self._locations.extend((len(self._files) - 1, record, offset))
        content = tfrecord.get_bytes_feature(example, self._features.content)
        if content is None or (not content and self._features is tfrecord.IMAGE):
            raise ValueError(f"has no {self._features.content}")
        self._check(content)
        label = tfrecord.get_int_feature(example, self._features.label)
        if label is None and not self._class_names:
            return  # the dataset has no labels
        if label is None or not 0 <= label < len(self._class_names):
            raise ValueError(f"has the label {label}, but there are {len(self._class_names)} classes")

        name = tfrecord.get_bytes_feature(example, self._features.class_name)
        if name is not None and name != self._class_names[label]:
            raise ValueError(f"has the class name {name!r}, but class {label} is {self._class_names[label]!r}")

    def find_duplicates(self) -> Iterator[Fault]:
        """Yield a fault for every example whose key is a duplicate of an earlier one."""
        keys = np.frombuffer(bytes(self._keys), "V16")
        _, first, unique_index = np.unique(keys, return_index=True, return_inverse=True)
        locations = np.array(self._locations, np.int64).reshape(-1, 3)
        for number in np.flatnonzero(first[unique_index] != np.arange(len(keys))).tolist():
            file, record, offset = locations[number].tolist()
            first_file, first_record, _ = locations[first[unique_index[number]]].tolist()
            reason = f"has the same key as {self._files[first_file]} record {first_record}"
            yield Fault(self._files[file], reason, record, offset)
