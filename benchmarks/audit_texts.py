"""The audit of texts: every text once unchanged and in nine variants, with the label of its line.

It runs on its own texts. Each has unique words that are in no dictionary, so that no operation of EDA can replace them
and each variant identifies its line.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders.texts import read_labeled_lines
from benchmarks.workloads import VARIANTS, Workload

_TEXTS = 37
_LABELS = ("bad", "fair", "good")
_KNOWN = ["a", "good", "film", "tells", "the", "story", "of", "one", "long", "night"]


def write_texts(folder: Path) -> Path:
    """Write the audit's file of `label text` lines below a folder."""
    folder.mkdir(parents=True)
    lines = [f"{_LABELS[number * number % 3]} {_make_text(number)}\n" for number in range(_TEXTS)]
    (folder / "texts.txt").write_text("".join(lines), "utf-8")
    return folder / "texts.txt"


def audit(make: Callable[[Workload], Callable[[], Iterable[Any]]], workload: Workload) -> dict[str, Any]:
    """Check one epoch of a contender.

    Args:
        make: the contender.
        workload: a workload on the texts of `write_texts`.

    Returns:
        "faults": a list of sentences, empty if there are none; "changed": the fraction of texts that differ from the
        file.
    """
    lines = read_labeled_lines(workload)
    owners = {word: index for index, (text, _) in enumerate(lines) for word in text.split() if word not in _KNOWN}
    counts: Counter[int] = Counter()
    seen = wrong = strange = changed = 0
    for texts, labels in make(workload)():
        for text, label in zip(np.asarray(texts).tolist(), np.asarray(labels).reshape(-1).tolist(), strict=True):
            words = text.decode() if isinstance(text, bytes) else str(text)
            sources = {owners[word] for word in words.split() if word in owners}
            seen += 1
            if len(sources) != 1:
                strange += 1
                continue
            (source,) = sources
            counts[source] += 1
            wrong += int(label) != lines[source][1]
            changed += words != lines[source][0]
        if seen >= 2 * workload.count:
            break
    return {
        "faults": list(_find_faults(seen, counts, wrong, strange, changed, len(lines))),
        "changed": changed / max(seen, 1),
    }


def _find_faults(seen: int, counts: Counter[int], wrong: int, strange: int, changed: int, texts: int) -> Iterable[str]:
    uneven = sum(counts[index] != VARIANTS for index in range(texts))
    if strange:
        yield f"{strange} of {seen} texts match no line, or several"
    if uneven or seen != VARIANTS * texts:
        yield f"{seen} texts of {VARIANTS * texts}: {uneven} lines of {texts} do not appear {VARIANTS} times"
    if wrong:
        yield f"{wrong} of {seen} labels differ from their lines"
    if changed < seen / 2:
        yield f"{changed} of {seen} texts differ from their lines instead of about nine in ten"


def _make_text(number: int) -> str:
    letters = chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
    own = [f"zqx{letters}{letter}" for letter in "abcdefgh"]
    return " ".join(word for pair in zip(own, _KNOWN, strict=False) for word in pair)
