"""Doing the tasks of a job on the machines of a Ray cluster, one task a shard.

A task writes its shard and its receipt into the conversion's folder, which every machine must see under the same path,
and may be done twice: it gives the same bytes, and each file is renamed into its place. So Ray simply runs a task
again whose worker or node is lost.
"""

import logging

from pipeline.conversion.tasks import Job, Receipt, Report, Skipped
from pipeline.conversion.workers import described, rebuilt
from pipeline.errors import ConvertError, OptionError


def perform_on_ray(job: Job, report: Report, address: str | None, threads: int) -> list[Receipt]:
    """Do all tasks on a cluster.

    Args:
        job: what to do.
        report: told of each task that is done.
        address: of the cluster's head, as `ray.init` takes it; None finds one that was started on this machine, or
            starts one.
        threads: in each task.

    Raises:
        OptionError: Ray is not installed.
        SampleError: a record is bad, and `report` does not bear it.
        ConvertError: the cluster cannot be reached, or something cannot be written.
    """
    try:
        import ray
    except ImportError:
        raise OptionError('the executor "ray" needs Ray: pip install "caudal[ray]"') from None
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many kinds, from ConnectionError to ValueError
            raise ConvertError(f"no Ray cluster answers at {address!r}: {error}") from None
    try:
        remote = ray.remote(num_cpus=threads, max_retries=-1)(_perform)
        shared = ray.put(job)
        pending = {remote.remote(shared, task.number, threads): task.number for task in job.tasks}
        receipts: dict[int, Receipt] = {}
        while pending:
            for reference in ray.wait(list(pending))[0]:
                number = pending.pop(reference)
                failure, receipts[number] = ray.get(reference)
                if failure is not None:
                    raise rebuilt(*failure)
                for row in receipts[number].skipped:
                    report.skipped(row)
                report.written(len(job.tasks[number]), receipts[number].nbytes)
        return [receipts[task.number] for task in job.tasks]
    except ray.exceptions.RayError as error:
        raise ConvertError(f"the cluster failed: {error}") from error
    finally:
        if ours:
            ray.shutdown()


class _Silent:
    """A report that is made up for when the receipt arrives."""

    def written(self, records: int, size: int) -> None: ...

    def skipped(self, row: Skipped) -> None: ...


def _perform(job: Job, number: int, threads: int) -> "tuple[tuple[str, str, str] | None, Receipt | None]":
    try:
        return None, job.perform(number, _Silent(), threads)
    except Exception as error:  # Ray would wrap it in an error of its own, with a traceback for text
        return described(error), None
