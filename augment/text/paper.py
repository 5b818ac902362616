"""EDA as it was published: a restatement of the paper's script (Wei and Zou 2019, `eda.py`), keyed.

What differs: an empty text gives itself (the script crashes); a synonym of which no letter is left is none; the
inserted synonym is drawn (the script takes the first of a set, whose order changes from process to process); no space
is left at the end of the original.
"""

import re
from collections.abc import Collection

from augment.text.lexicon import MAX_CACHED_WORDS, SynonymLookup
from augment.text.operations import Draw, draw_deletions, draw_items

Words = list[str]

_TRIES = 9
"""How many random words are tried before an insertion is given up."""


class PaperLexicon(dict[str, tuple[str, ...]]):
    """The synonyms of each word that was asked for, cleaned as the script cleans them; stop words have some, too."""

    def __init__(self, synonyms: SynonymLookup) -> None:
        super().__init__()
        self._synonyms = synonyms

    def __missing__(self, word: str) -> tuple[str, ...]:
        cleaned = dict.fromkeys(
            " ".join(re.sub("[^a-z ]", "", name.replace("-", " ").lower()).split()) for name in self._synonyms(word)
        )
        found = tuple(name for name in cleaned if name and name != word)
        if len(self) < MAX_CACHED_WORDS:
            self[word] = found
        return found


def clean(text: str) -> str:
    """Leave the letters a to z, in lower case, and single spaces: hyphens become spaces, apostrophes vanish."""
    return " ".join(re.sub("[^a-z]", " ", re.sub("['\u2019]", "", text).lower()).split())


class PaperOperations:
    """The four operations on lists of words.

    Args:
        lexicon: gives the synonyms.
        stop_words: are not replaced.
    """

    def __init__(self, lexicon: PaperLexicon, stop_words: Collection[str]) -> None:
        self._lexicon = lexicon
        self._stop_words = stop_words

    def replace(self, words: Words, changes: int, draw: Draw) -> Words:
        """Replace every occurrence of up to so many distinct words that are no stop words by a random synonym.

        As in the script, a word that came in as a synonym is replaced in its turn.
        """
        replaced = list(words)
        places: dict[str, list[int]] = {}
        for place, word in enumerate(words):
            places.setdefault(word, []).append(place)
        kinds = [word for word in places if word not in self._stop_words and self._lexicon[word]]
        for word in draw_items(kinds, changes, draw):
            options = self._lexicon[word]
            synonym = options[int(draw() * len(options))]
            moved = places.pop(word)
            for place in moved:
                replaced[place] = synonym
            places[synonym] = places.get(synonym, []) + moved
        return replaced

    def insert(self, words: Words, changes: int, draw: Draw) -> Words:
        """Insert, so many times, a random synonym of a random word before a random word."""
        longer = list(words)
        for _ in range(changes):
            for _ in range(_TRIES):
                options = self._lexicon[longer[int(draw() * len(longer))]]
                if options:
                    longer.insert(int(draw() * len(longer)), options[int(draw() * len(options))])
                    break
        return longer

    def swap(self, words: Words, changes: int, draw: Draw) -> Words:
        """Exchange the words at two random places, so many times; three draws in vain leave a swap out."""
        swapped, count = list(words), len(words)
        for _ in range(changes):
            one = int(draw() * count)
            if count < 2 or draw() < count**-3:
                continue
            other = int(draw() * (count - 1))
            other += other >= one
            swapped[one], swapped[other] = swapped[other], swapped[one]
        return swapped

    def delete(self, words: Words, probability: float, draw: Draw) -> Words:
        """Delete each word with a probability; where nothing would stay, one random word stays."""
        if len(words) == 1:
            return words
        left = list(words)
        for place in reversed(draw_deletions(len(words), probability, draw)):
            del left[place]
        return left
