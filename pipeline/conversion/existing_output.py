"""An existing destination: the finished result of this conversion, a dataset to replace, or one to keep."""

import os
from collections import Counter
from typing import Any

from pipeline.conversion.finalize import summarize
from pipeline.conversion.planning import ConversionPlan
from pipeline.conversion.workspace import Workspace
from pipeline.errors import ConvertError, SourceError
from pipeline.records.manifest import MANIFEST, RENAMED, SKIPPED, SPLITS, iter_unlisted_files, read_manifest
from pipeline.verification import verify


def find_existing_output(workspace: Workspace, planned: ConversionPlan) -> dict[str, Any] | None:
    """Return the result if the destination already is the complete result of this conversion.

    Raises:
        ConvertError: the destination is something else, and must not be replaced.
    """
    options, target = planned.options, planned.options.target
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return None
    if (result := workspace.get_published_result(planned.fingerprint)) is not None:
        return result  # a run was killed while it removed its workspace
    if not options.overwrite:
        if (previous := _find_previous_output(planned)) is not None:
            return previous
        if options.to == "folder" and workspace.was_left_empty:
            return summarize(planned, {})
        raise ConvertError(f"{target} is not empty; use overwrite=True to replace a converted dataset")
    _check_replaceable(planned)
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


def _check_replaceable(planned: ConversionPlan) -> None:
    """Refuse to replace anything but a converted dataset."""
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
    extra = Counter(
        os.path.relpath(os.path.join(above, file), target) for above, _, files in os.walk(target) for file in files
    )
    extra -= Counter({os.path.join(part, name): 1 for part in planned.order for name in (SKIPPED, RENAMED)})
    extra -= Counter(os.path.join(part, path) for part, path in planned.paths())
    if extra:
        raise ConvertError(f"{target} contains {min(extra)!r}, which the new class-folders lack; remove it first")
