"""The state of a training in one file: all variables, and where it stands. Written whole or not at all."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import TrainingError
from training.files import replacing

if TYPE_CHECKING:
    import keras

FORMAT = 1


@dataclass
class State:
    """Where a training stands: everything besides the variables that a continuation needs.

    Attributes:
        epoch: the epoch that has begun, from 0.
        step: its batches that have been trained on.
        sums: over those batches, each log times the batch's samples.
        samples: of those batches.
        waited: seconds in which the model waited for these batches.
        worked: seconds in which it trained on them.
        history: for each log, its value in each epoch that has ended.
        waiting: the share of each such epoch in which the model waited for data.
        best: the lowest loss that has been monitored, and
        best_epoch: its epoch.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    waited: float = 0.0
    worked: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    waiting: list[float] = field(default_factory=list)
    best: float | None = None
    best_epoch: int | None = None


def variables_of(model: "keras.Model") -> "list[keras.Variable]":
    """List what training changes: weights, moving averages, the states of random layers, and the optimizer's."""
    model.optimizer.build(model.trainable_variables)  # does nothing where it has been done
    return [*model.variables, *model.optimizer.variables]


def write(path: Path, variables: "Sequence[keras.Variable]", state: State, identity: str) -> None:
    """Write a checkpoint, whole or not at all, even when the process or the machine stops meanwhile.

    Args:
        path: the file, `.npz`; what it holds is replaced.
        variables: of the model and its optimizer, in their order.
        state: where the training stands.
        identity: names the training; only the same one can go on from here.
    """
    described = {"format": FORMAT, "identity": identity, "state": asdict(state)}
    arrays = {f"variable{number:05}": np.asarray(variable) for number, variable in enumerate(variables)}
    arrays["json"] = np.frombuffer(json.dumps(described).encode(), np.uint8)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, variables: "Sequence[keras.Variable]", identity: str) -> State:
    """Read a checkpoint into a model and its optimizer.

    Args:
        path: what `write` wrote.
        variables: of the same model and optimizer.
        identity: as it was written.

    Returns:
        Where the training stands.

    Raises:
        TrainingError: the file is no checkpoint, or that of another training.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            described: dict[str, Any] = json.loads(bytes(stored["json"]))
            arrays = [stored[name] for name in sorted(stored.files) if name != "json"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise TrainingError(f"{path} is no checkpoint: {error}; remove it to begin anew") from None
    same = [array.shape for array in arrays] == [tuple(variable.shape) for variable in variables]
    if described.get("format") != FORMAT or described.get("identity") != identity or not same:
        raise TrainingError(
            f"{path} is a checkpoint of another training: data, model and options must be what they were; "
            "give those, or another directory"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return State(**described["state"])
