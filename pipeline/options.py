"""Checks of option values; each yields a message if the value is wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, TypeVar

from augment.errors import AugmentError
from pipeline.errors import OptionError

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
    if value not in choices:
        yield f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}"


def check_integer(name: str, value: Any, least: int, *, may_be_none: bool = False) -> Iterator[str]:
    """Check that a value is an integer of at least `least`."""
    if not (value is None and may_be_none) and not (is_integer(value) and value >= least):
        yield f"{name} must be an integer of at least {least}{', or None' if may_be_none else ''}; got {value!r}"


def check_bool(name: str, value: Any) -> Iterator[str]:
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        yield f"{name} must be True or False, got {value!r}"


def check_size(name: str, value: Any) -> Iterator[str]:
    """Check that a value is None, or a height and a width in pixels."""
    is_size = (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) == 2
        and all(is_integer(side) and side > 0 for side in value)
    )
    if value is not None and not is_size:
        yield f"{name} must be (height, width) in pixels, or None; got {value!r}"


def is_integer(value: object) -> bool:
    """Whether a value is an integer of Python or NumPy, and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def build_option(value: Any, build: Callable[[Any], _T]) -> _T | None:
    """Build the object that the value of an option describes; return None for None.

    Raises:
        OptionError: it cannot be built.
    """
    try:
        return None if value is None else build(value)
    except AugmentError as error:
        raise OptionError(str(error)) from None
