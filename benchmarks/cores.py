"""`python -m benchmarks cores`: the rate of Caudal's threads against the number of parallel calls.

With `--simulate N`, each call of the native module sleeps instead, without the GIL, for as long as it took (CPU time of
its thread) when the same batch was computed by one parallel call. So N processors can be simulated on fewer: what
remains is Python, TensorFlow and the reading of files, and these run for real. Two processors are enough as long as
they are not needed for anything but the one thread with the GIL and what runs beside it; other programs on the machine
lower the rates. Not simulated: the memory bandwidth and caches that real cores share, and the time for which a native
call holds the GIL to read its arguments.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.audit import write_images
from benchmarks.contenders.ours import caudal
from benchmarks.environment import machine, versions
from benchmarks.harness import Say
from benchmarks.native_calls import NativeCalls, watch_native_calls
from benchmarks.workloads import RECIPES, Workload

WORKLOADS = ("full", "light", "resize")
BATCHES_PER_CALL = 24
"""The number of batches of an epoch, per parallel call. At its end, calls wait for the last one for half a batch, by
which they are ahead at the beginning."""


def list_calls(most: int) -> list[int]:
    """List the numbers of parallel calls: powers of two, and the most."""
    return [*(2**power for power in range((most - 1).bit_length())), most]


def write_photographs(folder: Path) -> Path:
    """Write class-folders of 40 JPEGs, 375 x 500 pixels, for a measurement without photographs."""
    return write_images(folder, (375, 500))


def measure(
    data: Path | None, workloads: Sequence[str], simulated: int | None, rounds: int, say: Say
) -> list[dict[str, Any]]:
    """Measure workloads at 1, 2, 4, 8 ... parallel calls, which take turns.

    Args:
        data: class-folders; None for drawn images.
        workloads: names in `RECIPES`.
        simulated: the number of processors to simulate; None uses the real ones.
        rounds: measured epochs per number of calls, after one that does not count.
        say: called with progress messages.

    Returns:
        A row per workload and number of calls: the rates, "ratio", the rate divided by that of as many times one call
        in the same round, and "native_us", the time in native calls per image, if it was measured.

    Raises:
        OptionError: the native module is not in use.
    """
    calls = list_calls(simulated or len(os.sched_getaffinity(0)))
    rows: list[dict[str, Any]] = []
    for name in workloads:
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="caudal-benchmarks-")))
            native = stack.enter_context(watch_native_calls()) if simulated else None
            say(f"{name}: preparing")
            source = data or write_photographs(scratch / "drawn")
            count = 32 * BATCHES_PER_CALL * calls[-1]
            workload = RECIPES[name].prepare(name, source, scratch / "timed", count)
            native_us = None if native is None else _time_native_calls(native, workload, say)
            rows += _measure_calls(workload, calls, rounds, say, native_us, simulated)
    return rows


def run_epoch(workload: Workload, calls: int, steps: int) -> tuple[float, float]:
    """Run the first steps of epoch 0. The first two per call do not count: there the iterator and the calls start.

    Returns:
        Images/s, and CPU seconds per image of this process.
    """
    dataset: Any = caudal(replace(workload, parallel=calls))()
    start, samples = min(2 * calls, steps // 2), 0
    begin, cpu = time.perf_counter(), time.process_time()
    for step, (images, _) in enumerate(dataset.take(steps), 1):
        samples += len(images)
        if step == start:
            samples, begin, cpu = 0, time.perf_counter(), time.process_time()
    return samples / (time.perf_counter() - begin), (time.process_time() - cpu) / samples


def _time_native_calls(native: NativeCalls, workload: Workload, say: Say) -> float:
    """Time all native calls of an epoch, and let them sleep from then on; return their us per image."""
    say(f"{workload.name}: timing native calls")
    native.sleeps = False
    run_epoch(workload, 1, 8)  # warms up: what it times is timed again
    run_epoch(workload, 1, workload.steps)
    native.sleeps = True
    return sum(call.nanoseconds for call in native.timed.values()) / workload.count / 1000


def _measure_calls(
    workload: Workload, calls: Sequence[int], rounds: int, say: Say, native_us: float | None, simulated: int | None
) -> list[dict[str, Any]]:
    measured: dict[int, list[tuple[float, float]]] = {number: [] for number in calls}
    for turn in range(rounds + 1):
        say(f"{workload.name}: {'warm-up' if turn == 0 else f'round {turn} of {rounds}'}")
        for number in calls:
            one = run_epoch(workload, number, min(workload.steps, BATCHES_PER_CALL * number))
            measured[number] += [one] if turn else []
    alone = [rate for rate, _ in measured[1]]
    rows = []
    for number, epochs in measured.items():
        rates = [rate for rate, _ in epochs]
        rows.append(
            {
                "workload": workload.name,
                "calls": number,
                "simulated": simulated,
                "img_s_median": round(statistics.median(rates), 1),
                "img_s_min": round(min(rates), 1),
                "img_s_max": round(max(rates), 1),
                "ratio": round(
                    statistics.median(rate / (number * one) for rate, one in zip(rates, alone, strict=True)), 3
                ),
                "cpu_s_per_img": round(statistics.median(cpu for _, cpu in epochs), 6),
                "native_us": native_us and round(native_us, 1),
                "samples": min(workload.count, workload.batch_size * BATCHES_PER_CALL * number),
                "rounds": rounds,
                "batch_size": workload.batch_size,
                **machine(),
                "versions": versions(),
            }
        )
    return rows


def line(row: dict[str, Any]) -> str:
    """Format a row for people."""
    kind = "calls" if row["simulated"] is None else f"calls, {row['simulated']} simulated processors"
    return (
        f"{row['workload']:10}{row['calls']:>4} {kind}: {row['img_s_median']:8,.0f} images/s "
        f"({row['img_s_min']:,.0f} to {row['img_s_max']:,.0f}), {row['ratio']:.2f} x {row['calls']} x one call, "
        f"{1e6 * row['cpu_s_per_img']:.0f} us of CPU per image"
    )
