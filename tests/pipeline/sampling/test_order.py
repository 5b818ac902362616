"""The order of an epoch: a permutation, uniform, keyed, sharded without gap or overlap, and evaluated where asked."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from augment import keys
from pipeline.errors import OptionError
from pipeline.sampling.order import Order, permute


def epoch_of(size: int, *, seed: int = 0, epoch: int = 0, shard: tuple[int, int] = (0, 1)) -> list[int]:
    """List the samples of a whole epoch in order."""
    order = Order(size=size, key=keys.root(seed), shard=shard)
    return order(epoch, np.arange(len(order))).tolist()


@pytest.mark.parametrize("size", range(1, 41))
def test_an_epoch_of_any_small_size_is_a_permutation(size: int) -> None:
    """Every sample stands in an epoch once, for ten seeds and every size from 1 to 40."""
    for seed in range(10):
        assert sorted(epoch_of(size, seed=seed)) == list(range(size))


@given(st.integers(1, 5_000), st.integers(0, 2**40), st.integers(0, 1_000))
def test_an_epoch_of_any_size_is_a_permutation(size: int, seed: int, epoch: int) -> None:
    """Every sample stands in an epoch once, at any size, seed and epoch."""
    assert sorted(epoch_of(size, seed=seed, epoch=epoch)) == list(range(size))


@pytest.mark.parametrize("size", [3, 4, 5])
def test_all_orders_are_equally_likely(size: int) -> None:
    """Over 3,000 keys, no order of a few samples is preferred (chi-squared)."""
    folded = keys.fold_in(keys.root(0), np.arange(3_000))
    counts = Counter(tuple(permute(np.arange(size), size, key).tolist()) for key in folded)
    observed = [counts[order] for order in itertools.permutations(range(size))]
    assert sum(observed) == 3_000
    assert stats.chisquare(observed).pvalue > 0.01


def test_every_sample_is_equally_likely_at_every_position() -> None:
    """Over 2,000 epochs of 12 samples, no sample prefers a position, and none its neighbour's neighbourhood."""
    order = Order(size=12, key=keys.root(0))
    epochs = np.array([order(epoch, np.arange(12)) for epoch in range(2_000)])
    for position in range(12):
        assert stats.chisquare(np.bincount(epochs[:, position], minlength=12)).pvalue > 1e-3
    steps = (epochs[:, 1:] - epochs[:, :-1]) % 12
    assert stats.chisquare(np.bincount(steps.ravel(), minlength=12)[1:]).pvalue > 1e-3


def test_epochs_differ_as_unrelated_orders_do() -> None:
    """From one epoch to the next about one sample in an epoch keeps its position."""
    order = Order(size=50, key=keys.root(0))
    epochs = [order(epoch, np.arange(50)) for epoch in range(200)]
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 200
    kept = [int((one == other).sum()) for one, other in itertools.pairwise(epochs)]
    assert np.mean(kept) == pytest.approx(1, abs=0.3)


def test_seeds_give_different_orders() -> None:
    """The order is the seed's own, and not epoch 1 of the seed before."""
    orders = {tuple(epoch_of(30, seed=seed, epoch=epoch)) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


def test_an_order_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Golden values: were they to change, no run that anybody has recorded could be resumed."""
    assert epoch_of(10) == [2, 3, 0, 7, 5, 4, 8, 9, 1, 6]
    assert epoch_of(10, epoch=1) == [5, 6, 9, 7, 2, 8, 0, 3, 1, 4]


@given(st.integers(1, 300), st.integers(0, 50), st.data())
def test_positions_can_be_asked_for_in_any_number_and_shape(size: int, epoch: int, data: st.DataObject) -> None:
    """A few positions, in any shape, give what the whole epoch has there."""
    order = Order(size=size, key=keys.root(3))
    whole = order(epoch, np.arange(size))
    positions = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=6, max_size=6))).reshape(2, 3)
    given_there = order(epoch, positions)
    assert given_there.shape == (2, 3)
    assert given_there.dtype == np.int64
    np.testing.assert_array_equal(given_there, whole[positions])
    assert order(epoch, int(positions[0, 0])) == whole[positions[0, 0]]


def test_an_epoch_of_a_million_million_samples_starts_anywhere() -> None:
    """64 positions anywhere in an order of 10^12 samples are evaluated without making the order."""
    size = 10**12
    order = Order(size=size, key=keys.root(0))
    positions = np.concatenate([np.arange(32), size - 1 - np.arange(32)])
    samples = order(7, positions)
    assert len(set(samples.tolist())) == 64
    assert samples.min() >= 0
    assert samples.max() < size
    assert np.ptp(samples) > size // 2
    assert len(order) == size


SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 31, 32, 33, 100, 101]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("size", SIZES)
def test_shards_partition_an_epoch(size: int, count: int, shuffle: bool) -> None:
    """Together the shards have every sample once, and their sizes differ by one at most."""
    orders = [Order(size=size, key=keys.root(1), shuffle=shuffle, shard=(index, count)) for index in range(count)]
    shards = [order(2, np.arange(len(order))).tolist() for order in orders]
    assert sorted(itertools.chain(*shards)) == list(range(size))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@given(st.integers(1, 200), st.integers(1, 7), st.integers(1, 9), st.booleans())
def test_the_batches_of_all_shards_make_up_the_larger_batch(size: int, count: int, batch: int, shuffle: bool) -> None:
    """At each step, n shards deliver together what one loader with batches n times as large delivers."""
    shards = [Order(size=size, key=keys.root(1), shuffle=shuffle, shard=(index, count)) for index in range(count)]
    whole = Order(size=size, key=keys.root(1), shuffle=shuffle)
    for start in range(0, size, batch * count):
        step = start // (batch * count)
        united = [
            sample
            for order in shards
            for sample in order(4, np.arange(step * batch, min((step + 1) * batch, len(order)))).tolist()
        ]
        larger = whole(4, np.arange(start, min(start + batch * count, size))).tolist()
        assert sorted(united) == sorted(larger)


def test_without_shuffling_the_order_is_the_source_s() -> None:
    """`shuffle=False` is the identity in every epoch."""
    order = Order(size=9, key=keys.root(0), shuffle=False)
    assert order(0, np.arange(9)).tolist() == order(5, np.arange(9)).tolist() == list(range(9))


@pytest.mark.parametrize("shard", [(1, 1), (-1, 2), (2, 2), (0, 0), (3, 2), (0, -1)])
def test_a_shard_that_does_not_exist_is_refused(shard: tuple[int, int]) -> None:
    """The error says which shards there can be, and which was asked for."""
    with pytest.raises(OptionError) as caught:
        Order(size=10, key=keys.root(0), shard=shard)
    assert str(caught.value) == f"shard must be (index, count) with 0 <= index < count, got {shard}"


def test_a_shard_may_be_empty() -> None:
    """More shards than samples leave the last ones without any."""
    order = Order(size=2, key=keys.root(0), shard=(2, 3))
    assert len(order) == 0
    assert order(0, np.arange(0)).tolist() == []
