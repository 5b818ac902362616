"""The audit of texts passes contenders that do the work, and finds each planted fault."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.audit_texts import audit, write_texts
from benchmarks.contenders.texts import read_labeled_lines
from benchmarks.workloads import WORKLOADS, Workload

Change = Callable[[list[bytes], list[int]], tuple[list[bytes], list[int]]]


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    """Return the workload of the audit's texts."""
    return WORKLOADS["text"].prepare("text", write_texts(tmp_path / "samples"), tmp_path, None)


def contender(change: Change) -> Any:
    """Make a contender that swaps words, and then does something wrong to the epoch."""

    def make(workload: Workload) -> Any:
        def epoch() -> Iterator[Any]:
            texts, labels = [], []
            for text, label in read_labeled_lines(workload):
                words = text.split()
                texts += [" ".join(np.roll(words, turn)).encode() for turn in range(10)]
                labels += [label] * 10
            texts, labels = change(texts, labels)
            yield np.array(texts, object), np.array(labels)

        return epoch

    return make


def test_who_does_the_work_passes(workload: Workload) -> None:
    """370 texts, of which nine in ten differ from their lines."""
    assert workload.count == 370
    assert audit(contender(lambda texts, labels: (texts, labels)), workload) == {"faults": [], "changed": 0.9}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda texts, labels: (texts[1:], labels[1:]), "369 texts of 370: 1 lines of 37 do not appear 10 times"),
        (lambda texts, labels: ([*texts, texts[0]], [*labels, labels[0]]), "371 texts of 370: 1 lines"),
        (lambda texts, labels: ([texts[10], *texts[1:]], [labels[10], *labels[1:]]), "2 lines of 37 do not appear"),
        (lambda texts, labels: (texts, [*labels[10:], *labels[:10]]), "labels differ from their lines"),
        (lambda texts, labels: ([b"a film", *texts[1:]], labels), "1 of 370 texts match no line"),
        (lambda texts, labels: ([texts[n // 10 * 10] for n in range(370)], labels), "0 of 370 texts differ"),
        (lambda texts, labels: (texts * 3, labels * 3), "1110 texts of 370"),
    ],
)
def test_planted_fault_is_found(workload: Workload, change: Change, sentence: str) -> None:
    """The message names the fault."""
    (found, *_) = audit(contender(change), workload)["faults"]
    assert sentence in found
