"""A search space: which attributes of an experiment vary, and how. It is written in TOML.

model = ["all-convolutional-c", "mobilenet-simplified"]    # a list: one of these values
width = { low = 0.125, high = 0.5, step = 0.125 }          # a table: a number in a range
learning_rate = { low = 1e-4, high = 1e-2, log = true }
epochs = 5                                                 # any other value is fixed
"""

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from augment.regular_files import read_regular_file
from augment.stored_files import name_damage
from training.architectures.registry import NAMES
from training.errors import TrainingError
from training.recipe import OPTIMIZERS, SCHEDULES

KNOWN: Mapping[str, type] = {
    "augment": str,
    "batch_size": int,
    "dropout": bool,
    "epochs": int,
    "label_smoothing": float,
    "learning_rate": float,
    "model": str,
    "optimizer": str,
    "schedule": str,
    "strength": float,
    "warmup": float,
    "weight_decay": float,
    "width": float,
}
"""The names that a space may contain, and the types of their values: attributes of an experiment and its recipe;
`augment`, a policy's name or a file; and `strength`, the fraction of samples that are augmented, from 0 to 1."""

_TYPES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}

_CHOICES: Mapping[str, tuple[str, ...]] = {"model": NAMES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}
_POSITIVE = ("batch_size", "epochs", "learning_rate", "width")
_FRACTIONS = ("label_smoothing", "warmup")

_POINTS = 5
"""Number of values of a range without steps on a grid."""

Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Value, ...]

    def grid(self) -> list[Value]:
        """Return all values."""
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, uniform or uniform in the logarithm; in steps, or continuous."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def is_integer(self) -> bool:
        """Whether low, high and step are integers."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))

    @property
    def is_finite(self) -> bool:
        """Whether the number of values is finite."""
        return self.is_integer or self.step is not None

    def grid(self) -> list[Value]:
        """Return the values on a grid: every step, or five values without steps."""
        if self.step is not None or (self.is_integer and not self.log):
            step = self.step or 1
            count = math.floor((self.high - self.low) / step * (1 + 1e-9)) + 1
            return [self.low + step * number for number in range(count)]
        positions = [number / (_POINTS - 1) for number in range(_POINTS)]
        if self.log:
            values = [self.low * (self.high / self.low) ** position for position in positions]
        else:
            values = [self.low + (self.high - self.low) * position for position in positions]
        return list(dict.fromkeys(map(round, values))) if self.is_integer else list(values)


Dimension: TypeAlias = Choice | Range


@dataclass(frozen=True)
class SearchSpace:
    """The dimensions that vary, and the values that are fixed.

    Attributes:
        dimensions: by the attribute's name.
        fixed: by the attribute's name.
    """

    dimensions: Mapping[str, Dimension]
    fixed: Mapping[str, Value]

    @property
    def grid(self) -> dict[str, list[Value]]:
        """The values of each dimension on a grid."""
        return {name: dimension.grid() for name, dimension in self.dimensions.items()}

    def list_unbounded(self) -> list[str]:
        """Return the names of the ranges with infinitely many values."""
        return [name for name, one in self.dimensions.items() if isinstance(one, Range) and not one.is_finite]

    def combinations(self) -> Iterator[dict[str, Value]]:
        """Yield all combinations of the grid."""
        grid = self.grid
        return (dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))

    def suggest(self, trial: Any) -> dict[str, Value]:
        """Let an Optuna trial choose a value of each dimension."""
        chosen = {}
        for name, dimension in self.dimensions.items():
            if isinstance(dimension, Choice):
                chosen[name] = trial.suggest_categorical(name, dimension.values)
            elif dimension.is_integer:
                step = int(dimension.step or 1)
                chosen[name] = trial.suggest_int(name, dimension.low, dimension.high, step=step, log=dimension.log)
            else:
                chosen[name] = trial.suggest_float(
                    name, dimension.low, dimension.high, step=dimension.step, log=dimension.log
                )
        return chosen


def read_space(path: str | Path) -> SearchSpace:
    """Read a search space.

    Raises:
        TrainingError: the file cannot be read, is not TOML, or is not a search space.
    """
    with name_damage(path, "a search space in TOML", TrainingError):
        values = tomllib.loads(read_regular_file(path).decode())
    try:
        return parse_space(values)
    except TrainingError as error:
        raise TrainingError(f"{path} is not a search space: {error}") from None


def parse_space(values: Mapping[str, Any]) -> SearchSpace:
    """Return the search space of a TOML file's values; see the head of this module.

    Raises:
        TrainingError: a name is unknown, or a value is invalid.
    """
    if unknown := [name for name in values if name not in KNOWN]:
        raise TrainingError(f"unknown names in the space: {', '.join(unknown)}; use {', '.join(KNOWN)}")
    parsed = {name: _parse_dimension(name, value) for name, value in values.items()}
    dimensions = {name: value for name, value in parsed.items() if isinstance(value, (Choice, Range))}
    if not dimensions:
        raise TrainingError("the space has no dimension; add a list or a range, for example width = [0.25, 0.5]")
    return SearchSpace(
        dimensions, {name: value for name, value in parsed.items() if not isinstance(value, (Choice, Range))}
    )


def _parse_dimension(name: str, value: Any) -> Dimension | Value:
    if isinstance(value, list):
        if not value:
            raise TrainingError(f"{name} needs at least one value, got an empty list")
        return Choice(tuple(dict.fromkeys(_check_value(name, one) for one in value)))
    if isinstance(value, dict):
        return _parse_range(name, value)
    return _check_value(name, value)


def _check_type(name: str, value: Any) -> None:
    kind = KNOWN[name]
    if type(value) not in ((int, float) if kind is float else (kind,)):
        raise TrainingError(f"{name} must be {_TYPES[kind]}, or a list of them; got {value!r}")
    if kind is float and not math.isfinite(value):
        raise TrainingError(f"{name} must be finite, got {value}")


def _check_value(name: str, value: Any) -> Value:
    _check_type(name, value)
    if name == "strength" and not 0 <= value <= 1:
        raise TrainingError(f"strength is a fraction from 0 to 1, got {value}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise TrainingError(f"{name} must be one of {', '.join(_CHOICES[name])}; got {value!r}")
    if name in _POSITIVE and value <= 0:
        raise TrainingError(f"{name} must be positive, got {value}")
    if name in _FRACTIONS and not 0 <= value < 1:
        raise TrainingError(f"{name} must be at least 0 and below 1, got {value}")
    if name == "weight_decay" and value < 0:
        raise TrainingError(f"weight_decay must be at least 0, got {value}")
    checked: Value = value
    return checked


def _parse_range(name: str, value: dict[str, Any]) -> Range:
    if KNOWN[name] not in (int, float):
        raise TrainingError(f"{name} is {_TYPES[KNOWN[name]]} and cannot have a range; use a list")
    try:
        parsed = Range(**value)
    except TypeError:
        raise TrainingError(
            f"the range of {name} needs low and high, and optionally log or step; got {value}"
        ) from None
    if not isinstance(parsed.log, bool):
        raise TrainingError(f"log in the range of {name} must be true or false, got {parsed.log!r}")
    if parsed.step is not None:
        _check_type(name, parsed.step)
    for number in (parsed.low, parsed.high):
        _check_type(name, number)
    if not parsed.low < parsed.high:
        raise TrainingError(f"the range of {name} needs low below high, got {value}")
    if parsed.log and (parsed.low <= 0 or parsed.step is not None):
        raise TrainingError(f"a logarithmic range starts above 0 and has no step; got {name} = {value}")
    if parsed.step is not None and parsed.step <= 0:
        raise TrainingError(f"the step of {name} must be positive, got {value}")
    for number in (parsed.low, parsed.high):
        _check_value(name, number)
    return parsed
