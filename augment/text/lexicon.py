"""The synonyms of words, in the case of the word."""

from collections.abc import Callable, Collection, Sequence

from augment.errors import AugmentError
from augment.text.synonyms import synonyms as wordnet_synonyms
from augment.text.words import STOP_WORDS

SynonymLookup = Callable[[str], Sequence[str]]
"""Returns the synonyms of a lower-case word, without the word itself; equal results in every call."""

MAX_CACHED_WORDS = 2**16
"""Words whose synonyms are cached: more than a corpus of reviews has (SST-2, TREC and CR together: 26,000)."""


class Lexicon(dict[str, tuple[str, ...]]):
    """A cache of synonyms; stop words have none.

    `lexicon["Movie"]` is in the case of the word: "Film", "Picture", ...; `lexicon["movie"]` has the same order. It is
    a dictionary because its lookup is the fastest; threads may share one.

    Args:
        synonyms: a function that returns the synonyms of a word; by default WordNet's.
        stop_words: lower-case words without synonyms.

    Raises:
        AugmentError: `synonyms` is not a function, or `stop_words` is not a collection of lower-case words.
    """

    def __init__(self, synonyms: SynonymLookup = wordnet_synonyms, stop_words: Collection[str] = STOP_WORDS) -> None:
        super().__init__()
        if not callable(synonyms):
            raise AugmentError(f"synonyms must be a function of a word, got {synonyms!r}")
        if isinstance(stop_words, str) or not isinstance(stop_words, Collection):
            raise AugmentError(f"stop_words must be a collection of words, got {stop_words!r}")
        for word in stop_words:
            if not isinstance(word, str) or word != word.lower():
                raise AugmentError(f"stop_words must be lower-case words, got {word!r}: it would have no effect")
        self._synonyms = synonyms
        self._stop_words = stop_words

    def __missing__(self, word: str) -> tuple[str, ...]:
        lower = word.lower()
        is_stop_word = lower in self._stop_words
        names = () if is_stop_word else find_synonyms(self._synonyms, lower)
        found = tuple(_match_case(word, name) for name in names)
        if len(self) < MAX_CACHED_WORDS:
            self[word] = found
        return found


def find_synonyms(synonyms: SynonymLookup, word: str) -> Sequence[str]:
    """Call a function that returns synonyms, and check its result.

    Raises:
        AugmentError: the result is not a sequence of words; a single text would be taken for its letters.
    """
    names = synonyms(word)
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise AugmentError(f"synonyms must return a list of words, got {names!r} for {word!r}")
    return names


def _match_case(word: str, synonym: str) -> str:
    if word.isupper() and len(word) > 1:
        return synonym.upper()
    if word[:1].isupper():
        return synonym[:1].upper() + synonym[1:]
    return synonym
