"""The files of a converted dataset, beside its shards."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from augment.regular_files import open_regular_file, read_regular_file
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

_NO_DIGEST = "0" * 64
_MAX_BYTES = 2**28
"""A larger manifest is not read: it would list a million shards."""


def read_manifest(root: Path) -> dict[str, Any]:
    """Read a converted dataset's manifest.

    Raises:
        SourceError: it is missing, not JSON, or of another format version.
    """
    path = root / MANIFEST
    try:
        manifest = json.loads(read_regular_file(path, _MAX_BYTES))
        names = [str(shard["name"]) for shard in manifest["shards"] if int(shard["examples"]) >= 0]
        version, _ = manifest["format_version"], list(manifest["class_names"])
        {**manifest.get("options", {})}  # a TypeError if they are not a mapping
        names += [str(file["name"]) for file in manifest.get("files", [])]
    except FileNotFoundError:
        raise SourceError(
            f"{root} is not a converted dataset: {MANIFEST} is missing; create one with `caudal convert`"
        ) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not a valid manifest: {type(error).__name__} {error}") from None
    if version not in (1, FORMAT_VERSION):
        raise SourceError(
            f"{path} has format version {version}; this version of Caudal reads versions 1 and {FORMAT_VERSION}"
        )
    if outside := [name for name in names if Path(name).name != name]:
        raise SourceError(f"{path} lists {outside[0]!r}, which is outside its directory")
    return dict(manifest)


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
    digest = json.loads(data).get("sha256")
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
    try:
        parts = tuple(json.loads(read_regular_file(path, _MAX_BYTES))["splits"])
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not a valid list of splits: {type(error).__name__} {error}") from None
    if outside := [name for name in parts if Path(name).name != name]:
        raise SourceError(f"{path} lists {outside[0]!r}, which is outside its directory")
    return parts


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
