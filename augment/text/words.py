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
"""The 127 English stop words of the EDA paper's script: an older list of nltk's."""

_MARKS_END = 0x1FFFF
"""Combining marks of scripts stand below; what is behind are selectors of glyphs and characters for private use."""


def split_pieces(text: str) -> list[str]:
    """Cut a text in any script into what stands before the first word, that word, what stands before the second, ...

    A word is what stands between white space, from its first letter or digit to its last, with their combining marks:
    "re-imagining", "don't" and "1/2x" are one word each; quotes and commas around them, and emoji, are none.
    Scripts that are written without spaces are not segmented.

    Returns:
        2 N + 1 pieces for N words, which stand at the odd numbers; together they are the text.
    """
    return (_ASCII_WORD if text.isascii() else _compile_word_pattern()).split(text)


_ASCII_WORD = re.compile(r"([A-Za-z0-9](?:\S*[A-Za-z0-9])?)")


@cache
def _compile_word_pattern() -> re.Pattern[str]:
    # `re` takes combining marks (vowel signs, points, accents) for punctuation, but they belong to their letters.
    letter = rf"[^\W_][{_build_marks_class()}]*"
    return re.compile(rf"({letter}(?:\S*{letter})?)")


def _build_marks_class() -> str:
    """Write the combining marks as a character class wants them: ranges."""
    marks = [code for code in range(_MARKS_END) if unicodedata.category(chr(code)).startswith("M")]
    starts = [code for code in marks if not unicodedata.category(chr(code - 1)).startswith("M")]
    ends = [code for code in marks if not unicodedata.category(chr(code + 1)).startswith("M")]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))
