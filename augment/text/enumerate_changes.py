"""All texts that one change makes of a sentence, for sentences where drawing finds too few variants."""

from collections.abc import Iterator
from typing import TypeVar

from augment.text.operations import Sentence, delete, insert, put_synonym, swap

_Item = TypeVar("_Item")


def iter_replacements(sentence: Sentence, first: int) -> Iterator[str]:
    """Yield the sentence with each of its words replaced by each synonym, beginning with word `first`."""
    for positions in _rotate(sentence.kinds, first):
        for option in range(len(sentence.lexicon[sentence.words[positions[0]]])):
            pieces = sentence.pieces.copy()
            put_synonym(sentence, pieces, positions, option)
            yield "".join(pieces)


def iter_insertions(sentence: Sentence, first: int) -> Iterator[str]:
    """Yield the sentence with each synonym of each word inserted at each position."""
    for positions in _rotate(sentence.kinds, first):
        for option in sentence.lexicon[sentence.words[positions[0]].lower()]:
            for position in range(len(sentence.words) + 1):
                pieces = sentence.pieces.copy()
                insert(pieces, position, option)
                yield "".join(pieces)


def iter_swaps(sentence: Sentence, first: int) -> Iterator[str]:
    """Yield the sentence with each pair of different words exchanged."""
    words = sentence.words
    if len(set(words)) < 2:
        return
    for one in _rotate(list(range(len(words))), first):
        for other in range(one + 1, len(words)):
            if words[one] != words[other]:
                pieces = sentence.pieces.copy()
                swap(pieces, one, other)
                yield "".join(pieces)


def iter_deletions(sentence: Sentence, first: int) -> Iterator[str]:
    """Yield the sentence without one word, then without two, and so on, down to a single word; each text once."""
    words = sentence.words
    fewer: dict[str, frozenset[int]] = {sentence.text: frozenset()}
    for _ in range(len(words) - 1):
        more: dict[str, frozenset[int]] = {}
        for deleted in fewer.values():
            left = [position for position in range(len(words)) if position not in deleted]
            # Deleting either of two equal neighbors gives the same text.
            distinct = [
                position
                for position, before in zip(left, [None, *left], strict=False)
                if before is None or words[before] != words[position]
            ]
            for position in _rotate(distinct, first):
                text = delete(sentence, sorted({*deleted, position}))
                if text not in more:
                    more[text] = deleted | {position}
                    yield text
        fewer = more


def _rotate(items: list[_Item], first: int) -> list[_Item]:
    first %= max(len(items), 1)
    return items[first:] + items[:first]
