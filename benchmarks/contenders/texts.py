"""EDA of texts: each gives nine variants and itself."""

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
    """The paper's script in a Python generator, restated plainly on nltk's WordNet, synonyms memoised.

    Raises:
        ModuleNotFoundError: nltk has no WordNet.
    """
    from nltk.corpus import wordnet

    from benchmarks.text import plain_eda

    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise ModuleNotFoundError("nltk's corpus `wordnet` is not there; NLTK_DATA names its folder") from None
    lines = read_labeled_lines(workload)

    def epoch() -> Iterator[Any]:
        made: list[tuple[str, int]] = []
        for index in np.random.default_rng(0).permutation(len(lines)):
            text, label = lines[index]
            made += [(variant, label) for variant in plain_eda(text, VARIANTS - 1)]
            while len(made) >= workload.batch_size:
                yield _make_batch(made[: workload.batch_size])
                del made[: workload.batch_size]
        if made:
            yield _make_batch(made)

    return epoch


def read_labeled_lines(workload: Workload) -> list[tuple[str, int]]:
    """Read the texts of a workload, with the numbers of their labels in the order of the names."""
    if workload.texts is None:
        raise ValueError("this contender reads texts")
    with open(workload.texts, encoding="utf-8") as file:
        parts = [line.rstrip("\n").partition(" ") for line in file]
    numbers = {name: number for number, name in enumerate(sorted({label for label, _, _ in parts}))}
    return [(text, numbers[label]) for label, _, text in parts]


def _make_batch(samples: list[tuple[str, int]]) -> tuple[Any, Any]:
    texts, labels = zip(*samples, strict=True)
    return np.array([text.encode() for text in texts], object), np.array(labels)
