"""Running a conversion: plan, work, verify, publish."""

import inspect
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np

from pipeline.conversion.on_ray import perform_on_ray
from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import Planned, keys_are_files, plan
from pipeline.conversion.shards import KEY_BYTES
from pipeline.conversion.storage import write_durably
from pipeline.conversion.tasks import Job, Receipt, Skipped, metadata
from pipeline.conversion.workers import perform_here, perform_in_processes, sample_error
from pipeline.conversion.workspace import Workspace
from pipeline.errors import CaudalError, ConvertError, SourceError, TooManyErrorsError
from pipeline.layout import LEDGER, MANIFEST, RENAMED, SPLITS, read_manifest, strangers
from pipeline.ledger import Ledger
from pipeline.progress import Progress
from pipeline.sources import ArraySource
from pipeline.verification import verify

_P = ParamSpec("_P")

_WORTH_A_PROCESS_BYTES = 64 * 2**20
"""Of source for each process, where their number is not given: passing that through takes as long as starting one."""


@dataclass(frozen=True)
class Counts:
    """How far a conversion is.

    Attributes:
        done: records that are written or left out.
        total: records there are.
        bytes: that were written.
        errors: records that were left out.
        content: what the records are: "images" or "texts".
    """

    done: int
    total: int
    bytes: int
    errors: int
    content: str


Watch = Callable[[Counts], None]
"""Called now and then while a conversion runs."""


def run(options: Conversion, watch: Watch | None = None) -> dict[str, Any]:
    """Do a conversion, or finish one that was killed.

    Returns:
        The manifest, as it stands in `dataset.json`; of a split, `{"splits": {name: manifest}, ...}`; of class-folders,
        the same without shards, which is written nowhere.

    Raises:
        SourceError: the source cannot be opened.
        OptionError: an option does not fit the source.
        ConvertError: the destination exists, holds the source or lies in it, or cannot be written.
        SampleError: a sample is bad and `on_error` is "raise".
        TooManyErrorsError: more samples are bad than allowed.
    """
    planned = plan(options)
    target = options.target
    try:
        with Workspace.locked(target) as space:  # another run may end, and publish, until it is held
            if (result := _finished(space, planned)) is None:
                result = _run_in(space, planned, _Reporter(options, planned, watch))
            space.remove()
            return result
    except OSError as error:
        if isinstance(error, CaudalError):
            raise
        kept = " (what is finished is kept: the same command goes on from there)" if _kept(target) else ""
        raise ConvertError(f"{target} cannot be written: {error.strerror or error}{kept}") from error


def _finished(space: Workspace, planned: Planned) -> dict[str, Any] | None:
    """Give the result where the destination already is what this conversion makes, whole; refuse any other that stands.

    Raises:
        ConvertError: there is another destination, and it must not be replaced.
    """
    options, target = planned.options, planned.options.target
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return None
    if (result := space.published(planned.fingerprint)) is not None:
        return result  # a run was killed while it cleared up
    if not options.overwrite:
        if (made := _made_before(planned)) is not None:
            return made
        if options.to == "folder" and space.was_left_empty:
            return _summary(planned, {})
        raise ConvertError(f"{target} exists and is not empty; overwrite replaces a converted dataset")
    _check_replaceable(planned)
    return None


def _run_in(space: Workspace, planned: Planned, report: "_Reporter") -> dict[str, Any]:
    space.begin(planned.fingerprint)
    for part in planned.order:
        (space.data / part).mkdir(exist_ok=True)
    job = planned.job(space)
    result = _finish(space, planned, job, _performed(job, planned, report))
    space.publish(planned.fingerprint, result)
    return result


def _performed(job: Job, planned: Planned, report: "_Reporter") -> list[Receipt]:
    options = planned.options
    workers = options.workers or _worth(planned)
    encodes = options.recoding is not None or options.copies > 0 or isinstance(planned.source, ArraySource)
    if options.executor == "ray":
        return perform_on_ray(job, report, options.address, threads=1)
    processes = min(workers, len(job.tasks))
    threads = max(1, workers // processes) if encodes else 1
    if processes == 1:
        return perform_here(job, report, threads)
    return perform_in_processes(job, report, processes, threads)


def _worth(planned: Planned) -> int:
    """Choose the number of workers: the processors, or where bytes are passed through as many as there is work for."""
    processors = len(os.sched_getaffinity(0))
    if planned.options.recoding is not None or planned.options.copies:
        return processors
    return max(1, min(processors, int(planned.source.sizes().sum()) // _WORTH_A_PROCESS_BYTES))


def _finish(space: Workspace, planned: Planned, job: Job, receipts: list[Receipt]) -> dict[str, Any]:
    """Write what describes the whole, once all of it is there, and check that nothing is missing or twice."""
    by_part: dict[str, list[Receipt]] = {part: [] for part in planned.order}
    for task, receipt in zip(job.tasks, receipts, strict=True):
        by_part[task.part].append(receipt)
    for part, rows in _renamed(planned).items():
        write_durably(space.data / part / RENAMED, _lines(rows), space.scratch)
    manifests = {}
    for part, done in by_part.items():
        folder = space.data / part
        skipped = [row for receipt in done for row in receipt.skipped]
        if skipped:
            rows = [{"sample": row.sample, "stage": row.stage, "reason": row.reason} for row in skipped]
            write_durably(folder / LEDGER, _lines(rows), space.scratch)
        manifests[part] = _manifest(planned, part, done, len(skipped))
        _check_complete(manifests[part], len(planned.order[part]))
        if planned.options.to == "tfrecord":
            _check_keys(job, part)
            write_durably(folder / MANIFEST, json.dumps(manifests[part], indent=2).encode() + b"\n", space.scratch)
        else:
            _check_files(folder, manifests[part]["num_examples"])
    result = _summary(planned, manifests)
    if planned.options.split is not None and planned.options.to == "tfrecord":
        splits = {"format_version": 1, "splits": {part: _part_entry(manifests[part]) for part in manifests}}
        write_durably(space.data / SPLITS, json.dumps(splits, indent=2).encode() + b"\n", space.scratch)
    return result


def _manifest(planned: Planned, part: str, receipts: list[Receipt], skipped: int) -> dict[str, Any]:
    encoding = "as in the source" if planned.options.recoding is None else "re-encoded"
    keys = "files" if keys_are_files(planned) else "records"
    return {
        "format_version": 1,
        "class_names": list(planned.source.class_names),
        "num_examples": sum(receipt.examples for receipt in receipts),
        "num_skipped": skipped,
        "options": {"content": planned.content, "encoding": encoding, "keys": keys}
        | planned.options.shaping()
        | ({"encoding": "utf-8"} if planned.content == "texts" else {})
        | ({"part": part} if part else {})
        | {"fingerprint": planned.fingerprint},
        "shards": [metadata(receipt) for receipt in receipts] if planned.options.to == "tfrecord" else [],
    }


def _summary(planned: Planned, manifests: dict[str, Any]) -> dict[str, Any]:
    if planned.options.split is None and manifests:
        return dict(manifests[""])
    return {
        "splits": manifests,
        "num_examples": sum(manifest["num_examples"] for manifest in manifests.values()),
        "num_skipped": sum(manifest["num_skipped"] for manifest in manifests.values()),
    }


def _part_entry(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"num_examples": manifest["num_examples"], "num_skipped": manifest["num_skipped"]}


def _renamed(planned: Planned) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    for part, key, path in planned.renamed():
        rows.setdefault(part, []).append({"sample": key, "file": path})
    return rows


def _check_complete(manifest: dict[str, Any], records: int) -> None:
    if manifest["num_examples"] + manifest["num_skipped"] != records:
        raise ConvertError(
            f"{manifest['num_examples']} records were written and {manifest['num_skipped']} skipped, of {records}: "
            "this is a bug; please report it"
        )
    if not manifest["num_examples"]:
        raise TooManyErrorsError(f"none of the {records} samples is good; the destination would be empty")


def _check_keys(job: Job, part: str) -> None:
    """Refuse to publish a dataset in which a key stands twice: a source that contradicts its own manifest."""
    stored = [job.receipt_path(task).with_suffix(".keys").read_bytes() for task in job.tasks if task.part == part]
    hashes = np.frombuffer(b"".join(stored), f"V{KEY_BYTES}")
    unique = len(np.unique(hashes))
    if unique != len(hashes):
        raise ConvertError(
            f"the source has {len(hashes) - unique} samples whose key another one has; `caudal verify` names them"
        )


def _check_files(folder: Path, count: int) -> None:
    """Refuse to publish folders in which two records became one file, as on a disk that does not tell a from A."""
    ours = {LEDGER, RENAMED}
    found = sum(
        len(files) - (above == str(folder)) * len(ours.intersection(files)) for above, _, files in os.walk(folder)
    )
    if found != count:
        raise ConvertError(
            f"{count} records became {found} files: this disk takes different names for the same; export to another"
        )


def _made_before(planned: Planned) -> dict[str, Any] | None:
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
    return _summary(planned, manifests)


def _check_replaceable(planned: Planned) -> None:
    """Refuse to replace anything but a converted dataset."""
    target = planned.options.target
    if not target.is_dir():
        raise ConvertError(f"{target} is no converted dataset, and is not replaced")
    if planned.options.to == "folder" and not (target / MANIFEST).exists() and not (target / SPLITS).exists():
        _check_export(planned)
        return
    try:
        others = list(strangers(target))
    except SourceError:
        raise ConvertError(f"{target} is no converted dataset, and is not replaced") from None
    if others:
        raise ConvertError(f"{target} holds {others[0]!r}, which is not part of its dataset, and is not replaced")


def _check_export(planned: Planned) -> None:
    """Refuse to replace class-folders that hold a file which the new ones have not: nothing says whose it is."""
    target = planned.options.target
    there = Counter(
        os.path.relpath(os.path.join(above, file), target) for above, _, files in os.walk(target) for file in files
    )
    there -= Counter({os.path.join(part, name): 1 for part in planned.order for name in (LEDGER, RENAMED)})
    there -= Counter(os.path.join(part, path) for part, path in planned.paths())
    if there:
        raise ConvertError(
            f"{target} holds {min(there)!r}, which the new class-folders do not have, and is not replaced; remove it "
            "first"
        )


def _kept(target: Path) -> bool:
    return bool(Workspace(target).has_receipts())


def _lines(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


class _Reporter:
    """Counts what workers report, writes the ledger, and tells who watches."""

    def __init__(self, options: Conversion, planned: Planned, watch: Watch | None) -> None:
        self._total = sum(map(len, planned.order.values()))
        self._ledger = Ledger(options.on_error, options.max_errors, self._total)
        self._watch = watch
        self._content = planned.content
        self._done = self._size = 0

    def written(self, records: int, size: int) -> None:
        self._done += records
        self._size += size
        if self._watch is not None and records:
            self._watch(Counts(self._done, self._total, self._size, len(self._ledger), self._content))

    def skipped(self, row: Skipped) -> None:
        self._ledger.record(row.number, sample_error(row))


def _delivering(definition: Callable[_P, Conversion]) -> Callable[..., dict[str, Any]]:
    """Make a function with a conversion's parameters, and `progress`, that runs it."""

    def convert(*args: Any, progress: Progress | None = None, **options: Any) -> dict[str, Any]:
        """Convert a dataset: TFRecord shards with an index and a manifest, or class-folders.

        Takes the parameters of `pipeline.Conversion`, and `progress`, which is called with the records that are done
        and all there are. The same call finishes what was killed. Without `shuffle` the examples keep the order of the
        source, so that a loader delivers the same stream from both.

        Returns:
            The manifest, as it stands in `dataset.json`; of a split, `{"splits": {name: manifest}, ...}`.

        Raises:
            SourceError: the source cannot be opened.
            OptionError: an option is unknown, out of range, or does not fit.
            ConvertError: the destination exists, holds the source or lies in it, or cannot be written.
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: more samples are bad than allowed.
        """
        watch = None if progress is None else lambda counts: progress(counts.done, counts.total)
        return run(definition(*args, **options), watch)

    parameters = list(inspect.signature(definition).parameters.values())
    last = inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Progress | None")
    convert.__signature__ = inspect.Signature([*parameters, last], return_annotation="dict[str, Any]")  # type: ignore[attr-defined]
    return convert


convert = _delivering(Conversion)
