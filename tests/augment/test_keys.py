"""Keys: a path gives one key, and neighboring paths give unrelated ones."""

import random
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import keys

words = st.integers(0, 2**63 - 1)
paths = st.lists(words | st.text(max_size=8), max_size=4)


@given(words, words, words)
def test_the_order_of_a_path_matters(seed: int, first: int, second: int) -> None:
    """Folding in a then b gives another key than b then a, unless they are the same."""
    key = keys.root(seed)
    assert (keys.fold_in(key, first, second) == keys.fold_in(key, second, first)) == (first == second)


@given(words, paths, paths)
def test_a_path_can_be_folded_in_piece_by_piece(seed: int, first: list, second: list) -> None:
    """Folding in two paths one after the other is folding in the path that both make."""
    key = keys.root(seed)
    assert keys.fold_in(keys.fold_in(key, *first), *second) == keys.fold_in(key, *first, *second)


def test_names_do_not_run_into_each_other() -> None:
    """("ab",), ("a", "b") and ("b", "a") are three paths."""
    key = keys.root(0)
    folded = [keys.fold_in(key, *path) for path in (("ab",), ("a", "b"), ("b", "a"), ("a",), ())]
    assert len({int(one) for one in folded}) == 5


@given(words, st.lists(words, min_size=1, max_size=20))
def test_an_array_of_indices_gives_what_each_gives_alone(seed: int, indices: list[int]) -> None:
    """Vectorized folding equals scalar folding."""
    key = keys.root(seed)
    together = keys.fold_in(key, "augment", np.array(indices))
    assert together.tolist() == [int(keys.fold_in(key, "augment", index)) for index in indices]


def test_shapes_broadcast() -> None:
    """Keys [3, 1] and indices [4] give keys [3, 4], each as if made alone; a single key has shape []."""
    seeds = np.array([keys.root(seed) for seed in range(3)])[:, np.newaxis]
    folded = keys.fold_in(seeds, np.arange(4))
    assert folded.shape == (3, 4)
    assert folded[2, 3] == keys.fold_in(keys.root(2), 3)
    assert keys.root(0).shape == keys.fold_in(keys.root(0), "a", 1).shape == ()
    assert folded.dtype == keys.root(0).dtype == np.uint64


def test_neighboring_indices_give_unrelated_keys() -> None:
    """Half of the 64 bits change from one index to the next, each of them in half of the cases."""
    folded = keys.fold_in(keys.root(0), np.arange(20_001))
    flipped = np.unpackbits((folded[1:] ^ folded[:-1]).view(np.uint8)).reshape(-1, 64)
    assert flipped.sum(axis=1).mean() == pytest.approx(32, abs=0.2)
    np.testing.assert_allclose(flipped.mean(axis=0), 0.5, atol=0.02)


def test_numbers_drawn_for_neighboring_indices_are_uncorrelated() -> None:
    """The first uniform number of one sample says nothing of the next sample's."""
    folded = keys.fold_in(keys.root(0), "augment", 0, np.arange(2_000))
    drawn = np.array([keys.generator(key).random() for key in folded])
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.07
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(200, abs=60)


def test_no_seed_epoch_and_index_is_the_twin_of_another() -> None:
    """20 seeds x 20 epochs x 100 indices are 40,000 different keys: the numbers are not added."""
    seeds = np.array([keys.root(seed) for seed in range(20)])[:, np.newaxis, np.newaxis]
    folded = keys.fold_in(seeds, np.arange(20)[:, np.newaxis], np.arange(100))
    assert len(np.unique(folded)) == 40_000


@pytest.mark.parametrize("seed", [-1, True, 1.0, "1", None, np.float64(2), np.bool_(True)])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    """A seed that is negative, or no integer, is named in the error."""
    with pytest.raises(ValueError, match=r"^seed must be a non-negative integer, got ") as caught:
        keys.root(seed)  # type: ignore[arg-type]
    assert str(caught.value).endswith(repr(seed))


def test_integers_of_every_kind_are_seeds() -> None:
    """NumPy's integers count as Python's, and a seed may be of any size."""
    assert keys.root(np.int64(3)) == keys.root(np.uint8(3)) == keys.root(3)
    assert keys.root(2**200) != keys.root(2**200 + 1)


def test_generators_are_reproducible() -> None:
    """A key always gives the same numbers, and another key gives others, of both kinds of generator."""
    one, other = keys.fold_in(keys.root(0), [1, 2])
    assert keys.generator(one).integers(0, 2**32, 8).tolist() == keys.generator(one).integers(0, 2**32, 8).tolist()
    assert keys.generator(one).integers(0, 2**32, 8).tolist() != keys.generator(other).integers(0, 2**32, 8).tolist()
    assert keys.python_random(one).random() == keys.python_random(one).random()
    assert keys.python_random(one).random() != keys.python_random(other).random()


def test_the_global_generators_are_neither_read_nor_seeded() -> None:
    """`random` and `numpy.random` stand where they stood, and what they hold changes no key."""
    random.seed(97531)
    np.random.seed(97531)  # noqa: NPY002  # the global state is the subject
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    key = keys.fold_in(keys.root(5), "augment", 1)
    drawn = keys.generator(key).random(), keys.python_random(key).random()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    random.random()  # noqa: S311
    np.random.random()  # noqa: NPY002
    key = keys.fold_in(keys.root(5), "augment", 1)
    assert (keys.generator(key).random(), keys.python_random(key).random()) == drawn


def test_the_wrap_around_of_the_mixing_is_silent() -> None:
    """No NumPy warning of an overflow reaches the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keys.fold_in(keys.root(2**64), "order", 2**63 - 1, np.arange(3))


def test_keys_are_the_same_on_every_machine_and_in_every_version() -> None:
    """Golden values: were they to change, every stream that anybody has recorded would change with them."""
    assert hex(keys.root(0)) == "0x7d41ed7246120741"
    assert hex(keys.fold_in(keys.root(0), "order", 1)) == "0x5887035bee2be633"
    assert keys.generator(keys.root(0)).integers(0, 1000, 4).tolist() == [938, 358, 390, 809]
