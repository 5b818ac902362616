"""Checks of option values; each yields a message if the value is wrong."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

from augment.errors import AugmentError
from pipeline.errors import OptionError

MAX_INTEGER = 2**31 - 1
"""The largest value of an integer option: tf.data counts in 32 bits."""

_T = TypeVar("_T")


def raise_first(messages: Iterable[str]) -> None:
    """Raise the first message, if any.

    Raises:
        OptionError: there is a message.
    """
    for message in messages:
        raise OptionError(message)


def check_choice(name: str, value: Any, choices: Iterable[str | None]) -> Iterator[str]:
    """Check that a value is one of the choices."""
    choices = tuple(choices)
    if not (value is None or isinstance(value, str)) or value not in choices:
        yield f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}"


def check_integer(
    name: str, value: Any, least: int, *, most: float = MAX_INTEGER, may_be_none: bool = False
) -> Iterator[str]:
    """Check that a value is an integer of at least `least` and at most `most`."""
    if value is None and may_be_none:
        return
    if not is_integer(value) or value < least:
        yield f"{name} must be an integer of at least {least}{', or None' if may_be_none else ''}; got {value!r}"
    elif value > most:
        yield f"{name} must be at most {most}; got {value!r}"


def check_count(name: str, value: Any, least: int) -> Iterator[str]:
    """Check that a value is a count (an integer of at least `least`), a fraction (another number), or None.

    A fraction is at most 1, and more than 0 if `least` is.
    """
    if value is None or (is_integer(value) and value >= least):
        return
    if not (is_fraction(value) and (value > 0 or not least)):
        yield (
            f"{name} must be a count of at least {least} (int), a fraction in {'(' if least else '['}0, 1] (float), or "
            f"None; got {value!r}"
        )


def check_bool(name: str, value: Any) -> Iterator[str]:
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        yield f"{name} must be True or False, got {value!r}"


def check_size(name: str, value: Any) -> Iterator[str]:
    """Check that a value is None, or a height and a width in pixels."""
    is_size = (
        isinstance(value, Sequence)
        and not isinstance(value, (str, bytes))
        and len(value) == 2
        and all(is_integer(side) and 0 < side <= MAX_INTEGER for side in value)
    )
    if value is not None and not is_size:
        yield f"{name} must be (height, width) in pixels, or None; got {value!r}"


def is_integer(value: object) -> bool:
    """Whether a value is an integer of Python or NumPy, and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_fraction(value: object) -> bool:
    """Whether a value is a number from 0 to 1 that is not an integer type, such as a float of Python or NumPy."""
    return isinstance(value, Real) and not isinstance(value, Integral) and 0 <= float(value) <= 1


def to_python_number(value: Any) -> Any:
    """Convert a number of NumPy to one of Python, because a fingerprint contains its `repr`; other values pass."""
    if is_integer(value):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, Integral) and math.isfinite(value):
        return float(value)
    return value


def build_option(value: Any, build: Callable[[Any], _T]) -> _T | None:
    """Build the object that the value of an option describes; return None for None.

    Raises:
        OptionError: it cannot be built.
    """
    try:
        return None if value is None else build(value)
    except AugmentError as error:
        raise OptionError(str(error)) from None
