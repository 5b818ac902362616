"""EDA: what its variants are, what they never are, and how often each operation does what."""

import collections
import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import keys
from augment.errors import AugmentError
from augment.text import EDA, STOP_WORDS, Compose, RandomSwap, SynonymReplacement

SENTENCE = "The quick brown fox, surprisingly, jumps over the lazy dog - again and again; what a day it was!"
ODD = [
    "",
    " ",
    "\n\t ",
    "good",
    "zzzz",
    "!!! ... ???",
    "😀 👍🏽 👨‍👩‍👧",
    "x 😀",
    "שלום עולם, מה שלומך היום?",
    "كِتَابٌ جَمِيلٌ جِدًّا",
    "हिन्दी भाषा अच्छी है",
    "naïve café \u2013 déjà vu…",
    "caf\u0065\u0301 is open",
    "\ufeffmarked",
    "nul\x00 in it",
    "ha ha ha ha",
    "A",
    "the of and",
]
few_words = st.sampled_from(["good", "movie", "the", "zz", "Fun!", ",", "ha"])
texts = st.text(max_size=40) | st.lists(few_words, max_size=8).map(" ".join)
small_texts = st.lists(st.sampled_from(["red", "blue", "the", "of"]), min_size=1, max_size=4).map(" ".join)


def two_each(word: str) -> tuple[str, ...]:
    """Return two synonyms to every word."""
    return (f"{word}1", f"{word} two")


@pytest.mark.parametrize("mode", ["fixed", "paper"])
@pytest.mark.parametrize("text", ODD)
def test_odd_texts_never_raise(mode: str, text: str) -> None:
    """There is a list of texts for anything."""
    variants = EDA(mode=mode)(text, (0, 0, 0))
    assert variants
    assert all(isinstance(variant, str) for variant in variants)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "zzzz", "!!! ... ???", "😀 👍🏽 👨‍👩‍👧", "A"[:0]])
def test_a_text_without_variants_gives_itself(text: str) -> None:
    """Empty, wordless, and one word without synonyms."""
    assert EDA()(text, (0, 0, 0)) == [text]


@given(texts, st.integers(1, 12), st.integers(0, 2**64 - 1))
def test_variants_are_distinct_and_none_is_the_text(text: str, num_aug: int, key: int) -> None:
    """At most as many as asked for; the text itself only where there is nothing else."""
    variants = EDA(num_aug=num_aug)(text, key)
    assert len(set(variants)) == len(variants) <= num_aug
    assert text not in variants or variants == [text]


def all_variants(text: str) -> set[str]:
    """Every text that one change makes of words between single spaces, and every subset of the words."""
    words = text.split()
    count = len(words)
    made: set[str] = set()
    for place, word in enumerate(words):
        if word not in STOP_WORDS:
            for synonym in two_each(word):
                made.add(" ".join(synonym if other == word else other for other in words))
                for at in range(count + 1):
                    made.add(" ".join([*words[:at], synonym, *words[at:]]))
        for other in range(place):
            swapped = words.copy()
            swapped[place], swapped[other] = words[other], word
            made.add(" ".join(swapped))
    for size in range(1, count):
        made |= {" ".join(left) for left in itertools.combinations(words, size)}
    return made - {text}


@given(small_texts, st.integers(1, 80))
def test_there_are_as_many_as_asked_for_wherever_so_many_exist(text: str, num_aug: int) -> None:
    """Counted against all variants of a small text, which are listed here by brute force."""
    existing = all_variants(text)
    variants = EDA(num_aug=num_aug, synonyms=two_each)(text, (0, 0, 0))
    if existing:
        assert set(variants) <= existing
        assert len(variants) == min(num_aug, len(existing))
    else:
        assert variants == [text]


@pytest.mark.parametrize("only", ["alpha_sr", "alpha_ri", "alpha_rs", "p_rd"])
def test_one_operation_alone_gives_all_its_variants(only: str) -> None:
    """The number holds with each operation by itself, at rates that make drawing alone hopeless."""
    rates = dict.fromkeys(("alpha_sr", "alpha_ri", "alpha_rs", "p_rd"), 0.0) | {only: 1e-6}
    variants = EDA(**rates, num_aug=6, synonyms=two_each)("red blue green", (0, 0, 0))
    assert len(variants) == {"alpha_sr": 6, "alpha_ri": 6, "alpha_rs": 3, "p_rd": 6}[only]


@given(texts, st.integers(0, 2**64 - 1))
def test_a_batch_gives_what_each_text_gives_alone(text: str, key: int) -> None:
    """In both modes, whatever stands beside it."""
    for mode in ("fixed", "paper"):
        eda = EDA(mode=mode)
        batch = eda.batch([SENTENCE, text, ""], np.array([1, key, 2], np.uint64))
        assert batch[1] == eda(text, key) == eda(text, np.uint64(key))


def test_the_key_of_a_sample_is_that_of_the_image_pipeline() -> None:
    """(seed, epoch, index) is the key that a loader folds."""
    key = keys.fold_in(keys.fold_in(keys.root(7), "augment"), 3, 11)
    assert EDA()(SENTENCE, (7, 3, 11)) == EDA()(SENTENCE, key) == EDA()(SENTENCE, int(key))
    assert len({tuple(EDA()(SENTENCE, (7, 3, index))) for index in range(50)}) == 50


@pytest.mark.parametrize(
    "key",
    [(), "seed", -1, 1.5, 2**64, (1, "x"), (1, 0.5), (1, -1), (1, None), np.zeros(2, np.uint64), (-1, 0, 0), None],
)
def test_what_is_no_key_is_refused(key: object) -> None:
    """With an error, not another key."""
    with pytest.raises(ValueError, match=r"a text's key must be|seed must be"):
        EDA()(SENTENCE, key)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, b"good movie", ["good", "movie"], 1])
@pytest.mark.parametrize("augment", [EDA(), EDA(mode="paper"), SynonymReplacement(), Compose([RandomSwap()])])
def test_what_is_no_text_is_refused(augment: Any, text: object) -> None:
    """Alone and in a batch; a text in the place of a batch is not taken for its letters."""
    with pytest.raises(AugmentError, match="a text must be a str"):
        augment(text, (0, 0, 0))
    with pytest.raises(AugmentError, match="a text must be a str"):
        augment.batch([text], [(0, 0, 0)])
    with pytest.raises(AugmentError, match="a list of texts"):
        augment.batch("abc", [(0, 0, 0), (0, 0, 1), (0, 0, 2)])


def test_variants_do_not_depend_on_the_process(run_python: Callable[..., str]) -> None:
    """Neither PYTHONHASHSEED nor what was drawn before changes them."""
    code = (
        "import json; from augment.text import EDA\n"
        f"text = {SENTENCE!r}\n"
        "print(json.dumps([EDA(mode=mode)(text, (1, 2, index)) for mode in ('fixed', 'paper') for index in range(20)]))"
    )
    outputs = {run_python(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "12345")}
    here = [EDA(mode=mode)(SENTENCE, (1, 2, index)) for mode in ("fixed", "paper") for index in range(20)]
    assert {json.dumps(json.loads(output)) for output in outputs} == {json.dumps(here)}


def test_case_punctuation_and_spacing_stay() -> None:
    """What swaps and deletions leave keeps its case, and every sign and space between words its place in order."""
    text = "  Hello,  World! (This) is\tGREAT — fun…\n"
    signs = [sign for sign in text if not sign.isalnum() and not sign.isspace()]
    for index in range(200):
        for variant in EDA(0, 0, 0.2, 0.2)(text, (0, 0, index)):
            assert [sign for sign in variant if not sign.isalnum() and not sign.isspace()] == signs
            words = [word for word in re.split(r"[\s,!()\u2014\u2026]+", variant) if word]
            assert not collections.Counter(words) - collections.Counter(
                ["Hello", "World", "This", "is", "GREAT", "fun"]
            )
    swapped = EDA(0, 0, 0.1, 0, num_aug=3)(text, (0, 0, 1))
    assert all(variant.startswith("  ") and variant.endswith("\n") and "\t" in variant for variant in swapped)


def test_synonyms_take_the_case_of_their_word() -> None:
    """Capitalized for a capitalized word, capitals for capitals."""
    variants = EDA(0.1, 0, 0, 0, num_aug=6, synonyms=lambda _: ("big cat",))
    assert variants("Lion lion LION", (0, 0, 0)) == ["Big cat big cat BIG CAT"]


def test_a_word_with_combining_marks_is_whole() -> None:
    """Vowel signs and accents go with their letters."""
    text = "हिन्दी भाषा café"
    variants = EDA(0, 0, 0.1, 0.5, num_aug=20)(text, (0, 0, 0))
    assert {word for variant in variants for word in variant.split()} == set(text.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha_sr": -0.1}, "alpha_sr must be between 0 and 1"),
        ({"p_rd": 1.5}, "p_rd must be between 0 and 1"),
        ({"alpha_ri": math.nan}, "alpha_ri must be between 0 and 1"),
        ({"alpha_rs": "0.1"}, "alpha_rs must be between 0 and 1"),
        ({"p_rd": None}, "p_rd must be between 0 and 1"),
        ({"stop_words": "the a"}, "stop_words must be a collection of words"),
        ({"stop_words": None}, "stop_words must be a collection of words"),
        ({"synonyms": None}, "synonyms must be a function of a word"),
        ({"num_aug": 0}, "num_aug must be an integer from 1 to 10000"),
        ({"num_aug": 2.5}, "num_aug must be an integer from 1 to 10000"),
        ({"mode": "fast"}, "mode must be 'fixed' or 'paper'"),
        (dict.fromkeys(("alpha_sr", "alpha_ri", "alpha_rs", "p_rd"), 0), "must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, message: str) -> None:
    """The message names the option."""
    with pytest.raises(AugmentError, match=message):
        EDA(**options)


def test_long_lines_are_done_in_linear_time() -> None:
    """A line of 100,000 words gets its variants, in both modes; n is a share of them."""
    text = "good movie and fine acting " * 20_000
    for mode in ("fixed", "paper"):
        assert len(EDA(mode=mode, num_aug=2)(text, (0, 0, 0))) == 2 + (mode == "paper")
    swapped = EDA(0, 0, 0.1, 0, num_aug=1)(text, (0, 0, 0))[0]
    changed = sum(one != other for one, other in zip(text.split(), swapped.split(), strict=True))
    assert 10_000 < changed < 20_000


WORDS = [f"q{chr(97 + place)}" for place in range(20)]


def draws_of(eda: EDA, count: int) -> list[list[str]]:
    """Draw first variants of the sentence of 20 distinct words."""
    return [eda(" ".join(WORDS), (0, 0, index))[0].split() for index in range(count)]


def is_uniform(counts: dict, outcomes: int, total: int) -> bool:
    """Tell whether counts are those of a uniform draw: chi-squared within five standard deviations of its mean."""
    expected = total / outcomes
    statistic = sum((count - expected) ** 2 for count in counts.values()) / expected
    statistic += (outcomes - len(counts)) * expected
    return abs(statistic - (outcomes - 1)) < 5 * math.sqrt(2 * (outcomes - 1))


@pytest.mark.parametrize("mode", ["fixed", "paper"])
def test_replacement_changes_n_words_chosen_uniformly(mode: str) -> None:
    """N = int(0.1 * 20) = 2 distinct words, each as often as any other, and each synonym alike."""
    eda = EDA(0.1, 0, 0, 0, num_aug=1, mode=mode, synonyms=lambda word: (f"{word}x", f"{word}y"))
    places, synonyms = collections.Counter(), collections.Counter()
    for words in draws_of(eda, 3000):
        changed = [place for place, (one, other) in enumerate(zip(WORDS, words, strict=True)) if one != other]
        assert len(changed) == 2
        places.update(changed)
        synonyms.update(words[place][-1] for place in changed)
    assert is_uniform(places, 20, 6000)
    assert is_uniform(synonyms, 2, 6000)


def test_every_occurrence_is_replaced_and_stop_words_never_are() -> None:
    """One synonym for all occurrences; an upper-case stop word is one, too."""
    eda = EDA(1.0, 0, 0, 0, num_aug=1, synonyms=two_each)
    for index in range(20):
        (variant,) = eda("The red cat and the RED dog", (0, 0, index))
        words = variant.replace(" two", "_two").replace(" TWO", "_TWO").split()
        assert words[0] == "The"
        assert (words[3], words[4]) == ("and", "the")
        assert words[1].upper() == words[5]


@pytest.mark.parametrize(("mode", "places"), [("fixed", 21), ("paper", 20)])
def test_insertion_reaches_every_place(mode: str, places: int) -> None:
    """One word (n = 1), at any place alike; the end only in the fixed mode."""
    eda = EDA(0, 0.05, 0, 0, num_aug=1, mode=mode, synonyms=lambda _: ("new",))
    counts = collections.Counter(words.index("new") for words in draws_of(eda, 4000))
    assert is_uniform(counts, places, 4000)
    assert max(counts) == places - 1


def test_a_synonym_of_several_words_counts_as_one() -> None:
    """N insertions are n synonyms, however many words each has."""
    eda = EDA(0, 0.1, 0, 0, num_aug=1, synonyms=lambda _: ("one two three",))
    for words in draws_of(eda, 50):
        assert " ".join(words).count("one two three") == 2


@pytest.mark.parametrize("mode", ["fixed", "paper"])
def test_swaps_are_uniform_over_pairs(mode: str) -> None:
    """One swap of two different places; the published script leaves out one in n cubed."""
    eda = EDA(0, 0, 0.05, 0, num_aug=1, mode=mode)
    pairs = collections.Counter(
        tuple(place for place, (one, other) in enumerate(zip(WORDS, words, strict=True)) if one != other)
        for words in draws_of(eda, 8000)
    )
    pairs.pop((), None)
    assert is_uniform(pairs, 190, sum(pairs.values()))


@pytest.mark.parametrize("mode", ["fixed", "paper"])
def test_deletion_drops_each_word_with_its_probability(mode: str) -> None:
    """Places alike, and a binomial number of them; unchanged texts are drawn again in the fixed mode."""
    eda = EDA(0, 0, 0, 0.1, num_aug=1, mode=mode)
    drawn = [words for words in draws_of(eda, 6000) if len(words) < 20]
    sizes = collections.Counter(20 - len(words) for words in drawn)
    lost = collections.Counter(word for words in drawn for word in set(WORDS) - set(words))
    assert is_uniform(lost, 20, sum(lost.values()))
    given_any = 1 - 0.9**20
    for size in range(1, 6):
        share = math.comb(20, size) * 0.1**size * 0.9 ** (20 - size) / given_any
        assert abs(sizes[size] / len(drawn) - share) < 5 * math.sqrt(share / len(drawn))


@pytest.mark.parametrize("mode", ["fixed", "paper"])
def test_one_word_stays_where_all_are_deleted(mode: str) -> None:
    """Each of them alike."""
    eda = EDA(0, 0, 0, 1.0, num_aug=1, mode=mode)
    counts = collections.Counter(words[0] for words in draws_of(eda, 3000))
    assert is_uniform(counts, 20, 3000)


def test_the_paper_mode_keeps_the_published_form() -> None:
    """Letters a to z in lower case, num_aug variants and the cleaned original behind them."""
    variants = EDA(mode="paper")("Don't STOP re-imagining: 3 Déjà-vus!", (0, 0, 0))
    assert len(variants) == 10
    assert variants[-1] == "dont stop re imagining d j vus"
    assert all(set(variant) <= set("abcdefghijklmnopqrstuvwxyz ") for variant in variants)


@pytest.mark.parametrize(("num_aug", "enabled", "expected"), [(9, 4, 9), (16, 4, 16), (9, 1, 3), (1, 4, 1), (4, 2, 4)])
def test_the_paper_mode_cuts_its_candidates(num_aug: int, enabled: int, expected: int) -> None:
    """int(num_aug / 4) + 1 candidates an operation that is on, cut to num_aug."""
    rates = [0.1] * enabled + [0.0] * (4 - enabled)
    assert len(EDA(*rates, num_aug=num_aug, mode="paper")(SENTENCE, (0, 0, 0))) == expected + 1


def test_operations_have_equal_shares() -> None:
    """Among many variants, each operation makes a quarter."""
    eda = EDA(0.05, 0.05, 0.05, 0.1, synonyms=lambda _: ("new",), num_aug=4)
    kinds: collections.Counter[tuple[bool, bool]] = collections.Counter()
    for index in range(1500):
        for variant in eda(" ".join(WORDS), (0, 0, index)):
            words = variant.split()
            new = "new" in words
            kinds[
                "swap" if len(words) == 20 and not new else "rd" if not new else "ri" if len(words) > 20 else "sr"
            ] += 1
    assert len(kinds) == 4
    assert sum(kinds.values()) == 6000
    assert all(abs(count / 6000 - 0.25) < 0.03 for count in kinds.values())
