"""Checks of arguments."""

from collections.abc import Sequence
from typing import Any

from augment.checks import is_number
from augment.errors import AugmentError


def check_fraction(name: str, value: Any) -> None:
    """Check a fraction or probability.

    Raises:
        AugmentError: `value` is not a number between 0 and 1.
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise AugmentError(f"{name} must be between 0 and 1, got {value!r}")


def check_text(text: Any) -> None:
    """Check a text.

    Raises:
        AugmentError: `text` is not a string.
    """
    if not isinstance(text, str):
        hint = ": decode it first" if isinstance(text, bytes) else ""
        raise AugmentError(f"a text must be a str, got {type(text).__name__}{hint}")


def check_texts(texts: Sequence[str]) -> None:
    """Check a batch of texts: a single text is a sequence, too, of its letters.

    Raises:
        AugmentError: `texts` is a string or bytes.
    """
    if isinstance(texts, (str, bytes)):
        raise AugmentError(f"a batch must be a list of texts, got a single {type(texts).__name__}")
