"""Checks of numbers among arguments: each message has the name, the range and the value."""

import math
from numbers import Integral, Real
from typing import Any, cast

from augment.errors import AugmentError


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number; booleans are not."""
    # Not `math.isfinite`: it raises OverflowError for large integers.
    return isinstance(value, Real) and not isinstance(value, bool) and bool(-math.inf < cast(Any, value) < math.inf)


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer; booleans are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_number(
    name: str, value: Any, low: float, high: float, error: type[AugmentError] = AugmentError, *, above: bool = False
) -> None:
    """Check a number.

    Args:
        name: the argument's name.
        value: the argument.
        low: the smallest value.
        high: the largest value.
        error: the class of the error.
        above: exclude `low`.

    Raises:
        AugmentError: `value` is not a number of the range; of the class `error`.
    """
    if not is_number(value) or not low <= value <= high or (above and value == low):
        allowed = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
        raise error(f"{name} must be a number {allowed}, got {value!r}")


def check_integer(name: str, value: Any, low: int, high: int, error: type[AugmentError] = AugmentError) -> None:
    """Check an integer.

    Args:
        name: the argument's name.
        value: the argument.
        low: the smallest value.
        high: the largest value.
        error: the class of the error.

    Raises:
        AugmentError: `value` is not an integer of the range; of the class `error`.
    """
    if not is_integer(value) or not low <= value <= high:
        raise error(f"{name} must be an integer from {low} to {high}, got {value!r}")


def check_bool(name: str, value: Any, error: type[AugmentError] = AugmentError) -> None:
    """Check a boolean.

    Raises:
        AugmentError: `value` is not True or False; of the class `error`.
    """
    if not isinstance(value, bool):
        raise error(f"{name} must be True or False, got {value!r}")
