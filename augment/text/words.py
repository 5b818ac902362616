"""The words of a text, and which words are stop words."""

import re
import unicodedata
from functools import cache

_STOP_WORDS = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves what which who whom this that these those am is are was were be been being
have has had having do does did doing a an the and but if or because as until while of at by for with about against
between into through during before after above below to from up down in out on off over under again further then once
here there when where why how all any both each few more most other some such no nor not only own same so than too very
s t can will just don should now
"""

STOP_WORDS = frozenset(_STOP_WORDS.split())
"""The 127 English stop words of the EDA paper's script: an older list of nltk."""

_MARKS_END = 0x1FFFF
"""Scripts have their combining marks below this; above are variation selectors and private-use characters."""


def split_pieces(text: str) -> list[str]:
    """Split a text in any script into the characters before the first word, that word, the characters after it, ...

    A word extends from the first to the last letter or digit between white space, with their combining marks:
    "re-imagining", "don't" and "1/2x" are one word each; quotes and commas around them, and emoji, are not words.
    Scripts that are written without spaces are not segmented.

    Returns:
        2 N + 1 pieces for N words, which have odd indices; joined they are the text.
    """
    return (_ASCII_WORD if text.isascii() else _compile_word_pattern()).split(text)


_ASCII_WORD = re.compile(r"([A-Za-z0-9](?:\S*[A-Za-z0-9])?)")


@cache
def _compile_word_pattern() -> re.Pattern[str]:
    # `re` treats combining marks (vowel signs, points, accents) as punctuation, but they belong to their letters.
    letter = rf"[^\W_][{_build_marks_class()}]*"
    return re.compile(rf"({letter}(?:\S*{letter})?)")


def _build_marks_class() -> str:
    """Return the combining marks as the ranges of a character class."""
    marks = [code for code in range(_MARKS_END) if unicodedata.category(chr(code)).startswith("M")]
    starts = [code for code in marks if not unicodedata.category(chr(code - 1)).startswith("M")]
    ends = [code for code in marks if not unicodedata.category(chr(code + 1)).startswith("M")]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))
