"""The files of a converted dataset, beside its shards."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError
from pipeline.records import tfrecord

MANIFEST = "dataset.json"
"""The file that describes a converted dataset; it is written last."""

SPLITS = "splits.json"
"""The file that lists the splits of a converted dataset; each split is a dataset by itself."""

SKIPPED = "skipped.jsonl"
"""The file that names the skipped samples, one JSON object per line."""

RENAMED = "renamed.jsonl"
"""The file in exported class-folders that lists the files whose names differ from their samples' keys."""


def read_manifest(root: Path) -> dict[str, Any]:
    """Read a converted dataset's manifest.

    Raises:
        SourceError: it is missing, not JSON, or of another format version.
    """
    path = root / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        shards = [(str(shard["name"]), int(shard["examples"])) for shard in manifest["shards"]]
        version, _ = manifest["format_version"], list(manifest["class_names"])
        {**manifest.get("options", {})}  # a TypeError if they are not a mapping
    except FileNotFoundError:
        raise SourceError(
            f"{root} is not a converted dataset: {MANIFEST} is missing; create one with `caudal convert`"
        ) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not a valid manifest: {type(error).__name__} {error}") from None
    if version != 1:
        raise SourceError(f"{path} has format version {version}; this version of Caudal reads version 1")
    if outside := [name for name, _ in shards if Path(name).name != name]:
        raise SourceError(f"{path} lists {outside[0]!r}, which is outside its directory")
    return dict(manifest)


def read_splits(root: Path) -> tuple[str, ...]:
    """Return the names of a converted dataset's splits; none where it was not split.

    Raises:
        SourceError: the list of splits is damaged.
    """
    path = root / SPLITS
    if not path.exists():
        return ()
    try:
        parts = tuple(json.loads(path.read_bytes())["splits"])
    except (OSError, ValueError, KeyError, TypeError) as error:
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
    expected = {MANIFEST, SKIPPED, *iter_listed_files(read_manifest(root))}
    yield from sorted({path.name for path in root.iterdir()} - expected)


def iter_listed_files(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the shards and indices that a manifest lists."""
    for shard in manifest["shards"]:
        yield shard["name"]
        yield tfrecord.index_path(Path(shard["name"])).name
