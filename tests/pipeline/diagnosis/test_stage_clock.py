"""Tests of the stages' timer."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import Loader
from pipeline.diagnosis.stage_clock import StageClock


def test_a_block_within_another_counts_for_its_own_stage() -> None:
    """What an inner block takes is no part of the outer one's time; blocks that follow each other add up."""
    clock = StageClock()
    with clock("batch"):
        for _ in range(2):
            with clock("read"), clock("decode"):
                time.sleep(0.05)
    assert clock.seconds["decode"] >= 0.1
    assert clock.seconds["batch"] + clock.seconds["read"] < clock.seconds["decode"]
    assert clock.blocks == {"batch": 1, "read": 2, "decode": 2}


def test_threads_add_up_and_do_not_mix() -> None:
    """A block of one thread is not within a block of another."""
    clock = StageClock()

    def work(stage: str) -> None:
        with clock(stage):
            time.sleep(0.1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ["read", "decode", "read", "decode"]))
    assert clock.blocks == {"read": 2, "decode": 2}
    assert min(clock.seconds.values()) >= 0.2


def test_a_block_that_fails_counts_and_its_error_passes() -> None:
    """The timer swallows nothing."""
    clock = StageClock()
    with pytest.raises(ValueError, match="damaged"), clock("decode"):
        raise ValueError("damaged")
    assert clock.blocks == {"decode": 1}


def test_stages_tell_their_timer_what_they_do(folders: Callable[..., Path]) -> None:
    """A batch is one block, so is its reading; each image is decoded and resized in blocks of its own."""
    clock = StageClock()
    loader = Loader(folders(ants=4, bees=4, extension=".jpg"), image_size=(8, 8), batch_size=8, interpolation="area")
    stages = replace(loader._stages, timer=clock, known_spec=loader._stages.element_spec, defers_decoding=False)
    stages.batch(0, 0, 8)
    assert (clock.blocks["batch"], clock.blocks["read"], clock.blocks["augment"]) == (1, 1, 8)
    assert clock.blocks["decode"] == 8
