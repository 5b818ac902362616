"""nlpaug's augmenters with a key, and synonyms through nltk."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nlpaug.augmenter.char as nac
import nlpaug.augmenter.word as naw
import nlpaug.flow as naf
import numpy as np
import pytest

from augment.errors import AugmentError, TransformError
from augment.text import Compose, NlpAug, NltkSynonyms, RandomSwap

SENTENCE = "The quick brown fox jumps over the lazy dog because it wants to be there."
AUGMENTERS: dict[str, Callable[[], Any]] = {
    "keyboard": nac.KeyboardAug,
    "ocr": nac.OcrAug,
    "random characters": nac.RandomCharAug,
    "swap": lambda: naw.RandomWordAug(action="swap"),
    "delete": naw.RandomWordAug,
    "crop": lambda: naw.RandomWordAug(action="crop"),
    "split": naw.SplitAug,
    "spelling": naw.SpellingAug,
    "reserved": lambda: naw.ReservedAug(reserved_tokens=[["quick", "fast", "swift"], ["dog", "hound", "cur"]]),
    "sequence": lambda: naf.Sequential([naw.RandomWordAug(), nac.RandomCharAug()]),
    "sometimes": lambda: naf.Sometimes([naw.RandomWordAug(), nac.RandomCharAug()]),
}


@pytest.fixture
def nltk_data(caudal_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let nltk find the WordNet in the shared data, and nothing else."""
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [str(caudal_data / "nltk_data")])
    return caudal_data / "nltk_data"


@pytest.mark.parametrize("name", AUGMENTERS)
def test_an_augmenter_is_a_function_of_text_and_key(name: str) -> None:
    """The same again; other keys, other texts; the global generators are neither read nor seeded."""
    augmenter = AUGMENTERS[name]()
    transform = NlpAug(augmenter)
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    first = [transform(SENTENCE, (0, 0, index)) for index in range(20)]
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    seeded = random.getstate(), np.random.get_state()  # noqa: NPY002
    assert [transform(SENTENCE, (0, 0, index)) for index in range(20)] == first
    assert random.getstate() == seeded[0]
    assert np.array_equal(np.random.get_state()[1], seeded[1][1])  # noqa: NPY002
    assert before is not None
    assert len(set(first)) > 1
    assert any(text != SENTENCE for text in first)


def test_the_augmenter_itself_is_left_alone() -> None:
    """It draws as it did before."""
    augmenter = naf.Sequential([naw.RandomWordAug(), nac.RandomCharAug()])
    attributes = {id(one): dict(vars(one)) for one in (augmenter, *augmenter)}
    NlpAug(augmenter)(SENTENCE, (0, 0, 0))
    assert attributes == {id(one): dict(vars(one)) for one in (augmenter, *augmenter)}


@pytest.mark.parametrize("text", ["", "  ", "\n", "!", "😀", "x"])
def test_odd_texts_never_raise(text: str) -> None:
    """Where nlpaug gives no text at all, the text itself."""
    assert isinstance(NlpAug(nac.KeyboardAug())(text, (0, 0, 0)), str)
    assert NlpAug(naw.RandomWordAug())("", (0, 0, 0)) == ""


def test_threads_get_what_one_thread_gets() -> None:
    """Several threads share one object."""
    transform = Compose([NlpAug(nac.RandomCharAug()), RandomSwap()])
    expected = [transform(SENTENCE, (0, 0, index)) for index in range(80)]
    found: dict[int, str] = {}

    def work(first: int) -> None:
        for index in range(first, 80, 4):
            found[index] = transform(SENTENCE, (0, 0, index))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[index] for index in range(80)] == expected


def test_spelling_mistakes_do_not_depend_on_the_process(run_python: Callable[..., str]) -> None:
    """Nlpaug makes its dictionary from sets, whose order changes with PYTHONHASHSEED."""
    code = (
        "import nlpaug.augmenter.word as naw; from augment.text import NlpAug\n"
        f"print([NlpAug(naw.SpellingAug())({SENTENCE!r}, (0, 0, index)) for index in range(3)])"
    )
    assert len({run_python(code, PYTHONHASHSEED=seed) for seed in ("1", "2")}) == 1


@pytest.mark.usefixtures("nltk_data")
def test_synonym_aug_works_without_a_tagger(caplog: pytest.LogCaptureFixture) -> None:
    """The log says what is missing; the synonyms are WordNet's."""
    transform = NlpAug(naw.SynonymAug(aug_src="wordnet", aug_p=0.5))
    assert 'nltk.download("averaged_perceptron_tagger_eng")' in caplog.text
    texts = [transform("films", (0, 0, index)) for index in range(30)]
    assert texts == [transform("films", (0, 0, index)) for index in range(30)]
    assert {"movie", "picture"} & set(texts)


@pytest.mark.usefixtures("nltk_data")
def test_synonym_aug_takes_nltks_tagger_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nltk tags as a determiner stays."""
    import nltk

    from augment.text import nlpaug_adapter

    monkeypatch.setattr(nlpaug_adapter, "describe_missing_data", lambda *_: "")
    monkeypatch.setattr(nltk, "pos_tag", lambda tokens: [(token, "DT") for token in tokens])
    transform = NlpAug(naw.SynonymAug(aug_p=1.0))
    assert all(transform("good films", (0, 0, index)) == "good films" for index in range(10))


@pytest.mark.usefixtures("nltk_data")
def test_missing_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to download."""
    import nltk.data

    synonyms, antonyms = naw.SynonymAug(), naw.AntonymAug()
    with pytest.raises(AugmentError, match=r'AntonymAug .*nltk\.download\("averaged_perceptron_tagger_eng"\)'):
        NlpAug(antonyms)
    with pytest.raises(AugmentError, match=r'nltk\.download\("omw-1\.4"\)'):
        NltkSynonyms("fra")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(AugmentError, match=r'SynonymAug needs nltk data: run nltk\.download\("wordnet"\)'):
        NlpAug(synonyms)
    with pytest.raises(AugmentError, match="NLTK_DATA"):
        NltkSynonyms("eng")


@pytest.mark.usefixtures("nltk_data")
def test_synonyms_through_nltk_are_those_of_the_table() -> None:
    """English, which both have."""
    from augment.text import synonyms

    by_nltk = NltkSynonyms("eng")
    for word in ("films", "mice", "good", "ran", "zzzz"):
        assert by_nltk(word) == synonyms(word)


def test_what_is_no_augmenter_is_refused() -> None:
    """And so is a probability that is none."""
    with pytest.raises(AugmentError, match=r"augmenter must be an nlpaug\.Augmenter"):
        NlpAug(RandomSwap())
    with pytest.raises(AugmentError, match="p must be between 0 and 1"):
        NlpAug(nac.KeyboardAug(), p=3)


def test_a_failing_augmenter_is_named() -> None:
    """Its error becomes ours."""

    def fail(text: str) -> list[str]:
        raise RuntimeError(f"no: {text}")

    with pytest.raises(TransformError, match="RuntimeError in RandomWordAug: no:"):
        NlpAug(naw.RandomWordAug(tokenizer=fail))(SENTENCE, (0, 0, 0))
