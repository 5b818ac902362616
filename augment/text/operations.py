"""The four operations of EDA on a text that keeps its case, punctuation and spacing (Wei and Zou 2019).

Each takes a sentence, the amount of change and a source of random numbers, and returns the changed text; if there is
nothing to change, the unchanged text. They are deterministic: equal draws give equal texts.
"""

import math
from collections.abc import Callable
from typing import TypeVar

from augment.text.lexicon import Lexicon
from augment.text.words import split_pieces

Draw = Callable[[], float]
"""Returns a new uniform number in [0, 1) per call: the `random` of a generator made from a key."""

_Item = TypeVar("_Item")


class Sentence:
    """A text in pieces, and which of its words have synonyms.

    Attributes:
        text: the text.
        lexicon: the synonyms.
        pieces: the text in pieces: the characters before the first word, the first word, the characters up to the
            second word, and so on; words have odd indices.
        words: the words.
        replaceable: the positions of the words that have synonyms and are not stop words.
    """

    __slots__ = ("_kinds", "lexicon", "pieces", "replaceable", "text", "words")

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self.text = text
        self.lexicon = lexicon
        self.pieces = split_pieces(text)
        self.words = self.pieces[1::2]
        self.replaceable = [
            position for position, options in enumerate(map(lexicon.__getitem__, self.words)) if options
        ]
        self._kinds: list[list[int]] | None = None

    @property
    def kinds(self) -> list[list[int]]:
        """The positions of each distinct replaceable word, ignoring case."""
        # Not cached_property: in Python 3.11 its lock takes a tenth of the time of a variant.
        if self._kinds is None:
            positions: dict[str, list[int]] = {}
            for position in self.replaceable:
                positions.setdefault(self.words[position].lower(), []).append(position)
            self._kinds = list(positions.values())
        return self._kinds

    def count_changes(self, alpha: float) -> int:
        """Return the number of changes for a fraction of the words: at least one."""
        return max(1, int(alpha * len(self.words)))


def replace_synonyms(sentence: Sentence, changes: float, draw: Draw) -> str:
    """Replace every occurrence of up to `changes` distinct words, stop words excepted, each by one random synonym."""
    pieces = sentence.pieces.copy()
    for positions in draw_items(sentence.kinds, int(changes), draw):
        put_synonym(sentence, pieces, positions, int(draw() * len(sentence.lexicon[sentence.words[positions[0]]])))
    return "".join(pieces)


def insert_synonyms(sentence: Sentence, changes: float, draw: Draw) -> str:
    """Insert a random synonym of a random word (no stop word) at a random position, end included; `changes` times."""
    words, positions, pieces = sentence.words, sentence.replaceable, sentence.pieces.copy()
    for _ in range(int(changes) if positions else 0):
        options = sentence.lexicon[words[positions[int(draw() * len(positions))]].lower()]
        insert(pieces, int(draw() * (len(words) + 1)), options[int(draw() * len(options))])
    return "".join(pieces)


def swap_words(sentence: Sentence, changes: float, draw: Draw) -> str:
    """Exchange two random words, `changes` times; the characters between the words stay."""
    pieces, count = sentence.pieces.copy(), len(sentence.words)
    for _ in range(int(changes) if count > 1 else 0):
        one, other = int(draw() * count), int(draw() * (count - 1))
        if other >= one:
            other += 1
        swap(pieces, one, other)
    return "".join(pieces)


def delete_words(sentence: Sentence, probability: float, draw: Draw) -> str:
    """Delete each word with a probability; if no word would stay, one random word stays. Punctuation stays."""
    return delete(sentence, draw_deletions(len(sentence.words), probability, draw))


def put_synonym(sentence: Sentence, pieces: list[str], positions: list[int], option: int) -> None:
    """Replace a word at all its positions by one of its synonyms, in the case of each occurrence."""
    for position in positions:
        pieces[2 * position + 1] = sentence.lexicon[sentence.words[position]][option]


def insert(pieces: list[str], position: int, word: str) -> None:
    """Insert a word before the word at a position, or after the last one."""
    if 2 * position + 1 < len(pieces):
        pieces[2 * position + 1] = f"{word} {pieces[2 * position + 1]}"
    else:
        pieces[-2] = f"{pieces[-2]} {word}"


def swap(pieces: list[str], one: int, other: int) -> None:
    """Exchange the words at two positions."""
    pieces[2 * one + 1], pieces[2 * other + 1] = pieces[2 * other + 1], pieces[2 * one + 1]


def delete(sentence: Sentence, positions: list[int]) -> str:
    """Delete words, each with the white space before it; the first word with the white space after it."""
    pieces = sentence.pieces.copy()
    for position in positions:
        pieces[2 * position] = pieces[2 * position].rstrip()
        pieces[2 * position + 1] = ""
    left = "".join(pieces)
    return left if left[:1] == sentence.text[:1] or sentence.text[:1].isspace() else left.lstrip()


def draw_deletions(count: int, probability: float, draw: Draw) -> list[int]:
    """Draw the words that are deleted, each with a probability, in ascending order; at least one of `count` stays."""
    # The gaps between deleted words have a geometric distribution: one draw per deleted word, not per word.
    scale = 1 / math.log1p(-probability) if probability < 1 else 0.0
    deleted = []
    position = int(math.log1p(-draw()) * scale)
    while position < count:
        deleted.append(position)
        position += 1 + int(math.log1p(-draw()) * scale)
    if deleted and len(deleted) == count:
        del deleted[int(draw() * count)]
    return deleted


def draw_items(items: list[_Item], count: int, draw: Draw) -> list[_Item]:
    """Draw `count` distinct items in random order; all items if there are fewer."""
    if count == 1 and items:
        return [items[int(draw() * len(items))]]
    shuffled = items.copy()
    count = min(count, len(shuffled))
    for index in range(count):
        other = index + int(draw() * (len(shuffled) - index))
        shuffled[index], shuffled[other] = shuffled[other], shuffled[index]
    return shuffled[:count]
