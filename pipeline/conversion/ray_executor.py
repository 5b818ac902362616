"""Doing the tasks of a job on the machines of a Ray cluster, one task a shard.

A task writes its shard and its receipt into the conversion's folder, which every machine must see under the same path,
and may be done twice: it gives the same bytes, and each file is renamed into its place. So Ray simply runs a task
again whose worker or node is lost.
"""

import contextlib
import logging
import re
import socket
from typing import Any

from pipeline.conversion.tasks import Job, Receipt, Skipped, TaskReporter
from pipeline.errors import ConvertError, OptionError
from pipeline.workers.error_transport import decode_error, encode_error

_RETRIES = 10
"""Times that a task is run again whose process or node is lost; a task that ends every process ends the conversion."""

_ANSWER_S = 10.0


def perform_on_ray(job: Job, report: TaskReporter, address: str | None, threads: int) -> list[Receipt]:
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
    pending: dict[Any, int] = {}
    ours = not ray.is_initialized()
    if ours:
        _check_reachable(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many kinds, from ConnectionError to ValueError
            raise ConvertError(f"no Ray cluster answers at {address!r}: {error}") from None
    try:
        remote = ray.remote(num_cpus=threads, max_retries=_RETRIES)(_perform)
        shared = ray.put(job)
        pending |= {remote.remote(shared, task.number, threads): task.number for task in job.tasks}
        receipts: dict[int, Receipt] = {}
        while pending:
            for reference in ray.wait(list(pending))[0]:
                number = pending.pop(reference)
                failure, receipts[number] = ray.get(reference)
                if failure is not None:
                    raise decode_error(failure)
                for row in receipts[number].skipped:
                    report.skipped(row)
                report.written(len(job.tasks[number]), receipts[number].nbytes)
        return [receipts[task.number] for task in job.tasks]
    except ray.exceptions.RayError as error:
        raise ConvertError(f"the cluster failed: {error}") from error
    finally:
        if ours:
            ray.shutdown()
        else:
            for reference in pending:  # nobody is to write for a conversion that has failed
                ray.cancel(reference, force=True)


def _check_reachable(address: str | None) -> None:
    """Refuse an address at which nobody listens: Ray itself tries for minutes.

    Raises:
        ConvertError: nobody does.
    """
    if (host := re.fullmatch(r"\[?([^/]+?)\]?:([0-9]{1,5})", address or "")) is None:
        return
    try:
        with contextlib.closing(socket.create_connection((host[1], int(host[2])), timeout=_ANSWER_S)):
            pass
    except (OSError, OverflowError) as error:
        raise ConvertError(f"no Ray cluster answers at {address!r}: {error}") from None


class _SilentReport:
    """A report that is made up for when the receipt arrives."""

    def written(self, records: int, size: int) -> None: ...

    def skipped(self, row: Skipped) -> None: ...


def _perform(job: Job, number: int, threads: int) -> tuple[dict[str, Any] | None, Receipt | None]:
    try:
        return None, job.perform(number, _SilentReport(), threads)
    except Exception as error:  # Ray would wrap it in an error of its own, with a traceback for text
        return encode_error(error), None
