"""Performing the tasks of a conversion on a Ray cluster, one Ray task per shard.

A task writes its shard and its receipt into the workspace, which every machine must see under the same path. A task may
run twice: it writes the same bytes, and each file is renamed in one step. So Ray repeats a task whose worker or node is
lost.
"""

import contextlib
import logging
import re
import socket
from typing import Any

from pipeline.conversion.tasks import Job, Receipt, SilentReporter, TaskReporter
from pipeline.errors import ConvertError, OptionError
from pipeline.workers.error_transport import decode_error, encode_error

_RETRIES = 10
"""Number of times Ray repeats a task whose process or node is lost; then the conversion fails."""

_ANSWER_S = 10.0


def perform_on_ray(job: Job, report: TaskReporter, address: str | None, threads: int) -> list[Receipt]:
    """Perform all tasks on a cluster.

    Args:
        job: the conversion.
        report: receives the progress after each task.
        address: of the cluster's head, as in `ray.init`; None finds a cluster on this machine, or starts one.
        threads: number of threads per task.

    Raises:
        OptionError: Ray is not installed, or the augmentation cannot be sent.
        SampleError: a record is bad, and `report` does not tolerate it.
        ConvertError: the cluster cannot be reached, or a file cannot be written.
    """
    try:
        import ray
    except ImportError:
        raise OptionError('executor="ray" needs Ray; run pip install "caudal[ray]"') from None
    pending: dict[Any, int] = {}
    ours = not ray.is_initialized()
    if ours:
        _check_reachable(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many kinds, from ConnectionError to ValueError
            raise ConvertError(f"cannot reach a Ray cluster at {address!r}: {error}") from None
    try:
        remote = ray.remote(num_cpus=threads, max_retries=_RETRIES)(_perform)
        shared = _share(ray, job)
        pending |= {remote.remote(shared, task.number, threads): task.number for task in job.tasks}
        receipts: dict[int, Receipt] = {}
        while pending:
            for reference in ray.wait(list(pending))[0]:
                number = pending.pop(reference)
                failure, receipts[number] = ray.get(reference)
                if failure is not None:
                    raise decode_error(failure)
                for skipped in receipts[number].skipped:
                    report.skipped(skipped)
                report.written(len(job.tasks[number]), receipts[number].nbytes)
        return [receipts[task.number] for task in job.tasks]
    except ray.exceptions.RayError as error:
        raise ConvertError(f"the Ray cluster failed: {error}") from error
    finally:
        if ours:
            ray.shutdown()
        else:
            for reference in pending:  # no task may write after the conversion failed
                ray.cancel(reference, force=True)


def _share(ray: Any, job: Job) -> Any:
    """Send a job to the cluster's memory; its plan compares itself with the original wherever it arrives.

    Raises:
        OptionError: the job cannot be sent.
    """
    try:
        return ray.put(job)
    except Exception as error:  # what an augmentation contains refuses to be pickled in any way
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise OptionError(
            f"executor='ray' cannot send the conversion to the cluster ({reason}); use transforms of module-level "
            "functions and classes, or executor='processes'"
        ) from error


def _check_reachable(address: str | None) -> None:
    """Refuse an address at which no process listens: Ray itself tries for minutes.

    Raises:
        ConvertError: no process listens.
    """
    if (host := re.fullmatch(r"\[?([^/]+?)\]?:([0-9]{1,5})", address or "")) is None:
        return
    try:
        with contextlib.closing(socket.create_connection((host[1], int(host[2])), timeout=_ANSWER_S)):
            pass
    except (OSError, OverflowError) as error:
        raise ConvertError(f"cannot reach a Ray cluster at {address!r}: {error}") from None


def _perform(job: Job, number: int, threads: int) -> tuple[dict[str, Any] | None, Receipt | None]:
    try:
        return None, job.perform(number, SilentReporter(), threads)  # the receipt reports the progress
    except Exception as error:  # Ray would wrap it in its own error, with a traceback as text
        return encode_error(error), None
