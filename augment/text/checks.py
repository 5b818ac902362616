"""What is checked of the arguments: a mistake is named where it is made."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from augment.errors import AugmentError


def check_fraction(name: str, value: Any) -> None:
    """Refuse what is no share or probability.

    Raises:
        AugmentError: it is no number, or not between 0 and 1.
    """
    if not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise AugmentError(f"{name} must lie between 0 and 1, got {value!r}")


def check_text(text: Any) -> None:
    """Refuse what is no text.

    Raises:
        AugmentError: it is no string.
    """
    if not isinstance(text, str):
        hint = ": decode it first" if isinstance(text, bytes) else ""
        raise AugmentError(f"a text is a str, got {type(text).__name__}{hint}")


def check_texts(texts: Sequence[str]) -> None:
    """Refuse one text in the place of several: it is a sequence, too, of its letters.

    Raises:
        AugmentError: it is a string or bytes.
    """
    if isinstance(texts, (str, bytes)):
        raise AugmentError(f"a batch is a list of texts, got one {type(texts).__name__}")
