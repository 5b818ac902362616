"""Checks of numbers among the options of trainings."""

from numbers import Integral, Real

from training.errors import TrainingError


def check_count(name: str, value: object, least: int = 1) -> None:
    """Check that an option is an integer of at least `least`.

    Raises:
        TrainingError: it is not.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TrainingError(f"{name} must be an integer, got {value!r}")
    if int(value) < least:
        raise TrainingError(f"{name} must be at least {least}, got {value}")


def is_number(value: object) -> bool:
    """Return whether a value is a real number, and not a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)
