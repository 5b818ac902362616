"""The synonym table answers what nltk answers, and needs nothing for it."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from augment.text import synonyms, synsets
from augment.text.build_synonyms import compile_table
from augment.text.synonyms import TABLE, SynonymTable

CORPORA = ("stsa.binary.train", "stsa.binary.dev", "stsa.binary.test", "TREC.train.all", "TREC.test.all", "custrev.all")
ENDINGS = ("s", "es", "ed", "ing", "er", "est", "'s", "ies", "men")


@pytest.fixture(scope="session")
def wordnet(caudal_data: Path) -> Iterator[Any]:
    """Return nltk's reader of the WordNet in the shared data."""
    import nltk.data

    nltk.data.path.insert(0, str(caudal_data / "nltk_data"))
    from nltk.corpus import wordnet

    yield wordnet
    nltk.data.path.remove(str(caudal_data / "nltk_data"))


def by_nltk(wordnet: Any, word: str) -> tuple[tuple[str, ...], ...]:
    """Return the synsets of a word as nltk does."""
    return tuple(tuple(synset.lemma_names()) for synset in wordnet.synsets(word))


def test_every_word_of_three_corpora_has_nltks_synsets(wordnet: Any, caudal_data: Path) -> None:
    """The same synsets, in the same order, with the same lemmas."""
    words = {word for name in CORPORA for word in (caudal_data / "text" / name).read_text("latin-1").split()}
    assert len(words) > 20_000
    different = [word for word in words if synsets(word) != by_nltk(wordnet, word)]
    assert different == []


def test_inflected_words_have_nltks_synsets(wordnet: Any) -> None:
    """20,000 words with endings, irregular ones, compounds and upper case: WordNet's morphology answers alike."""
    lemmas = sorted(wordnet.all_lemma_names())
    drawn = random.Random(0)  # noqa: S311
    words = [drawn.choice(lemmas) + drawn.choice(ENDINGS) for _ in range(20_000)]
    words += [drawn.choice(lemmas)[:-1] + drawn.choice(ENDINGS) for _ in range(2_000)]
    words += [form for part in "nvar" for form in wordnet._exception_map[part]]
    words += [drawn.choice(lemmas).upper() for _ in range(500)]
    different = [word for word in words if synsets(word) != by_nltk(wordnet, word)]
    assert different == []


class SmallSynset(NamedTuple):
    """A synset as nltk's reader gives it."""

    kind: str
    number: int
    names: tuple[str, ...]

    def pos(self) -> str:  # noqa: D102
        return self.kind

    def offset(self) -> int:  # noqa: D102
        return self.number

    def lemma_names(self) -> list[str]:  # noqa: D102
        return list(self.names)


class SmallWordNet:
    """A WordNet of five synsets, satellites and an exception among them."""

    synsets = (
        SmallSynset("n", 20, ("mouse", "computer_mouse")),
        SmallSynset("n", 10, ("mouse", "Mickey")),
        SmallSynset("v", 5, ("sneak", "mouse")),
        SmallSynset("s", 7, ("mousy", "Mousey")),
        SmallSynset("r", 3, ("slyly",)),
    )
    _lemma_pos_offset_map: ClassVar[dict[str, dict[str, list[int]]]] = {
        "mouse": {"n": [20, 10], "v": [5]},
        "computer_mouse": {"n": [20]},
        "mickey": {"n": [10]},
        "sneak": {"v": [5]},
        "mousy": {"a": [7], "s": [7]},
        "mousey": {"a": [7], "s": [7]},
        "slyly": {"r": [3]},
    }
    _exception_map: ClassVar[dict[str, dict[str, list[str]]]] = {"n": {"mice": ["mouse"]}, "v": {}, "a": {}, "r": {}}

    def all_synsets(self, part: str) -> list[SmallSynset]:  # noqa: D102
        return [synset for synset in self.synsets if synset.kind == part or (part, synset.kind) == ("a", "s")]


def test_a_table_keeps_order_morphology_and_spelling() -> None:
    """The builder and the table, on a WordNet small enough to read."""
    table = SynonymTable(compile_table(SmallWordNet()))
    assert list(table.synsets("MICE")) == [("mouse", "computer_mouse"), ("mouse", "Mickey")]
    assert list(table.synsets("mouses")) == [("mouse", "computer_mouse"), ("mouse", "Mickey"), ("sneak", "mouse")]
    assert list(table.synsets("mousier")) == []
    assert list(table.synsets("mousyer")) == [("mousy", "Mousey")]
    assert list(table.synsets("slylys")) == []


def test_synonyms_are_distinct_and_never_the_word() -> None:
    """All lemmas of all synsets but the word, spaces in compounds, no second spelling by case."""
    assert synonyms("mice") == ("mouse", "shiner", "black eye", "computer mouse")
    assert synonyms("Movie") == synonyms("movie")
    assert "moving picture" in synonyms("movie")
    for word in ("good", "run", "march", "US", "x"):
        lower = [name.lower() for name in synonyms(word)]
        assert len(set(lower)) == len(lower)
        assert word.lower() not in lower


@pytest.mark.parametrize("word", ["", " ", "zzzzqq", "…", "\x00", "naïve😀", "s", "_", "a" * 10_000])
def test_what_is_no_word_has_no_synsets(word: str, wordnet: Any) -> None:
    """Anything may be asked for."""
    assert synsets(word) == by_nltk(wordnet, word)


def test_neither_nltk_nor_a_file_of_its_data_is_touched(run_python: Callable[..., str], tmp_path: Path) -> None:
    """EDA works where there is no nltk."""
    code = (
        "import sys; sys.modules['nltk'] = sys.modules['nlpaug'] = None\n"
        "from augment.text import EDA, synonyms\n"
        "print(len(synonyms('films')) > 5, len(EDA()('a fine film', (0, 0, 0))))"
    )
    assert run_python(code, HOME=str(tmp_path), NLTK_DATA=str(tmp_path)).split() == ["True", "9"]


def test_threads_that_load_the_table_together_get_the_same_answers(run_python: Callable[..., str]) -> None:
    """Many threads ask at once in a new process."""
    code = (
        "import threading\n"
        "from augment.text import synsets\n"
        "found, start = [], threading.Barrier(8)\n"
        "def ask():\n"
        "    start.wait(); found.append(synsets('runs'))\n"
        "threads = [threading.Thread(target=ask) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(len(found), len(set(found)), len(found[0]) > 40)"
    )
    assert run_python(code).split() == ["8", "1", "True"]
    assert os.path.getsize(TABLE) < 4_000_000
