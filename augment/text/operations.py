"""The four operations of EDA on a text that keeps its case, punctuation and spacing (Wei and Zou 2019).

Each takes a sentence, how much to change, and where to draw from, and gives the changed text; where there is nothing to
change, the text as it was. They are deterministic: the same draws, the same text.
"""

import math
from collections.abc import Callable
from typing import TypeVar

from augment.text.lexicon import Lexicon
from augment.text.words import split_pieces

Draw = Callable[[], float]
"""Gives a uniform number in [0, 1), a new one at each call: the `random` of a generator made from a key."""

_Item = TypeVar("_Item")


class Sentence:
    """A text in pieces, and which of its words have synonyms.

    Attributes:
        text: the text.
        lexicon: gives the synonyms.
        pieces: the text, cut into what stands before the first word, the first word, what stands between it and the
            second, and so on: words have odd numbers.
        words: the words.
        replaceable: the places of the words that are no stop words and have synonyms.
    """

    __slots__ = ("_kinds", "lexicon", "pieces", "replaceable", "text", "words")

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.text = text
        self.lexicon = lexicon
        self.pieces = split_pieces(text)
        self.words = self.pieces[1::2]
        self.replaceable = [place for place, options in enumerate(map(lexicon.__getitem__, self.words)) if options]
        self._kinds: list[list[int]] | None = None

    @property
    def kinds(self) -> list[list[int]]:
        """The distinct replaceable words, without regard to case: the places of each."""
        # Not cached_property: it takes a lock, which in Python 3.11 is a tenth of the time that a variant takes.
        if self._kinds is None:
            places: dict[str, list[int]] = {}
            for place in self.replaceable:
                places.setdefault(self.words[place].lower(), []).append(place)
            self._kinds = list(places.values())
        return self._kinds

    def count_changes(self, alpha: float) -> int:
        """Give the number of changes that a share of the words makes: one at least."""
        return max(1, int(alpha * len(self.words)))


def replace_synonyms(sentence: Sentence, changes: float, draw: Draw) -> str:
    """Replace every occurrence of up to so many distinct words that are no stop words, each by one random synonym."""
    pieces = sentence.pieces.copy()
    for places in draw_items(sentence.kinds, int(changes), draw):
        put_synonym(sentence, pieces, places, int(draw() * len(sentence.lexicon[sentence.words[places[0]]])))
    return "".join(pieces)


def insert_synonyms(sentence: Sentence, changes: float, draw: Draw) -> str:
    """Insert so many times a random synonym of a random word that is no stop word, at any place, the end included."""
    words, places, pieces = sentence.words, sentence.replaceable, sentence.pieces.copy()
    for _ in range(int(changes) if places else 0):
        options = sentence.lexicon[words[places[int(draw() * len(places))]].lower()]
        insert(pieces, int(draw() * (len(words) + 1)), options[int(draw() * len(options))])
    return "".join(pieces)


def swap_words(sentence: Sentence, changes: float, draw: Draw) -> str:
    """Exchange the words at two random places, so many times; what stands between the words stays where it is."""
    pieces, count = sentence.pieces.copy(), len(sentence.words)
    for _ in range(int(changes) if count > 1 else 0):
        one, other = int(draw() * count), int(draw() * (count - 1))
        if other >= one:
            other += 1
        swap(pieces, one, other)
    return "".join(pieces)


def delete_words(sentence: Sentence, probability: float, draw: Draw) -> str:
    """Delete each word with a probability; where none would stay, one random word stays. Punctuation stays."""
    return delete(sentence, draw_deletions(len(sentence.words), probability, draw))


def put_synonym(sentence: Sentence, pieces: list[str], places: list[int], option: int) -> None:
    """Replace a word at all its places by one of its synonyms, in the case of each."""
    for place in places:
        pieces[2 * place + 1] = sentence.lexicon[sentence.words[place]][option]


def insert(pieces: list[str], place: int, word: str) -> None:
    """Insert a word before the word at a place, or behind the last one."""
    if 2 * place + 1 < len(pieces):
        pieces[2 * place + 1] = f"{word} {pieces[2 * place + 1]}"
    else:
        pieces[-2] = f"{pieces[-2]} {word}"


def swap(pieces: list[str], one: int, other: int) -> None:
    """Exchange the words at two places."""
    pieces[2 * one + 1], pieces[2 * other + 1] = pieces[2 * other + 1], pieces[2 * one + 1]


def delete(sentence: Sentence, places: list[int]) -> str:
    """Delete the words at some places, each with the white space before it (the first, with that behind it)."""
    pieces = sentence.pieces.copy()
    for place in places:
        pieces[2 * place] = pieces[2 * place].rstrip()
        pieces[2 * place + 1] = ""
    left = "".join(pieces)
    return left if left[:1] == sentence.text[:1] or sentence.text[:1].isspace() else left.lstrip()


def draw_deletions(count: int, probability: float, draw: Draw) -> list[int]:
    """Draw which of so many words are deleted, each with a probability, in ascending order; one random word stays."""
    # The gaps between deleted words are geometric: a draw for each of them instead of one for each word.
    scale = 1 / math.log1p(-probability) if probability < 1 else 0.0
    deleted = []
    place = int(math.log1p(-draw()) * scale)
    while place < count:
        deleted.append(place)
        place += 1 + int(math.log1p(-draw()) * scale)
    if deleted and len(deleted) == count:
        del deleted[int(draw() * count)]
    return deleted


def draw_items(items: list[_Item], count: int, draw: Draw) -> list[_Item]:
    """Draw so many distinct items in random order, or all where there are no more."""
    if count == 1 and items:
        return [items[int(draw() * len(items))]]
    drawn = items.copy()
    count = min(count, len(drawn))
    for place in range(count):
        other = place + int(draw() * (len(drawn) - place))
        drawn[place], drawn[other] = drawn[other], drawn[place]
    return drawn[:count]
