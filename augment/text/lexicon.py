"""What may stand for a word: its synonyms, written as the word is."""

from collections.abc import Callable, Collection, Sequence

from augment.errors import AugmentError
from augment.text.synonyms import synonyms as wordnet_synonyms
from augment.text.words import STOP_WORDS

SynonymLookup = Callable[[str], Sequence[str]]
"""Gives the synonyms of a word in lower case, without the word itself; the same at each call."""

MAX_CACHED_WORDS = 2**16
"""Words whose synonyms are kept: more than a corpus of reviews has (SST-2, TREC and CR together: 26,000)."""


class Lexicon(dict[str, tuple[str, ...]]):
    """The synonyms of each word that was asked for: none for stop words.

    `lexicon["Movie"]` gives them in the case of the word: "Film", "Picture", ...; those of "movie" stand in the same
    order. A dictionary because nothing else is looked up as fast; any number of threads may share one.

    Args:
        synonyms: gives the synonyms of a word; by default WordNet's.
        stop_words: words in lower case that have none.

    Raises:
        AugmentError: one of them is none.
    """

    def __init__(self, synonyms: SynonymLookup = wordnet_synonyms, stop_words: Collection[str] = STOP_WORDS) -> None:
        super().__init__()
        if not callable(synonyms):
            raise AugmentError(f"synonyms must be a function of a word, got {synonyms!r}")
        if isinstance(stop_words, str) or not isinstance(stop_words, Collection):
            raise AugmentError(f"stop_words must be a collection of words, got {stop_words!r}")
        self._synonyms = synonyms
        self._stop_words = stop_words

    def __missing__(self, word: str) -> tuple[str, ...]:
        lower = word.lower()
        found = () if lower in self._stop_words else tuple(_match_case(word, name) for name in self._synonyms(lower))
        if len(self) < MAX_CACHED_WORDS:
            self[word] = found
        return found


def _match_case(word: str, synonym: str) -> str:
    if word.isupper() and len(word) > 1:
        return synonym.upper()
    if word[:1].isupper():
        return synonym[:1].upper() + synonym[1:]
    return synonym
