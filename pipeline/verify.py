"""Verifying a converted dataset: is everything there, and everything as it was written?"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import tfrecord
from pipeline.convert import LEDGER
from pipeline.decode import Decoder
from pipeline.progress import Progress
from pipeline.sources.tfrecord import MANIFEST, read_manifest


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        file: the file's name.
        reason: what is wrong.
        record: the record's number from 0 on; None where the fault is not in a record.
        offset: where the record begins, in bytes.
    """

    file: str
    reason: str
    record: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        place = "" if self.record is None else f" record {self.record} at byte {self.offset}"
        return f"{self.file}{place}: {self.reason}"


def verify(
    directory: str | os.PathLike[str], *, decode: bool = False, progress: Progress | None = None
) -> tuple[Fault, ...]:
    """Compare a converted dataset with its manifest, down to every byte.

    Checks each shard's size, SHA-256, framing, record checksums and index, each example's image header and label, that
    no key stands twice, and that no file is missing or too many.

    Args:
        directory: what `convert` made.
        decode: decodes every image too.
        progress: called with the bytes that have been checked, and all bytes.

    Returns:
        The faults; none where the dataset is whole.

    Raises:
        SourceError: the manifest is missing or cannot be read.
    """
    root = Path(directory)
    manifest = read_manifest(root)
    return tuple(_faults(root, manifest, decode, progress))


def _faults(root: Path, manifest: dict[str, Any], decode: bool, progress: Progress | None) -> Iterator[Fault]:
    yield from _file_faults(root, manifest)
    examples = _Examples(len(manifest["class_names"]), Decoder() if decode else Decoder().header)
    done, total = 0, sum(shard["bytes"] for shard in manifest["shards"])
    for shard in manifest["shards"]:
        path = root / shard["name"]
        if path.is_file():
            yield from _shard_faults(path, shard)
            yield from _record_faults(path, shard, examples)
        done += shard["bytes"]
        if progress is not None:
            progress(done, total)
    listed = sum(shard["examples"] for shard in manifest["shards"])
    if manifest.get("num_examples") != listed:
        yield Fault(MANIFEST, f"num_examples is {manifest.get('num_examples')}, its shards have {listed}")


def _file_faults(root: Path, manifest: dict[str, Any]) -> Iterator[Fault]:
    shards = [root / shard["name"] for shard in manifest["shards"]]
    expected = {MANIFEST, LEDGER} | {path.name for shard in shards for path in (shard, tfrecord.index_path(shard))}
    present = {path.name for path in root.iterdir()}
    for name in sorted(expected - present - {LEDGER}):
        yield Fault(name, "is missing")
    for name in sorted(present - expected):
        yield Fault(name, f"is not part of the dataset: {MANIFEST} does not list it")


def _shard_faults(path: Path, shard: dict[str, Any]) -> Iterator[Fault]:
    size = path.stat().st_size
    if size != shard["bytes"]:
        yield Fault(path.name, f"has {size} bytes instead of {shard['bytes']}")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != shard["sha256"]:
        yield Fault(path.name, f"has the SHA-256 {digest} instead of {shard['sha256']}")


def _record_faults(path: Path, shard: dict[str, Any], examples: "_Examples") -> Iterator[Fault]:
    try:
        index = tfrecord.build_index(path)
    except tfrecord.RecordError as error:
        yield Fault(path.name, error.reason, error.record, error.offset)
        return
    if len(index) != shard["examples"]:
        yield Fault(path.name, f"has {len(index)} records instead of {shard['examples']}")
    yield from _index_faults(path, index)
    with open(path, "rb") as file:
        for record, (offset, length) in enumerate(index.tolist()):
            try:
                examples.check(tfrecord.read_record(file.fileno(), offset, length), f"{path.name} record {record}")
            except ValueError as error:
                yield Fault(path.name, str(error), record, tfrecord.position(offset))


def _index_faults(path: Path, index: tfrecord.Index) -> Iterator[Fault]:
    stored = tfrecord.index_path(path)
    if stored.is_file():
        try:
            matches = np.array_equal(np.load(stored, allow_pickle=False), index)
        except (ValueError, EOFError, OSError):
            matches = False
        if not matches:
            yield Fault(stored.name, f"does not say where the records of {path.name} are")


class _Examples:
    """Checks examples one by one, and remembers their keys."""

    def __init__(self, classes: int, check_image: Callable[[bytes], object]) -> None:
        self._classes = classes
        self._check_image = check_image
        self._seen: dict[bytes, str] = {}

    def check(self, data: bytes, place: str) -> None:
        """Check one example.

        Raises:
            ValueError: something is wrong with it.
        """
        example = tfrecord.parse_example(data)
        encoded = tfrecord.bytes_feature(example, tfrecord.ENCODED)
        if not encoded:
            raise ValueError(f"has no {tfrecord.ENCODED}")
        self._check_image(encoded)
        label = tfrecord.int_feature(example, tfrecord.LABEL)
        if label is None or not 0 <= label < self._classes:
            raise ValueError(f"has the label {label}, but there are {self._classes} classes")
        key = hashlib.sha256(tfrecord.bytes_feature(example, tfrecord.FILENAME) or b"").digest()
        if (first := self._seen.setdefault(key, place)) != place:
            raise ValueError(f"has the key of {first}")
