"""An existing destination: the finished result of this conversion, a dataset to replace, or one to keep."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from augment.regular_files import read_regular_file
from pipeline.conversion.finalize import group_by_part, make_lists, make_manifest, summarize
from pipeline.conversion.planning import ConversionPlan
from pipeline.conversion.reporting import Reporter
from pipeline.conversion.tasks import Skipped
from pipeline.conversion.workspace import Workspace
from pipeline.errors import AugmentationError, ConvertError, DecodeError, ReadError, SampleError, SourceError
from pipeline.records.manifest import (
    MANIFEST,
    RENAMED,
    SKIPPED,
    SPLITS,
    iter_unlisted_files,
    read_manifest,
)
from pipeline.verification import verify

_ERRORS = {error.stage: error for error in (ReadError, DecodeError, AugmentationError)}


def find_existing_output(workspace: Workspace, planned: ConversionPlan) -> dict[str, Any] | None:
    """Return the result if the destination already is the complete result of this conversion.

    Raises:
        ConvertError: the destination is something else, and must not be replaced.
    """
    options, target = planned.options, planned.options.target
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return None
    result = workspace.get_published_result(planned.fingerprint)  # of a run killed while it removed its workspace
    if result is None and not options.overwrite:
        result = _find_previous_export(planned) if options.to == "folder" else _find_previous_output(planned)
        if result is None:
            raise ConvertError(f"{target} is not empty; use overwrite=True to replace a converted dataset")
    if result is not None:
        _check_skipped(planned, result)
        return result
    check_replaceable(planned)
    return None


def _find_previous_output(planned: ConversionPlan) -> dict[str, Any] | None:
    """Return the result if the destination was written by this very conversion, and is complete."""
    target = planned.options.target
    try:
        manifests = {part: read_manifest(target / part) for part in planned.order}
    except (SourceError, OSError):
        return None
    if any(manifest.get("options", {}).get("fingerprint") != planned.fingerprint for manifest in manifests.values()):
        return None
    if faults := verify(target):
        raise ConvertError(
            f"{target} is a damaged result of this conversion ({faults[0]}); use overwrite=True to replace it"
        )
    return summarize(planned, manifests)


def _find_previous_export(planned: ConversionPlan) -> dict[str, Any] | None:
    """Return the result if the class-folders are exactly what this conversion writes.

    Class-folders have no manifest, so every record is created again and compared with its file.
    """
    target, writer = planned.options.target, planned.folder_writer
    expected: set[str] = set()
    receipts = []
    for task in planned.tasks:
        if (receipt := writer.compare(planned.records, planned.numbers(task), target / task.part, task)) is None:
            return None
        receipts.append(receipt[0])
        expected.update(os.path.join(task.part, path) for path in receipt[1])
    manifests = {}
    for part, done in group_by_part(planned, receipts).items():
        lists = make_lists(planned, part, done)
        if any(_read(target / part / name) != content for name, content in lists.items()):
            return None
        if not all((target / part / name).is_dir() for name in planned.class_folders(part)):
            return None
        expected.update(os.path.join(part, name) for name in lists)
        manifests[part] = make_manifest(planned, part, done, lists)
    return summarize(planned, manifests) if expected == set(_iter_files(target)) else None


def _check_skipped(planned: ConversionPlan, result: dict[str, Any]) -> None:
    """Refuse a finished result with more skipped samples than the options tolerate.

    Raises:
        SampleError: a sample was skipped, and `on_error` is "raise".
        TooManyErrorsError: more samples were skipped than `max_errors`.
    """
    if not result["num_skipped"]:
        return
    reporter, target, number = Reporter(planned.options, planned, None), planned.options.target, 0
    for part in planned.order:
        data = _read(target / part / planned.get_list_name(SKIPPED, part)) or b""
        for line in data.splitlines():
            row = json.loads(line)
            kind = _ERRORS.get(row["stage"], SampleError).__name__
            reporter.skipped(Skipped(number, row["sample"], row["stage"], row["reason"], kind))
            number += 1


def _read(path: Path) -> bytes | None:
    try:
        return read_regular_file(path)
    except OSError:
        return None


def _iter_files(root: Path) -> Iterator[str]:
    for above, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(above, name))]
        yield from (os.path.relpath(os.path.join(above, name), root) for name in (*files, *links))


def check_replaceable(planned: ConversionPlan) -> None:
    """Refuse to replace anything but a converted dataset.

    Raises:
        ConvertError: the destination is something else, or contains other files.
    """
    target = planned.options.target
    if not target.is_dir():
        raise ConvertError(f"{target} is not a converted dataset; remove it or choose another destination")
    if planned.options.to == "folder" and not (target / MANIFEST).exists() and not (target / SPLITS).exists():
        _check_export(planned)
        return
    try:
        others = list(iter_unlisted_files(target))
    except SourceError:
        raise ConvertError(f"{target} is not a converted dataset; remove it or choose another destination") from None
    if others:
        raise ConvertError(f"{target} contains {others[0]!r}, which is not part of its dataset; remove it first")


def _check_export(planned: ConversionPlan) -> None:
    """Refuse to replace class-folders with a file that the new ones lack: it may be the user's."""
    target = planned.options.target
    extra = set(_iter_files(target))
    lists = [(part, planned.get_list_name(name, part)) for part in planned.order for name in (SKIPPED, RENAMED)]
    extra -= {os.path.join(part, path) for part, path in (*lists, *planned.paths())}
    if extra:
        raise ConvertError(f"{target} contains {min(extra)!r}, which the new class-folders lack; remove it first")
