"""Running a conversion: plan, perform the tasks, verify, publish."""

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from pipeline.conversion.existing_output import check_replaceable, find_existing_output
from pipeline.conversion.finalize import finalize
from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import ConversionPlan, plan
from pipeline.conversion.reporting import Reporter, Watch
from pipeline.conversion.tasks import Job, Receipt
from pipeline.conversion.workspace import Workspace
from pipeline.errors import CaudalError, ConvertError
from pipeline.processors import count_processors
from pipeline.progress import Progress
from pipeline.sources import ArraySource

_P = ParamSpec("_P")

_WORTH_A_PROCESS_BYTES = 64 * 2**20
_WORTH_A_PROCESS_RECORDS = 8_192
"""Minimum bytes and records per worker process if `workers` is None: less passes through before a process starts."""

_KEPT = " (finished shards are kept: run the same command to resume)"


def run(options: Conversion, watch: Watch | None = None) -> dict[str, Any]:
    """Run a conversion, or resume one that was killed.

    Returns:
        The manifest, as in `dataset.json`; with `split`, `{"splits": {name: manifest}, ...}`. For class-folders the
        same without shards; it is not written.

    Raises:
        SourceError: the source cannot be opened.
        OptionError: an option does not fit the source.
        ConvertError: the destination exists, contains the source, is inside it, or cannot be written.
        SampleError: a sample is bad and `on_error` is "raise".
        TooManyErrorsError: more samples are bad than `max_errors`.
    """
    planned = plan(options)
    target = options.target
    try:
        with Workspace.lock(target) as workspace:  # until it is locked, another run may finish and publish
            if (result := find_existing_output(workspace, planned)) is None:
                result = _run_in(workspace, planned, Reporter(options, planned, watch))
            workspace.remove()
            return result
    except OSError as error:
        if isinstance(error, CaudalError):
            raise
        kept = _KEPT if Workspace(target).count_receipts() else ""
        raise ConvertError(f"cannot write {target}: {error.strerror or error}{kept}") from error


def _run_in(workspace: Workspace, planned: ConversionPlan, report: Reporter) -> dict[str, Any]:
    workspace.begin(planned.fingerprint)
    for part in planned.order:
        (workspace.data / part).mkdir(exist_ok=True)
    job = planned.job(workspace)
    result = finalize(workspace, planned, job, _perform_tasks(job, planned, report))
    may_replace = (lambda: check_replaceable(planned)) if planned.options.overwrite else None
    workspace.publish(planned.fingerprint, result, may_replace)
    return result


def _perform_tasks(job: Job, planned: ConversionPlan, report: Reporter) -> list[Receipt]:
    options = planned.options
    if options.executor == "ray":
        from pipeline.conversion.ray_executor import perform_on_ray

        return perform_on_ray(job, report, options.address, threads=1)
    workers = options.workers or _choose_workers(planned)
    processes = min(workers, len(job.tasks))
    threads = max(1, workers // processes) if _is_encoding(planned) else 1
    if processes == 1:
        return [job.perform(task.number, report, threads) for task in job.tasks]
    from pipeline.conversion.process_executor import perform_in_processes

    return perform_in_processes(job, report, processes, threads)


def _is_encoding(planned: ConversionPlan) -> bool:
    options = planned.options
    return options.reencoding is not None or options.copies > 0 or isinstance(planned.source, ArraySource)


def _choose_workers(planned: ConversionPlan) -> int:
    """Choose the number of workers: the number of processors, or fewer where bytes pass through and are few."""
    processors = count_processors()
    if _is_encoding(planned):
        return processors
    work = float(planned.source.sizes().sum()) / _WORTH_A_PROCESS_BYTES + len(planned.source) / _WORTH_A_PROCESS_RECORDS
    return max(1, min(processors, int(work)))


def _make_convert(definition: Callable[_P, Conversion]) -> Callable[..., dict[str, Any]]:
    """Make a function that runs a conversion and has its parameters, and `progress`."""

    def convert(*args: Any, progress: Progress | None = None, **options: Any) -> dict[str, Any]:
        """Convert a dataset to TFRecord shards with an index and a manifest, or to class-folders.

        Takes the parameters of `pipeline.Conversion`, and `progress`, which is called with the number of finished
        records and the number of all records. Call it again to resume a killed conversion. Without `shuffle` the
        examples keep the order of the source, so that a loader yields the same stream from both. The manifest
        counts ignored files and the examples per class.

        Returns:
            The manifest, as in `dataset.json`; with `split`, `{"splits": {name: manifest}, ...}`.

        Raises:
            SourceError: the source cannot be opened.
            OptionError: an option is unknown, out of range, or does not fit the source.
            ConvertError: the destination exists, contains the source, is inside it, or cannot be written.
            SampleError: a sample is bad and `on_error` is "raise".
            TooManyErrorsError: more samples are bad than `max_errors`.
        """
        watch = None if progress is None else lambda counts: progress(counts.done, counts.total)
        return run(definition(*args, **options), watch)

    parameters = list(inspect.signature(definition).parameters.values())
    last = inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Progress | None")
    convert.__signature__ = inspect.Signature([*parameters, last], return_annotation="dict[str, Any]")  # type: ignore[attr-defined]
    return convert


convert: Callable[..., dict[str, Any]] = _make_convert(Conversion)
