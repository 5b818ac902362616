"""Running a conversion: plan, work, verify, publish."""

import inspect
import os
from collections.abc import Callable
from typing import Any, ParamSpec

from pipeline.conversion.existing_output import find_existing_output
from pipeline.conversion.finalize import finalize
from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import ConversionPlan, plan
from pipeline.conversion.reporting import Reporter, Watch
from pipeline.conversion.tasks import Job, Receipt
from pipeline.conversion.workspace import Workspace
from pipeline.errors import CaudalError, ConvertError
from pipeline.progress import Progress
from pipeline.sources import ArraySource

_P = ParamSpec("_P")

_WORTH_A_PROCESS_BYTES = 64 * 2**20
_WORTH_A_PROCESS_RECORDS = 8_192
"""Of source for each process, where their number is not given: less is passed through before a second has begun."""


_KEPT = " (what is finished is kept: the same command goes on from there)"


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
        with Workspace.lock(target) as space:  # another run may end, and publish, until it is held
            if (result := find_existing_output(space, planned)) is None:
                result = _run_in(space, planned, Reporter(options, planned, watch))
            space.remove()
            return result
    except OSError as error:
        if isinstance(error, CaudalError):
            raise
        kept = _KEPT if Workspace(target).count_receipts() else ""
        raise ConvertError(f"{target} cannot be written: {error.strerror or error}{kept}") from error


def _run_in(space: Workspace, planned: ConversionPlan, report: Reporter) -> dict[str, Any]:
    space.begin(planned.fingerprint)
    for part in planned.order:
        (space.data / part).mkdir(exist_ok=True)
    job = planned.job(space)
    result = finalize(space, planned, job, _perform_tasks(job, planned, report))
    space.publish(planned.fingerprint, result)
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
    """Choose the number of workers: the processors, or where bytes are passed through as many as there is work for."""
    processors = len(os.sched_getaffinity(0))
    if _is_encoding(planned):
        return processors
    work = float(planned.source.sizes().sum()) / _WORTH_A_PROCESS_BYTES + len(planned.source) / _WORTH_A_PROCESS_RECORDS
    return max(1, min(processors, int(work)))


def _make_convert(definition: Callable[_P, Conversion]) -> Callable[..., dict[str, Any]]:
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


convert = _make_convert(Conversion)
