"""The four operations of EDA on a text that keeps its case, punctuation and spacing (Wei and Zou 2019).

Each takes a sentence, how much to change, and a stream of uniform draws, and gives the changed text; where there is
nothing to change, the text as it was. They are deterministic: the same draws, the same text.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from typing import TypeVar

from augment.text.lexicon import Lexicon
from augment.text.words import spans_of, words_of

Draws = Iterator[float]
"""Uniform numbers in [0, 1), without end."""

Edit = tuple[int, int, str]
"""What stands from a start to an end is replaced by something."""

_Item = TypeVar("_Item")


class Sentence:
    """A text, its words, and which of them have synonyms.

    Attributes:
        text: the text.
        lexicon: gives the synonyms.
        words: the words.
        replaceable: the places of the words that are no stop words and have synonyms.
    """

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.text = text
        self.lexicon = lexicon
        self.words = words_of(text)
        self.replaceable = [place for place, options in enumerate(map(lexicon.__getitem__, self.words)) if options]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each word begins and ends."""
        return spans_of(self.text)

    @cached_property
    def kinds(self) -> list[list[int]]:
        """The distinct replaceable words, without regard to case: the places of each."""
        places: dict[str, list[int]] = {}
        for place in self.replaceable:
            places.setdefault(self.words[place].lower(), []).append(place)
        return list(places.values())

    def changes(self, alpha: float) -> int:
        """Give the number of changes that a share of the words makes: one at least."""
        return max(1, int(alpha * len(self.words)))

    def edited(self, edits: list[Edit]) -> str:
        """Apply edits that do not overlap; those at one place stay in their order."""
        if len(edits) > 1:
            edits.sort(key=itemgetter(0))
        parts: list[str] = []
        at = 0
        for start, end, new in edits:
            parts += (self.text[at:start], new)
            at = end
        parts.append(self.text[at:])
        return "".join(parts)


def replace_synonyms(sentence: Sentence, changes: int, draws: Draws) -> str:
    """Replace every occurrence of up to so many distinct words that are no stop words, each by one random synonym."""
    edits: list[Edit] = []
    for places in chosen(sentence.kinds, changes, draws):
        option = below(len(sentence.lexicon[sentence.words[places[0]]]), draws)
        edits += replacement(sentence, places, option)
    return sentence.edited(edits)


def insert_synonyms(sentence: Sentence, changes: int, draws: Draws) -> str:
    """Insert so many times a random synonym of a random word that is no stop word, at any place, the end included."""
    if not sentence.replaceable:
        return sentence.text
    edits = []
    for _ in range(changes):
        word = sentence.words[sentence.replaceable[below(len(sentence.replaceable), draws)]]
        options = sentence.lexicon[word.lower()]
        edits.append(insertion(sentence, below(len(sentence.words) + 1, draws), options[below(len(options), draws)]))
    return sentence.edited(edits)


def swap_words(sentence: Sentence, changes: int, draws: Draws) -> str:
    """Exchange the words at two random places, so many times; what stands between the words stays where it is."""
    words, count = sentence.words, len(sentence.words)
    if count < 2:
        return sentence.text
    moved: dict[int, int] = {}
    for _ in range(changes):
        one, other = below(count, draws), below(count - 1, draws)
        other += other >= one
        moved[one], moved[other] = moved.get(other, other), moved.get(one, one)
    return sentence.edited(
        [(*sentence.spans[place], words[origin]) for place, origin in moved.items() if place != origin]
    )


def delete_words(sentence: Sentence, probability: float, draws: Draws) -> str:
    """Delete each word with a probability; where none would stay, one random word stays. Punctuation stays."""
    count = len(sentence.words)
    if count < 2:
        return sentence.text
    return deletion(sentence, deleted_places(count, probability, draws))


def deleted_places(count: int, probability: float, draws: Draws) -> list[int]:
    """Draw which of so many words are deleted, each with a probability, in ascending order; one random word stays."""
    # The gaps between deleted words are geometric: a draw for each of them instead of one for each word.
    scale = 1 / math.log1p(-probability) if probability < 1 else 0.0
    deleted = []
    place = int(math.log1p(-next(draws)) * scale)
    while place < count:
        deleted.append(place)
        place += 1 + int(math.log1p(-next(draws)) * scale)
    if len(deleted) == count:
        del deleted[below(count, draws)]
    return deleted


def replacement(sentence: Sentence, places: list[int], option: int) -> list[Edit]:
    """Write the replacement of a word at all its places by one of its synonyms."""
    return [(*sentence.spans[place], sentence.lexicon[sentence.words[place]][option]) for place in places]


def insertion(sentence: Sentence, place: int, word: str) -> Edit:
    """Write the insertion of a word before the word at a place, or behind the last one."""
    if place < len(sentence.words):
        start = sentence.spans[place][0]
        return start, start, f"{word} "
    end = sentence.spans[-1][1]
    return end, end, f" {word}"


def deletion(sentence: Sentence, places: list[int]) -> str:
    """Delete the words at some places, each with the white space before it (the first, with that behind it)."""
    text, spans = sentence.text, sentence.spans
    edits: list[Edit] = []
    for place in places:
        start, end = spans[place]
        before = spans[place - 1][1] if place else 0
        edits.append((before + len(text[before:start].rstrip()), end, ""))
    left = sentence.edited(edits)
    return left if text[:1].isspace() else left.lstrip()


def below(limit: int, draws: Draws) -> int:
    """Draw an integer from 0 to below a limit."""
    return int(next(draws) * limit)


def chosen(items: list[_Item], count: int, draws: Draws) -> list[_Item]:
    """Draw so many distinct items in random order, or all where there are no more."""
    if count == 1 and items:
        return [items[int(next(draws) * len(items))]]
    drawn = list(items)
    count = min(count, len(drawn))
    for place in range(count):
        other = place + int(next(draws) * (len(drawn) - place))
        drawn[place], drawn[other] = drawn[other], drawn[place]
    return drawn[:count]
