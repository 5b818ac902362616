"""EDA of texts: each text yields itself and nine variants."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.workloads import VARIANTS, Workload


def caudal(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Caudal's dataset, with its workers."""
    import pipeline
    from augment.text import EDA

    dataset = pipeline.text_dataset(
        workload.texts,
        format="label text",
        augment=EDA(),
        num_aug=VARIANTS - 1,
        batch_size=workload.batch_size,
        num_parallel_calls=workload.parallel,
    )
    return lambda: dataset


def plain(workload: Workload) -> Callable[[], Iterable[Any]]:
    """The paper's script in a Python generator, on nltk's WordNet, with cached synonyms.

    Raises:
        ModuleNotFoundError: nltk has no WordNet.
    """
    from nltk.corpus import wordnet

    from benchmarks.text import plain_eda

    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise ModuleNotFoundError("nltk's corpus `wordnet` is missing; set NLTK_DATA to its folder") from None
    lines = read_labeled_lines(workload)

    def epoch() -> Iterator[Any]:
        waiting: list[tuple[str, int]] = []
        for index in np.random.default_rng(0).permutation(len(lines)):
            text, label = lines[index]
            waiting += [(variant, label) for variant in plain_eda(text, VARIANTS - 1)]
            while len(waiting) >= workload.batch_size:
                yield _make_batch(waiting[: workload.batch_size])
                del waiting[: workload.batch_size]
        if waiting:
            yield _make_batch(waiting)

    return epoch


def read_labeled_lines(workload: Workload) -> list[tuple[str, int]]:
    """Read the texts of a workload with their class indices."""
    if workload.texts is None:
        raise ValueError("this contender needs texts")
    with open(workload.texts, encoding="utf-8") as file:
        parts = [line.rstrip("\n").partition(" ") for line in file]
    numbers = {name: number for number, name in enumerate(sorted({label for label, _, _ in parts}))}
    return [(text, numbers[label]) for label, _, text in parts]


def _make_batch(samples: list[tuple[str, int]]) -> tuple[Any, Any]:
    texts, labels = zip(*samples, strict=True)
    return np.array([text.encode() for text in texts], object), np.array(labels)
