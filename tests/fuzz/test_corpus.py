"""What once crashed a reader of untrusted bytes is read or refused, and so are a few mutations of the corpus."""

import numpy as np
import pytest

from tests.damage import mutate
from tests.fuzz.readers import READERS, find_fault, list_corpus

MUTATIONS = 300


@pytest.mark.parametrize("target", READERS)
def test_the_corpus_and_mutations_of_it_are_read_or_refused(target: str) -> None:
    """None crashes, hangs, or raises an error of another class."""
    corpus, random = list_corpus(target), np.random.default_rng(0)
    mutated = [mutate(corpus[int(random.integers(len(corpus)))], random) for _ in range(MUTATIONS)]
    assert corpus
    assert [fault for data in (*corpus, *mutated) if (fault := find_fault(target, data))] == []
