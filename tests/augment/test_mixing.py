"""Mixing: what the images show is what the labels say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import CutMix, MixUp, Mosaic, keys
from augment.errors import AugmentError
from augment.mixing import Mixer, OneMixer, to_mixer

MIXERS = [MixUp(0.4), CutMix(1.0), Mosaic(1.0), CutMix(0.3, p=0.5), OneMixer((MixUp(), CutMix()))]


def plain(count: int, height: int = 24, width: int = 36, dtype: Any = np.uint8) -> np.ndarray:
    """Make images of one level each, which tells them apart: 0, 20, 40, ..."""
    return np.broadcast_to(np.arange(count, dtype=dtype)[:, None, None, None] * 20, (count, height, width, 3)).copy()


def key(number: int) -> keys.Key:
    """Make the key of a batch."""
    return keys.fold_in(keys.root(number), "mix")


@pytest.mark.parametrize("mix", MIXERS, ids=repr)
@given(number=st.integers(0, 1000), count=st.integers(1, 9))
def test_labels_are_fractions_that_sum_to_one(mix: Mixer, number: int, count: int) -> None:
    """One-hot labels become fractions; shapes, dtypes and what was given stay; the same key gives the same."""
    images, labels = plain(count), np.eye(count, dtype=np.float32)
    images.flags.writeable = labels.flags.writeable = False
    mixed, fractions = mix(images, labels, key(number))
    assert (mixed.shape, mixed.dtype) == (images.shape, np.uint8)
    assert fractions is not None
    assert (fractions.shape, fractions.dtype) == (labels.shape, np.float32)
    assert fractions.min() >= 0
    np.testing.assert_allclose(fractions.sum(axis=1), 1, atol=1e-6)
    again, same = mix(images, labels, key(number))
    np.testing.assert_array_equal(again, mixed)
    np.testing.assert_array_equal(same, fractions)


@pytest.mark.parametrize("mix", [CutMix(1.0), CutMix(0.2, p=0.7), Mosaic(1.0), Mosaic(0.5, (0.0, 1.0))], ids=repr)
@given(number=st.integers(0, 1000), count=st.integers(1, 9))
def test_labels_are_the_fractions_of_the_pixels(mix: Mixer, number: int, count: int) -> None:
    """Every image has one level of its own: counting the pixels of each level gives the labels."""
    mixed, fractions = mix(plain(count), np.eye(count), key(number))
    counted = np.stack([(mixed[..., 0] == 20 * source).mean(axis=(1, 2)) for source in range(count)], axis=1)
    np.testing.assert_allclose(fractions, counted, atol=1e-12)


@given(number=st.integers(0, 1000), count=st.integers(2, 9), dtype=st.sampled_from([np.uint8, np.float32]))
def test_mixed_up_pixels_are_the_mean_that_the_labels_say(number: int, count: int, dtype: Any) -> None:
    """Each level is the mean of the two images' by the fractions in the label; none is mixed with itself."""
    mixed, fractions = MixUp(1.0)(plain(count, dtype=dtype), np.eye(count), key(number))
    assert fractions is not None
    expected = fractions @ np.arange(count) * 20
    np.testing.assert_allclose(mixed[:, 0, 0, 0], expected, atol=0.51 if dtype == np.uint8 else 1e-4)
    assert ((fractions > 0).sum(axis=1) == 2).all()


def test_every_sample_has_its_own_weight_and_partner() -> None:
    """Weights differ within a batch, and partners are a permutation of it."""
    _, fractions = MixUp(1.0)(plain(12), np.eye(12), key(3))
    assert fractions is not None
    own = np.diag(fractions)
    assert len(set(own.round(6))) == 12
    assert sorted((fractions - np.diag(own)).argmax(axis=1).tolist()) == list(range(12))


def test_weights_have_the_distribution_of_the_paper() -> None:
    """Over many batches they are Beta(alpha, alpha): mean a half, variance 1 / (4 (2 alpha + 1))."""
    drawn = []
    for number in range(300):
        _, fractions = MixUp(0.4)(plain(8, 2, 2), np.eye(8), key(number))
        assert fractions is not None
        drawn.append(np.diag(fractions))
    assert abs(np.mean(drawn) - 0.5) < 0.03
    assert abs(np.var(drawn) - 1 / (4 * 1.8)) < 0.01


def test_probability_says_how_many_samples_are_mixed() -> None:
    """With p=0.25 about a quarter of the samples change, and the others are as they were."""
    changed = []
    for number in range(200):
        images = plain(8)
        mixed, _ = Mosaic(0.25)(images, None, key(number))
        changed.append((mixed != images).any(axis=(1, 2, 3)).mean())
    assert 0.2 < np.mean(changed) < 0.3


def test_each_batch_gets_one_of_a_list() -> None:
    """Both mixers of a list are used, about equally often."""
    both = to_mixer([MixUp(), CutMix()])
    kinds = [len(np.unique(both(plain(2), None, key(number))[0][0])) for number in range(100)]
    assert 20 < sum(kind == 2 for kind in kinds) < 80


@pytest.mark.parametrize("mix", MIXERS[:3], ids=repr)
def test_integer_labels_are_refused_by_name(mix: Mixer) -> None:
    """The message says which option gives labels that can be mixed."""
    with pytest.raises(
        AugmentError, match=r'needs float labels \[B, classes\], got int32 \[4\]: use label_mode="categorical"'
    ):
        mix(plain(4), np.zeros(4, np.int32), key(0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MixUp(0), "MixUp: alpha must be a number above 0 and at most 1000, got 0"),
        (lambda: MixUp(float("inf")), "MixUp: alpha must be a number above 0 and at most 1000, got inf"),
        (lambda: CutMix("1"), "CutMix: alpha must be a number above 0 and at most 1000, got '1'"),  # type: ignore[arg-type]
        (lambda: MixUp()(plain(2).astype(np.float16), None, key(0)), "uint8 or float32, got float16"),
        (lambda: MixUp()(plain(2), [0, 1], key(0)), "needs float labels"),  # type: ignore[arg-type]
        (lambda: CutMix(1, p=1.5), "CutMix: p must be a number from 0 to 1, got 1.5"),
        (lambda: Mosaic(center=(0.9, 0.1)), "Mosaic: center must be"),
        (lambda: to_mixer("cutmix"), "mix must be MixUp, CutMix, Mosaic or a list of them"),
        (lambda: MixUp()(plain(2)[0], None, key(0)), r"needs a batch \[B, H, W, C\]"),
        (lambda: MixUp()(plain(2), np.eye(3), key(0)), "needs labels"),
    ],
)
def test_what_cannot_be_mixed_is_refused(make: Any, message: str) -> None:
    """Arguments out of range, and what is no batch."""
    with pytest.raises(AugmentError, match=message):
        make()
