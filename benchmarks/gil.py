"""`python -m benchmarks gil`: the time for which an image needs the GIL, and how often it is acquired for it.

One parallel call computes an epoch, so that no thread waits for another. Three kinds of epochs take turns:

1. The CPU time of the thread that computes a batch, less that of the calls of the native module in it.
2. The CPU time of the other functions that release the GIL (of `os` and OpenCV), which is subtracted, too.
3. The calls of C functions, by `sys.setprofile`: each call of a function that is known to release the GIL acquires it
   once, and so does the begin of a batch.

What is left of the first time is `gil_us`. `outside_us` is the CPU time of the process outside batches, from the first
on: tf.data, the conversion of arrays to tensors, and the loop that consumes the batches. Some of it holds the GIL, but
not all.

What this cannot see: functions of NumPy that release the GIL for large arrays (they count as Python, and not as
acquisitions); the time for which a native call reads its arguments with the GIL (it counts as native); acquisitions of
TensorFlow around a batch; waits of threads for one another, which `python -m benchmarks cores` shows.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import BuiltinFunctionType, ModuleType
from typing import Any

import cv2

from benchmarks.cores import run_epoch, write_photographs
from benchmarks.environment import machine, versions
from benchmarks.harness import Say
from benchmarks.native_calls import NativeCalls, watch_native_calls
from benchmarks.workloads import RECIPES, Workload

WORKLOADS = ("full", "light", "resize", "tfrecord", "cached", "small")

_OS_FUNCTIONS = (
    *("open", "read", "readv", "pread", "preadv", "fstat", "stat", "lstat", "close", "lseek"),
    *("scandir", "listdir", "posix_fadvise"),
)
_TENSORFLOW_PREFIX = "TFE_Py_"
"""The functions that run eager operations of TensorFlow."""


def measure(
    data: Path | None, workloads: Sequence[str], count: int | None, rounds: int, say: Say
) -> list[dict[str, Any]]:
    """Measure workloads.

    Args:
        data: class-folders; None for drawn images.
        workloads: names in `RECIPES`.
        count: the number of images; None for all.
        rounds: measured epochs of each kind, after one that does not count.
        say: called with progress messages.

    Returns:
        A row per workload. All times are medians of the rounds, in us per image: "gil_us" with its minimum and maximum,
        "native_us", "releasing_us" (other functions that release the GIL), "outside_us". Acquisitions are
        "acquired_per_image", "acquired_per_chunk" (a chunk is a call of the native module) and "acquired_by", per image
        and function.

    Raises:
        OptionError: the native module is not in use.
    """
    rows = []
    for name in workloads:
        with tempfile.TemporaryDirectory(prefix="caudal-benchmarks-") as scratch, watch_native_calls() as native:
            say(f"{name}: preparing")
            source = data or write_photographs(Path(scratch) / "drawn")
            workload = RECIPES[name].prepare(name, source, Path(scratch) / "timed", count)
            acquired = count_acquisitions(native, workload)
            times = []
            for turn in range(rounds + 1):
                say(f"{name}: {'warm-up' if turn == 0 else f'round {turn} of {rounds}'}")
                times += [_time_epochs(native, workload)][: turn and 1]
            rows.append(_make_row(workload, times, acquired, len(native.timed)))
    return rows


def count_acquisitions(native: NativeCalls, workload: Workload) -> Counter[str]:
    """Count the acquisitions of the GIL in the batches of an epoch, by function."""
    names = {getattr(module, name): f"{module.__name__}.{name}" for module, name in _list_releasing_functions()}
    names |= dict.fromkeys(native.functions, "native module")
    acquired: Counter[str] = Counter()

    def observe(frame: object, event: str, function: Any) -> None:
        del frame
        if event == "c_call":
            name = names.get(function) if isinstance(function, BuiltinFunctionType) else None
            if name is not None or getattr(function, "__name__", "").startswith(_TENSORFLOW_PREFIX):
                acquired[name or "TensorFlow"] += 1

    def begin_or_end(begins: bool) -> None:  # a hook
        acquired["batch"] += begins
        sys.setprofile(observe if begins else None)

    with native.call_on_batch(begin_or_end):
        run_epoch(workload, 1, workload.steps)
    return acquired


def _time_epochs(native: NativeCalls, workload: Workload) -> dict[str, float]:
    """Run two epochs; return times in us per image."""
    native.timed.clear()
    native.batch_ns.clear()
    began_ns: list[int] = []  # after the iterator was built, which an epoch of any length does once
    with native.call_on_batch(lambda begins: began_ns.append(time.process_time_ns()) if begins else None):
        run_epoch(workload, 1, workload.steps)
    cpu_us = (time.process_time_ns() - began_ns[0]) / workload.count / 1000
    native_us = sum(call.nanoseconds for call in native.timed.values()) / workload.count / 1000
    batch_us = sum(native.batch_ns.values()) / workload.count / 1000
    with _time_releasing_functions(native) as nanoseconds:
        run_epoch(workload, 1, workload.steps)
    releasing_us = sum(nanoseconds) / workload.count / 1000
    return {
        "gil_us": batch_us - native_us - releasing_us,
        "native_us": native_us,
        "releasing_us": releasing_us,
        "outside_us": cpu_us - batch_us,
    }


@contextmanager
def _time_releasing_functions(native: NativeCalls) -> Iterator[list[int]]:
    """Time the functions of `os` and OpenCV in batches: yield their nanoseconds, without those of the clock."""
    nanoseconds: list[int] = []
    clock_ns = _measure_clock()

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not native.is_in_batch():
                return function(*arguments, **options)
            begin = time.thread_time_ns()
            try:
                return function(*arguments, **options)
            finally:
                nanoseconds.append(time.thread_time_ns() - begin - clock_ns)

        return call

    originals = [(module, name, getattr(module, name)) for module, name in _list_releasing_functions()]
    for module, name, function in originals:
        setattr(module, name, wrap(function))
    try:
        yield nanoseconds
    finally:
        for module, name, function in originals:
            setattr(module, name, function)


def _list_releasing_functions() -> list[tuple[ModuleType, str]]:
    opencv = [(cv2, name) for name in dir(cv2) if isinstance(getattr(cv2, name), BuiltinFunctionType)]
    return [*((os, name) for name in _OS_FUNCTIONS), *opencv]


def _measure_clock() -> int:
    """Measure the nanoseconds between two readings of the clock."""
    times = [time.thread_time_ns() for _ in range(2000)]
    return round(statistics.median(after - before for before, after in pairwise(times)))


def _make_row(
    workload: Workload, times: Sequence[dict[str, float]], acquired: Counter[str], chunks: int
) -> dict[str, Any]:
    gil_us = [one["gil_us"] for one in times]
    return {
        "workload": workload.name,
        **{name: round(statistics.median(one[name] for one in times), 1) for name in times[0]},
        "gil_us_min": round(min(gil_us), 1),
        "gil_us_max": round(max(gil_us), 1),
        "acquired_per_image": round(acquired.total() / workload.count, 3),
        "acquired_per_chunk": round(acquired.total() / chunks, 2) if chunks else None,
        "images_per_chunk": round(workload.count / chunks, 1) if chunks else None,
        "acquired_by": {name: round(number / workload.count, 4) for name, number in acquired.most_common()},
        "samples": workload.count,
        "rounds": len(times),
        "batch_size": workload.batch_size,
        **machine(),
        "versions": versions(),
    }


def line(row: dict[str, Any]) -> str:
    """Format a row for people."""
    by = ", ".join(f"{name} {number:.3g}" for name, number in row["acquired_by"].items())
    per_chunk = (
        ""
        if row["acquired_per_chunk"] is None
        else (f", {row['acquired_per_chunk']:.1f} per chunk of {row['images_per_chunk']:.1f} images")
    )
    return (
        f"{row['workload']:10}GIL held {row['gil_us']:.1f} us per image ({row['gil_us_min']:.1f} to "
        f"{row['gil_us_max']:.1f}), native {row['native_us']:.1f}, others without it {row['releasing_us']:.1f}, "
        f"outside batches {row['outside_us']:.1f}; "
        f"acquired {row['acquired_per_image']:.2f} times per image{per_chunk} ({by})"
    )
