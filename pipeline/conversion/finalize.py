"""The end of a conversion: manifests, lists of skipped and renamed samples, and checks of completeness."""

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.conversion.durable_files import write_durably
from pipeline.conversion.planning import ConversionPlan, has_file_keys
from pipeline.conversion.shards import KEY_BYTES
from pipeline.conversion.tasks import Job, Receipt, describe_shard
from pipeline.conversion.workspace import Workspace
from pipeline.errors import ConvertError, TooManyErrorsError
from pipeline.records import tfrecord
from pipeline.records.manifest import FORMAT_VERSION, MANIFEST, RENAMED, SKIPPED, SPLITS, encode_with_digest, hash_file


def finalize(workspace: Workspace, planned: ConversionPlan, job: Job, receipts: list[Receipt]) -> dict[str, Any]:
    """Write the manifests when all shards exist, and check that no record is missing and no key is a duplicate."""
    manifests = {}
    for part, done in group_by_part(planned, receipts).items():
        folder = workspace.data / part
        lists = make_lists(planned, part, done)
        for name, content in lists.items():
            write_durably(folder / name, content, workspace.scratch)
        manifests[part] = make_manifest(planned, part, done, lists)
        _check_complete(manifests[part], len(planned.order[part]))
        if planned.options.to == "tfrecord":
            _check_keys(job, part)
            encoded = encode_with_digest(manifests[part])
            manifests[part] = json.loads(encoded)
            write_durably(folder / MANIFEST, encoded, workspace.scratch)
        else:
            for name in planned.class_folders(part):
                (folder / name).mkdir(exist_ok=True)  # a class without images keeps its label
            _check_files(folder, manifests[part]["num_examples"], set(lists))
    if planned.options.split is not None and planned.options.to == "tfrecord":
        parts = {part: _make_part_entry(manifest, workspace.data / part) for part, manifest in manifests.items()}
        encoded = encode_with_digest({"format_version": FORMAT_VERSION, "splits": parts})
        write_durably(workspace.data / SPLITS, encoded, workspace.scratch)
    return summarize(planned, manifests)


def group_by_part(planned: ConversionPlan, receipts: list[Receipt]) -> dict[str, list[Receipt]]:
    """Group the receipts of all tasks by split."""
    by_part: dict[str, list[Receipt]] = {part: [] for part in planned.order}
    for task, receipt in zip(planned.tasks, receipts, strict=True):
        by_part[task.part].append(receipt)
    return by_part


def make_lists(planned: ConversionPlan, part: str, receipts: list[Receipt]) -> dict[str, bytes]:
    """Create the lists of a split's skipped and renamed samples: contents by name, without empty lists."""
    skipped = [bad for receipt in receipts for bad in receipt.skipped]
    rows = {
        SKIPPED: [{"sample": bad.sample, "stage": bad.stage, "reason": bad.reason} for bad in skipped],
        RENAMED: [{"sample": key, "file": path} for receipt in receipts for key, path in receipt.renamed],
    }
    return {planned.get_list_name(name, part): _to_json_lines(lines) for name, lines in rows.items() if lines}


def make_manifest(
    planned: ConversionPlan, part: str, receipts: list[Receipt], lists: dict[str, bytes]
) -> dict[str, Any]:
    """Create the manifest of a split, without its own digest.

    Args:
        planned: the conversion.
        part: the name of the split; empty without a split.
        receipts: of the split's tasks.
        lists: the lists of skipped and renamed samples, by name.
    """
    options, classes = planned.options, planned.source.class_names
    shaping = options.get_output_options()
    if not options.get_copies(part):
        shaping = {
            name: value for name, value in shaping.items() if name not in ("augment", "copies", "augment_splits")
        }
    counts: Counter[int] = Counter()
    for receipt in receipts:
        counts.update(receipt.labels)
    is_sharded = options.to == "tfrecord"
    return {
        "format_version": FORMAT_VERSION,
        "class_names": list(classes),
        "examples_per_class": [counts[label] for label in range(len(classes))],
        "num_examples": sum(receipt.examples for receipt in receipts),
        "num_skipped": sum(len(receipt.skipped) for receipt in receipts),
        "ignored_files": dict(sorted(planned.source.ignored_files.items())),
        "options": {
            "content": planned.content,
            "encoding": "as in the source" if options.reencoding is None else "re-encoded",
            "keys": "files" if has_file_keys(planned) else "records",
        }
        | shaping
        | ({"encoding": "utf-8"} if planned.content == "texts" else {})
        | ({"part": part} if part else {})
        | {"fingerprint": planned.fingerprint},
        "shards": [describe_shard(receipt) for receipt in receipts] if is_sharded else [],
        "files": _describe_companions(receipts, lists) if is_sharded else [],
    }


def _describe_companions(receipts: list[Receipt], lists: dict[str, bytes]) -> list[dict[str, Any]]:
    index_files = [
        (tfrecord.index_path(Path(receipt.name)).name, receipt.index_bytes, receipt.index_sha256)
        for receipt in receipts
    ]
    others = [(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in lists.items()]
    return [{"name": name, "bytes": size, "sha256": digest} for name, size, digest in (*index_files, *others)]


def summarize(planned: ConversionPlan, manifests: dict[str, Any]) -> dict[str, Any]:
    """Return the result of `convert`: the manifest, or with `split` the manifests of all splits."""
    if planned.options.split is None and manifests:
        return dict(manifests[""])
    return {
        "splits": manifests,
        "num_examples": sum(manifest["num_examples"] for manifest in manifests.values()),
        "num_skipped": sum(manifest["num_skipped"] for manifest in manifests.values()),
    }


def _make_part_entry(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    counts = {"num_examples": manifest["num_examples"], "num_skipped": manifest["num_skipped"]}
    return counts | {"sha256": hash_file(folder / MANIFEST)}


def _check_complete(manifest: dict[str, Any], records: int) -> None:
    if manifest["num_examples"] + manifest["num_skipped"] != records:
        raise ConvertError(
            f"{manifest['num_examples']} of {records} records were written and {manifest['num_skipped']} skipped, "
            "which do not add up; please report this bug"
        )
    if not manifest["num_examples"]:
        raise TooManyErrorsError(f"all {records} samples are bad; nothing to write")


def _check_keys(job: Job, part: str) -> None:
    """Refuse to publish duplicate keys; only a source that contradicts its own manifest has them."""
    stored = [job.receipt_path(task).with_suffix(".keys").read_bytes() for task in job.tasks if task.part == part]
    hashes = np.frombuffer(b"".join(stored), f"V{KEY_BYTES}")
    halves = np.sort(hashes.view(np.uint64)[::2])
    if (halves[1:] != halves[:-1]).all():
        return  # then the whole hashes differ too; numbers are sorted many times as fast as bytes
    unique = len(np.unique(hashes))
    if unique != len(hashes):
        raise ConvertError(f"the source has {len(hashes) - unique} duplicate keys; list them with `caudal verify`")


def _check_files(folder: Path, count: int, lists: set[str]) -> None:
    """Refuse to publish folders in which two records became one file: the file system merges their names."""
    found = sum(
        len(files) - (above == str(folder)) * len(lists.intersection(files)) for above, _, files in os.walk(folder)
    )
    if found != count:
        raise ConvertError(
            f"{count} records became {found} files: this file system merges names that differ only in case; "
            "export to another one"
        )


def _to_json_lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
