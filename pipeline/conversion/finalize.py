"""The end of a conversion: manifests, lists of skipped and renamed samples, and checks of completeness."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.conversion.durable_files import write_durably
from pipeline.conversion.planning import ConversionPlan, has_file_keys
from pipeline.conversion.shards import KEY_BYTES
from pipeline.conversion.tasks import Job, Receipt, describe_shard
from pipeline.conversion.workspace import Workspace
from pipeline.errors import ConvertError, TooManyErrorsError
from pipeline.records.manifest import MANIFEST, RENAMED, SKIPPED, SPLITS


def finalize(workspace: Workspace, planned: ConversionPlan, job: Job, receipts: list[Receipt]) -> dict[str, Any]:
    """Write the manifests when all shards exist, and check that no record is missing and no key is a duplicate."""
    by_part: dict[str, list[Receipt]] = {part: [] for part in planned.order}
    for task, receipt in zip(job.tasks, receipts, strict=True):
        by_part[task.part].append(receipt)
    for part, rows in _collect_renamed(planned).items():
        write_durably(workspace.data / part / RENAMED, _to_json_lines(rows), workspace.scratch)
    manifests = {}
    for part, done in by_part.items():
        folder = workspace.data / part
        skipped = [bad for receipt in done for bad in receipt.skipped]
        if skipped:
            rows = [{"sample": bad.sample, "stage": bad.stage, "reason": bad.reason} for bad in skipped]
            write_durably(folder / SKIPPED, _to_json_lines(rows), workspace.scratch)
        manifests[part] = _make_manifest(planned, part, done, len(skipped))
        _check_complete(manifests[part], len(planned.order[part]))
        if planned.options.to == "tfrecord":
            _check_keys(job, part)
            write_durably(folder / MANIFEST, json.dumps(manifests[part], indent=2).encode() + b"\n", workspace.scratch)
        else:
            _check_files(folder, manifests[part]["num_examples"])
    result = summarize(planned, manifests)
    if planned.options.split is not None and planned.options.to == "tfrecord":
        splits = {"format_version": 1, "splits": {part: _make_part_entry(manifests[part]) for part in manifests}}
        write_durably(workspace.data / SPLITS, json.dumps(splits, indent=2).encode() + b"\n", workspace.scratch)
    return result


def _make_manifest(planned: ConversionPlan, part: str, receipts: list[Receipt], skipped: int) -> dict[str, Any]:
    encoding = "as in the source" if planned.options.reencoding is None else "re-encoded"
    keys = "files" if has_file_keys(planned) else "records"
    return {
        "format_version": 1,
        "class_names": list(planned.source.class_names),
        "num_examples": sum(receipt.examples for receipt in receipts),
        "num_skipped": skipped,
        "options": {"content": planned.content, "encoding": encoding, "keys": keys}
        | planned.options.get_output_options()
        | ({"encoding": "utf-8"} if planned.content == "texts" else {})
        | ({"part": part} if part else {})
        | {"fingerprint": planned.fingerprint},
        "shards": [describe_shard(receipt) for receipt in receipts] if planned.options.to == "tfrecord" else [],
    }


def summarize(planned: ConversionPlan, manifests: dict[str, Any]) -> dict[str, Any]:
    """Return the result of `convert`: the manifest, or with `split` the manifests of all splits."""
    if planned.options.split is None and manifests:
        return dict(manifests[""])
    return {
        "splits": manifests,
        "num_examples": sum(manifest["num_examples"] for manifest in manifests.values()),
        "num_skipped": sum(manifest["num_skipped"] for manifest in manifests.values()),
    }


def _make_part_entry(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"num_examples": manifest["num_examples"], "num_skipped": manifest["num_skipped"]}


def _collect_renamed(planned: ConversionPlan) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    for part, key, path in planned.renamed():
        rows.setdefault(part, []).append({"sample": key, "file": path})
    return rows


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


def _check_files(folder: Path, count: int) -> None:
    """Refuse to publish folders in which two records became one file: the file system merges their names."""
    ours = {SKIPPED, RENAMED}
    found = sum(
        len(files) - (above == str(folder)) * len(ours.intersection(files)) for above, _, files in os.walk(folder)
    )
    if found != count:
        raise ConvertError(
            f"{count} records became {found} files: this file system merges names that differ only in case; "
            "export to another one"
        )


def _to_json_lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
