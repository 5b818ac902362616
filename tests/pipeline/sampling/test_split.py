"""The split: two parts that are complements, the same for a key, with the classes' shares where asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import keys
from pipeline.errors import OptionError
from pipeline.sampling.split import choose_subset, limit_samples

ROOT = keys.root(0)


@given(st.integers(2, 500), st.floats(0.01, 0.99), st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_training_and_validation_are_complements(
    size: int, fraction: float, seed: int, classes: int, stratify: bool
) -> None:
    """Every sample is in exactly one part, whatever the options, and the source's order is kept."""
    labels = np.arange(size) % classes if stratify else None
    parts = []
    for subset in ("training", "validation"):
        try:
            parts.append(choose_subset(size, fraction, subset, keys.root(seed), labels).tolist())
        except OptionError:
            parts.append([])  # the share rounds to nothing, or to everything
    training, validation = parts
    assert sorted(training + validation) == list(range(size))
    assert training == sorted(training)
    assert validation == sorted(validation)


@given(st.integers(2, 400), st.floats(0.01, 0.99))
def test_the_validation_part_has_the_share_asked_for(size: int, fraction: float) -> None:
    """The share is exact up to half a sample."""
    count = round(fraction * size)
    if count:
        assert len(choose_subset(size, fraction, "validation", ROOT)) == count
    else:
        assert len(choose_subset(size, fraction, "training", ROOT)) == size


def test_a_stratified_split_keeps_the_classes_shares() -> None:
    """Each class gives the same share, however rare it is and wherever it stands."""
    labels = np.repeat([0, 1, 2], [100, 20, 10])[np.random.default_rng(0).permutation(130)]
    validation = choose_subset(130, 0.3, "validation", ROOT, labels)
    assert np.bincount(labels[validation]).tolist() == [30, 6, 3]
    training = choose_subset(130, 0.3, "training", ROOT, labels)
    assert np.bincount(labels[training]).tolist() == [70, 14, 7]


def test_classes_are_split_independently() -> None:
    """Classes of the same size do not give the samples of the same ranks."""
    labels = np.repeat([0, 1, 2, 3], 50)
    validation = choose_subset(200, 0.4, "validation", ROOT, labels)
    ranks = {tuple(validation[labels[validation] == label] - 50 * label) for label in range(4)}
    assert len(ranks) == 4


def test_a_split_is_reproducible_and_depends_on_the_key() -> None:
    """A key always splits alike, and another key otherwise."""
    splits = [choose_subset(60, 0.5, "validation", keys.root(seed)).tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_every_sample_is_equally_likely_to_validate() -> None:
    """Over 600 keys each of ten samples is drawn in three of ten cases."""
    drawn = np.concatenate([choose_subset(10, 0.3, "validation", keys.root(seed)) for seed in range(600)])
    np.testing.assert_allclose(np.bincount(drawn, minlength=10), 180, atol=45)


@pytest.mark.parametrize(
    ("size", "fraction", "subset"), [(3, 0.1, "validation"), (3, 0.9, "training"), (1, 0.2, "validation")]
)
def test_an_empty_part_is_refused(size: int, fraction: float, subset: str) -> None:
    """A part without samples is an error that says which part, of how many samples."""
    with pytest.raises(OptionError) as caught:
        choose_subset(size, fraction, subset, ROOT)
    assert str(caught.value) == (
        f"validation_split={fraction} leaves the {subset} subset empty: the dataset has {size} samples; "
        "use another fraction"
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), st.integers(0, 2**32))
def test_limits_are_nested_and_keep_the_classes_shares(labels: list[int], seed: int) -> None:
    """Each limit has its number of samples, holds those of the smaller ones, and a class's share is off by a few."""
    array, before = np.array(labels), set()
    classes = len(set(labels))
    for limit in range(1, len(labels) + 1):
        chosen = limit_samples(array, limit, keys.root(seed))
        assert len(chosen) == limit
        assert sorted(set(chosen)) == chosen.tolist()
        assert before <= set(chosen)
        before = set(chosen)
        for label in set(labels):
            share = labels.count(label) / len(labels)
            assert abs((array[chosen] == label).sum() - limit * share) <= 0.5 + classes * share / 2 + 1e-9


def test_a_limit_is_a_number_or_a_share() -> None:
    """A float is a fraction of the samples; what is out of range is refused."""
    labels = np.arange(20) % 2
    assert np.bincount(labels[limit_samples(labels, 0.5, ROOT)]).tolist() == [5, 5]
    for limit in (21, 0.01):
        with pytest.raises(OptionError, match=f"limit={limit} is out of range for 20 samples; use 1 to 20"):
            limit_samples(labels, limit, ROOT)
