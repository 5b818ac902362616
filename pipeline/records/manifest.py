"""The files of a converted dataset, beside its shards."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from augment.regular_files import open_regular_file
from augment.stored_files import get_value, name_damage, read_json
from pipeline.errors import SourceError
from pipeline.records import tfrecord

FORMAT_VERSION = 2
"""The version that a conversion writes. Version 1 has no digests of companion files, and none of the manifest."""

MANIFEST = "dataset.json"
"""The file that describes a converted dataset; it is written last."""

SPLITS = "splits.json"
"""The file that lists the splits of a converted dataset; each split is a dataset by itself."""

SKIPPED = "skipped.jsonl"
"""The file that names the skipped samples, one JSON object per line."""

RENAMED = "renamed.jsonl"
"""The file in exported class-folders that lists the files whose names differ from their samples' keys."""

_MAX_NAME_BYTES = 255
"""Longest name of a file on Linux."""

_NO_DIGEST = "0" * 64
MAX_MANIFEST_BYTES = 2**28
"""A larger manifest is not read: it would list a million shards."""


def read_manifest(root: Path) -> dict[str, Any]:
    """Read a converted dataset's manifest.

    Raises:
        SourceError: it is missing, not JSON, or of another format version.
    """
    path = root / MANIFEST
    if not os.path.lexists(path):
        raise SourceError(f"{root} is not a converted dataset: {MANIFEST} is missing; create one with `caudal convert`")
    with name_damage(path, "a valid manifest", SourceError, "restore it, or convert the dataset again"):
        manifest = read_json(path, MAX_MANIFEST_BYTES)
        version = get_value(manifest, "format_version", int)
        if version not in (1, FORMAT_VERSION):
            raise SourceError(
                f"{path} has format version {version}; this version of Caudal reads versions 1 and {FORMAT_VERSION}"
            )
        _check_manifest(manifest)
        _check_inside(path, list(iter_listed_files(manifest)))
    return manifest


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Raise an error unless all values that are read somewhere have their types."""
    names = get_value(manifest, "class_names", list)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ValueError("'class_names' must be different strings")
    _check_encodable(names)
    for key, value in get_value(manifest, "options", dict, {}).items():
        if key in ("content", "keys", "fingerprint") and not isinstance(value, str):
            raise ValueError(f"option {key!r} must be a string, got {value!r:.60}")
    for shard in get_value(manifest, "shards", list):
        _check_entry(shard)
        _check_count("examples", get_value(shard, "examples", int))
    for file in get_value(manifest, "files", list, []):
        _check_entry(file)
    for name in ("num_examples", "num_skipped"):
        _check_count(name, get_value(manifest, name, int, 0))


def _check_entry(entry: Any) -> None:
    """Check what a manifest says of a file; manifests of version 1 may lack its size and digest."""
    if not isinstance(entry, dict):
        raise ValueError(f"a file must be an object, got {entry!r:.60}")
    get_value(entry, "name", str)
    _check_count("bytes", get_value(entry, "bytes", int, 0))
    get_value(entry, "sha256", str, "")


def _check_count(name: str, count: int) -> None:
    if not 0 <= count < 2**63:
        raise ValueError(f"{name!r} must be from 0 to 2^63 - 1, got {count}")


def _check_encodable(names: list[str]) -> None:
    """Raise a ValueError for halves of surrogate pairs: JSON can contain them, but no file and no record."""
    for name in names:
        name.encode("utf-8", "surrogateescape")


def _check_inside(path: Path, names: list[str]) -> None:
    """Refuse names that are not those of files in the directory."""
    _check_encodable(names)
    if outside := [name for name in names if Path(name).name != name]:
        raise SourceError(f"{path} lists {outside[0]!r}, which is outside its directory")
    if invalid := [name for name in names if "\0" in name or len(os.fsencode(name)) > _MAX_NAME_BYTES]:
        raise SourceError(f"{path} lists {invalid[0][:60]!r}, which no file can be named")


def hash_file(path: Path) -> str:
    """Hash a regular file, as 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    with open(open_regular_file(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode_with_digest(value: dict[str, Any]) -> bytes:
    """Encode a manifest as JSON with its own digest, "sha256": that of its bytes with the digest's digits as zeros."""
    data = json.dumps({**value, "sha256": _NO_DIGEST}, indent=2).encode() + b"\n"
    begin = data.rindex(_NO_DIGEST.encode())
    return data[:begin] + hashlib.sha256(data).hexdigest().encode() + data[begin + len(_NO_DIGEST) :]


def has_own_digest(data: bytes) -> bool:
    """Whether the bytes of a manifest match the digest that they contain."""
    digest = dict(json.loads(data)).get("sha256")
    if not isinstance(digest, str) or len(digest) != len(_NO_DIGEST) or data.count(digest.encode()) != 1:
        return False
    return hashlib.sha256(data.replace(digest.encode(), _NO_DIGEST.encode())).hexdigest() == digest


def read_splits(root: Path) -> tuple[str, ...]:
    """Return the names of a converted dataset's splits; none where it was not split.

    Raises:
        SourceError: the list of splits is damaged.
    """
    path = root / SPLITS
    if not os.path.lexists(path):
        return ()
    with name_damage(path, "a valid list of splits", SourceError, "restore it, or convert the dataset again"):
        parts = read_json(path, MAX_MANIFEST_BYTES)["splits"]
        if not isinstance(parts, (dict, list)) or not all(isinstance(name, str) for name in parts) or not parts:
            raise ValueError(f"'splits' must be names, got {parts!r:.60}")
        _check_inside(path, list(parts))
    return tuple(parts)


def iter_unlisted_files(root: Path) -> Iterator[str]:
    """Yield the files in a converted dataset's directory that do not belong to it, as paths relative to it.

    Raises:
        SourceError: it is not a converted dataset.
    """
    if parts := read_splits(root):
        yield from sorted({path.name for path in root.iterdir()} - {SPLITS, *parts})
        for part in parts:
            if (root / part).is_dir():
                yield from (f"{part}/{name}" for name in iter_unlisted_files(root / part))
        return
    manifest = read_manifest(root)
    expected = {MANIFEST, *iter_listed_files(manifest)} | ({SKIPPED} if manifest["format_version"] == 1 else set())
    yield from sorted({path.name for path in root.iterdir()} - expected)


def iter_listed_files(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the shards, their index files and the other companion files that a manifest lists."""
    names = dict.fromkeys(shard["name"] for shard in manifest["shards"])
    index_files = [tfrecord.index_path(Path(name)).name for name in names]
    yield from dict.fromkeys([*names, *index_files, *(file["name"] for file in manifest.get("files", []))])
