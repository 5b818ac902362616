"""EDA as published: a keyed version of the paper's script (Wei and Zou 2019, `eda.py`).

Differences: an empty text returns itself (the script crashes); a synonym without any letter after cleaning is ignored;
the inserted synonym is drawn (the script takes the first of a set, whose order depends on the process); the original
does not end with a space.
"""

import re
from collections.abc import Collection

from augment.text.lexicon import MAX_CACHED_WORDS, SynonymLookup, find_synonyms
from augment.text.operations import Draw, draw_deletions, draw_items

Words = list[str]

_TRIES = 9
"""How many random words are tried before an insertion is skipped."""


class PaperLexicon(dict[str, tuple[str, ...]]):
    """A cache of synonyms, cleaned as in the script; stop words have synonyms, too."""

    def __init__(self, synonyms: SynonymLookup) -> None:
        super().__init__()
        self._synonyms = synonyms

    def __missing__(self, word: str) -> tuple[str, ...]:
        cleaned = dict.fromkeys(
            " ".join(re.sub("[^a-z ]", "", name.replace("-", " ").lower()).split())
            for name in find_synonyms(self._synonyms, word)
        )
        found = tuple(name for name in cleaned if name and name != word)
        if len(self) < MAX_CACHED_WORDS:
            self[word] = found
        return found


def clean(text: str) -> str:
    """Keep the letters a to z, in lower case, and single spaces: hyphens become spaces, apostrophes are removed."""
    return " ".join(re.sub("[^a-z]", " ", re.sub("['\u2019]", "", text).lower()).split())


class PaperOperations:
    """The four operations on lists of words.

    Args:
        lexicon: the synonyms.
        stop_words: words that are not replaced.
    """

    def __init__(self, lexicon: PaperLexicon, stop_words: Collection[str]) -> None:
        self._lexicon = lexicon
        self._stop_words = stop_words

    def replace(self, words: Words, changes: int, draw: Draw) -> Words:
        """Replace every occurrence of up to `changes` distinct words, stop words excepted, by a random synonym.

        As in the script, a word that was inserted as a synonym may be replaced, too.
        """
        replaced = list(words)
        positions: dict[str, list[int]] = {}
        for position, word in enumerate(words):
            positions.setdefault(word, []).append(position)
        kinds = [word for word in positions if word not in self._stop_words and self._lexicon[word]]
        for word in draw_items(kinds, changes, draw):
            options = self._lexicon[word]
            synonym = options[int(draw() * len(options))]
            moved = positions.pop(word)
            for position in moved:
                replaced[position] = synonym
            positions[synonym] = positions.get(synonym, []) + moved
        return replaced

    def insert(self, words: Words, changes: int, draw: Draw) -> Words:
        """Insert a random synonym of a random word before a random word, `changes` times."""
        longer = list(words)
        for _ in range(changes):
            for _ in range(_TRIES):
                options = self._lexicon[longer[int(draw() * len(longer))]]
                if options:
                    longer.insert(int(draw() * len(longer)), options[int(draw() * len(options))])
                    break
        return longer

    def swap(self, words: Words, changes: int, draw: Draw) -> Words:
        """Exchange two random words, `changes` times; a swap is skipped after three draws of the same position."""
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
        """Delete each word with a probability; if none would stay, one random word stays."""
        if len(words) == 1:
            return words
        left = list(words)
        for position in reversed(draw_deletions(len(words), probability, draw)):
            del left[position]
        return left
