"""Tests of how throughput is measured (not of how high it is)."""

from collections.abc import Iterator
from itertools import repeat

import numpy as np

from caudal.throughput import compare, measure

BATCH = (np.zeros((4, 2, 2, 3), np.uint8), np.zeros(4))


def test_contenders_take_turns_and_the_first_pass_does_not_count() -> None:
    """Each contender is started once a round and once to warm up, in turns; only the rounds are reported."""
    started: list[str] = []
    passes = compare({"a": lambda: [BATCH] * 2, "b": lambda: [BATCH] * 2}, steps=2, rounds=3, progress=started.append)
    assert started == ["a", "b"] * 4
    assert {name: len(measured) for name, measured in passes.items()} == {"a": 3, "b": 3}


def test_every_batch_of_a_pass_is_consumed_and_no_more() -> None:
    """An endless contender is stopped after the steps of one pass."""
    consumed = []

    def endless() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in repeat(BATCH):
            consumed.append(len(batch[0]))
            yield batch

    assert measure(endless(), 5).images_per_second > 0
    assert consumed == [4] * 5
