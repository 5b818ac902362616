"""A destination that is there already: finished by an earlier run, to be replaced, or to be left alone."""

import os
from collections import Counter
from typing import Any

from pipeline.conversion.finalize import summarize
from pipeline.conversion.planning import ConversionPlan
from pipeline.conversion.workspace import Workspace
from pipeline.errors import ConvertError, SourceError
from pipeline.records.manifest import MANIFEST, RENAMED, SKIPPED, SPLITS, iter_unlisted_files, read_manifest
from pipeline.verification import verify


def find_existing_output(space: Workspace, planned: ConversionPlan) -> dict[str, Any] | None:
    """Give the result where the destination already is what this conversion makes, whole; refuse any other that stands.

    Raises:
        ConvertError: there is another destination, and it must not be replaced.
    """
    options, target = planned.options, planned.options.target
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return None
    if (result := space.get_published_result(planned.fingerprint)) is not None:
        return result  # a run was killed while it cleared up
    if not options.overwrite:
        if (previous := _find_previous_output(planned)) is not None:
            return previous
        if options.to == "folder" and space.was_left_empty:
            return summarize(planned, {})
        raise ConvertError(f"{target} exists and is not empty; overwrite replaces a converted dataset")
    _check_replaceable(planned)
    return None


def _find_previous_output(planned: ConversionPlan) -> dict[str, Any] | None:
    """Give the manifests where the destination was made by this very conversion, and is whole."""
    target = planned.options.target
    try:
        manifests = {part: read_manifest(target / part) for part in planned.order}
    except (SourceError, OSError):
        return None
    if any(manifest.get("options", {}).get("fingerprint") != planned.fingerprint for manifest in manifests.values()):
        return None
    if faults := verify(target):
        raise ConvertError(f"{target} was made by this conversion, but is damaged ({faults[0]}); overwrite replaces it")
    return summarize(planned, manifests)


def _check_replaceable(planned: ConversionPlan) -> None:
    """Refuse to replace anything but a converted dataset."""
    target = planned.options.target
    if not target.is_dir():
        raise ConvertError(f"{target} is no converted dataset, and is not replaced")
    if planned.options.to == "folder" and not (target / MANIFEST).exists() and not (target / SPLITS).exists():
        _check_export(planned)
        return
    try:
        others = list(iter_unlisted_files(target))
    except SourceError:
        raise ConvertError(f"{target} is no converted dataset, and is not replaced") from None
    if others:
        raise ConvertError(f"{target} holds {others[0]!r}, which is not part of its dataset, and is not replaced")


def _check_export(planned: ConversionPlan) -> None:
    """Refuse to replace class-folders that hold a file which the new ones have not: nothing says whose it is."""
    target = planned.options.target
    there = Counter(
        os.path.relpath(os.path.join(above, file), target) for above, _, files in os.walk(target) for file in files
    )
    there -= Counter({os.path.join(part, name): 1 for part in planned.order for name in (SKIPPED, RENAMED)})
    there -= Counter(os.path.join(part, path) for part, path in planned.paths())
    if there:
        raise ConvertError(
            f"{target} holds {min(there)!r}, which the new class-folders do not have, and is not replaced; remove it "
            "first"
        )
