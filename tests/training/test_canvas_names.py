"""Names in figures."""

import pytest

from training.canvas import escape_missing_glyphs


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("bees", "bees"),
        ("a\nb", "a\nb"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\t\x7f\x9b", r"\t\x7f\x9b"),
        ("\u4e2d", r"\u4e2d"),
    ],
)
def test_characters_without_a_glyph_are_escaped(name: str, shown: str) -> None:
    """Also those of ASCII: Matplotlib's warning would print them as they are."""
    assert escape_missing_glyphs(name) == shown
