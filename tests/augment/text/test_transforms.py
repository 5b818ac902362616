"""Single operations and their composition: keyed, and with Albumentations' meaning of `p`."""

import collections

import numpy as np
import pytest

from augment.errors import AugmentError
from augment.text import (
    EDA,
    Compose,
    OneOf,
    RandomDeletion,
    RandomInsertion,
    RandomSwap,
    SynonymReplacement,
    TextTransform,
)
from augment.text.specification import from_dict, to_dict

SENTENCE = "A fine film, with great actors and a bad ending."
EVERY = [
    SynonymReplacement(),
    RandomInsertion(0.3),
    RandomSwap(),
    RandomDeletion(0.2),
    Compose([SynonymReplacement(0.3), RandomSwap(p=0.5)]),
    OneOf([RandomSwap(), RandomDeletion(p_rd=0.5, p=0.2)], p=0.9),
    Compose([OneOf([RandomSwap(), RandomInsertion()]), RandomDeletion()], p=0.7),
]
ODD = ["", " ", "x", "😀", "שלום עולם", "...", "the of", "nul\x00 nul"]


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_a_transform_is_a_function_of_text_and_key(transform: TextTransform) -> None:
    """The same again, alone and in a batch; other keys give other texts; odd texts do no harm."""
    keys = [(3, 1, index) for index in range(60)]
    alone = [transform(SENTENCE, key) for key in keys]
    assert alone == [transform(SENTENCE, key) for key in keys] == transform.batch([SENTENCE] * 60, keys)
    assert len(set(alone)) > 5
    assert all(isinstance(transform(text, (0, 0, 0)), str) for text in ODD)


@pytest.mark.parametrize("transform", [*EVERY, EDA(), EDA(0.05, num_aug=16, mode="paper")], ids=repr)
def test_a_description_makes_an_equal_transform(transform: TextTransform) -> None:
    """What is told to another process does the same there."""
    made = from_dict(to_dict(transform))
    assert made == transform
    assert made(SENTENCE, (0, 0, 5)) == transform(SENTENCE, (0, 0, 5))


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_p_is_the_share_of_texts_that_are_changed(p: float) -> None:
    """An operation, and compositions of operations that always change something."""
    swap = RandomSwap(p=p)
    for transform in (swap, Compose([RandomSwap()], p=p), OneOf([RandomSwap()], p=p)):
        changed = sum(transform("one two three", (0, 0, index)) != "one two three" for index in range(2000))
        assert abs(changed / 2000 - p) < 0.05


def test_one_of_takes_the_weights_of_its_transforms() -> None:
    """As in Albumentations: their `p` are weights, and the one that is drawn is done for certain."""
    transform = OneOf([RandomSwap(p=0.1), RandomDeletion(p_rd=1.0, p=0.3)], p=1)
    lengths = collections.Counter(len(transform("one two", (0, 0, index)).split()) for index in range(2000))
    assert set(lengths) == {1, 2}
    assert abs(lengths[1] / 2000 - 0.75) < 0.05


def test_transforms_in_a_composition_have_keys_of_their_own() -> None:
    """Two swaps of three words do not always undo each other."""
    twice = Compose([RandomSwap(), RandomSwap()])
    outcomes = {twice("one two three", (0, 0, index)) for index in range(200)}
    assert outcomes == {"one two three", "two three one", "three one two"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SynonymReplacement(2.0), "SynonymReplacement: alpha must be between 0 and 1"),
        (lambda: RandomDeletion(p_rd=-1), "RandomDeletion: p_rd must be"),
        (lambda: RandomSwap(p=1.5), "RandomSwap: p must be"),
        (lambda: RandomSwap("0.1"), "RandomSwap: alpha must be"),  # type: ignore[arg-type]
        (lambda: SynonymReplacement(stop_words="the a"), "stop_words must be a collection of words"),
        (lambda: Compose(3), "transforms must be a list of text transforms"),  # type: ignore[arg-type]
        (lambda: Compose([RandomSwap()], p="a"), "Compose: p must be"),  # type: ignore[arg-type]
        (lambda: Compose([RandomSwap()], p=2), "Compose: p must be"),
        (lambda: Compose(RandomSwap()), "transforms must be a list of text transforms"),  # type: ignore[arg-type]
        (lambda: OneOf([EDA()]), "EDA returns several texts"),  # type: ignore[list-item]
        (lambda: OneOf([]), "OneOf needs at least one transform"),
        (lambda: OneOf([RandomSwap(p=0)]), "at least one p must be above 0"),
        (lambda: from_dict({"Nothing": {}}), "cannot build an augmentation from"),
        (lambda: from_dict({"EDA": {"alpha": 1}}), "cannot build an augmentation from"),
        (lambda: to_dict(EDA(synonyms=lambda _: ())), "cannot serialize"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    """When it is made."""
    with pytest.raises(AugmentError, match=message):
        make()  # type: ignore[operator]


def test_keys_and_texts_must_be_as_many() -> None:
    """One key a text."""
    with pytest.raises(ValueError, match="got 2 texts, but 1 keys: pass one key per text"):
        RandomSwap().batch(["a b", "c d"], np.zeros(1, np.uint64))
