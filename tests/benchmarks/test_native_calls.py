"""Tests of what the benchmarks of cores and of the GIL measure with: the stand-in for the native module."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline
from augment.plan import compiled, encoded
from augment.plan.native import import_native
from benchmarks.cores import list_calls, run_epoch
from benchmarks.gil import count_acquisitions
from benchmarks.native_calls import TimedCall, watch_native_calls
from benchmarks.workloads import Workload
from pipeline.errors import OptionError
from pipeline.images.stages import Stages

MODULE, _ = import_native()

pytestmark = pytest.mark.skipif(
    compiled.load_kernels() is None or encoded.load_decoder() is None, reason="the native module is not in use"
)


@pytest.fixture
def workload(folders: Callable[..., Path]) -> Workload:
    """Return a workload of 24 photographs in batches of 8."""
    folder = folders(ants=12, bees=12, height=64, width=80, extension=".jpg")
    return Workload(name="full", folder=str(folder), count=24, policy="full", size=(32, 32), batch_size=8, parallel=1)


def compute_images(workload: Workload) -> Any:
    """Return the images of epoch 0, [N, H, W, 3]."""
    dataset = pipeline.image_dataset(
        workload.folder, image_size=(32, 32), batch_size=8, augment=workload.transform(), num_parallel_calls=2
    )
    return np.concatenate([images.numpy() for images, _ in dataset])


@pytest.mark.parametrize("nanoseconds", [0, 1, 300_000])
def test_sleep_lasts_as_long_as_it_is_told(nanoseconds: int) -> None:
    """It may last longer, never less."""
    begin = time.monotonic_ns()
    assert MODULE.sleep(nanoseconds) is None
    assert time.monotonic_ns() - begin >= nanoseconds


def test_sleep_releases_the_gil() -> None:
    """Sixteen threads sleep at once."""
    threads = [threading.Thread(target=MODULE.sleep, args=(200_000_000,)) for _ in range(16)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin < 16 * 0.2 / 2


@pytest.mark.parametrize(
    ("nanoseconds", "error"), [(-1, ValueError), (2**63, OverflowError), ("1", TypeError), (1.5, TypeError)]
)
def test_sleep_rejects_what_is_no_time(nanoseconds: Any, error: type[Exception]) -> None:
    """And does not sleep."""
    with pytest.raises(error):
        MODULE.sleep(nanoseconds)


def test_watched_calls_return_the_same_pixels_and_all_are_timed(workload: Workload) -> None:
    """The stand-in changes nothing until calls sleep, and is gone afterwards."""
    expected = compute_images(workload)
    with watch_native_calls() as native:
        assert np.array_equal(compute_images(workload), expected)
        assert {(epoch, start) for epoch, start, _ in native.timed} == {(0, 0), (0, 8), (0, 16)} == set(native.batch_ns)
        assert all(call.nanoseconds > 0 for call in native.timed.values())
    assert sys.modules["augment.plan._kernels"] is MODULE
    timed = dict(native.timed)
    native.timed.clear()
    assert np.array_equal(compute_images(workload), expected)
    assert timed
    assert not native.timed


def test_calls_that_were_timed_sleep_for_as_long_and_at_once(workload: Workload) -> None:
    """With calls of 100 ms, three parallel calls take about the time of one batch; nothing native runs."""
    with watch_native_calls() as native:
        run_epoch(workload, 1, 3)
        native.timed = {key: TimedCall(100_000_000, call.result) for key, call in native.timed.items()}
        native.sleeps = True
        slow, fast = (24 / run_epoch(workload, calls, 3)[0] for calls in (1, 3))
    assert slow >= 0.1 * len(native.timed)
    assert fast < 0.7 * slow


def test_batch_that_makes_other_calls_than_when_it_was_timed_is_an_error(workload: Workload) -> None:
    """It would be measured wrongly."""
    with watch_native_calls() as native:
        run_epoch(workload, 1, 3)
        native.sleeps = True
        del native.timed[0, 8, 0]
        with pytest.raises(Exception, match=r"call 0 of batch \(0, 8\) was not timed"):
            run_epoch(workload, 1, 3)


def test_acquisitions_are_counted_where_the_gil_is_released(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two more files that a batch reads count twice; what holds the GIL does not count, nor does the program around."""
    with watch_native_calls() as native:
        before = count_acquisitions(native, workload)
        chunks = len(native.timed)
    compute = Stages.batch

    def read_more(stages: Stages, epoch: int, start: int, stop: int) -> Any:
        for _ in range(2):
            os.stat(workload.folder)
        os.getpid()
        return compute(stages, epoch, start, stop)

    monkeypatch.setattr(Stages, "batch", read_more)
    with watch_native_calls() as native:
        after = count_acquisitions(native, workload)
    assert after - before == {"os.stat": 6}
    assert before["batch"] == 3
    assert before["native module"] >= chunks > 0


def test_without_the_native_module_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says why it is missing."""
    monkeypatch.setenv("CAUDAL_COMPILED", "0")
    with pytest.raises(OptionError, match="CAUDAL_COMPILED=0"), watch_native_calls():
        pass


@pytest.mark.parametrize(("most", "calls"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (16, [1, 2, 4, 8, 16])])
def test_calls_are_powers_of_two_and_the_most(most: int, calls: list[int]) -> None:
    """Each once, ascending."""
    assert list_calls(most) == calls
