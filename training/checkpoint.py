"""The state of a training in one file: all variables, and where it stands. Written whole or not at all."""

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from training.errors import TrainingError
from training.files import lock, replace_atomically

if TYPE_CHECKING:
    import keras

FORMAT = 2
LOCK = "training.lock"

Identity: TypeAlias = Mapping[str, str]
"""What makes a training the one that it is: for each part, by a name that people understand, a hash."""


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


@contextlib.contextmanager
def claim(directory: Path | None) -> Iterator[None]:
    """Make the directory of a training, and keep other processes out of it: two would overwrite each other's files.

    Raises:
        TrainingError: another process trains in it.
    """
    if directory is None:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock(directory / LOCK, wait=False))
        except BlockingIOError:
            raise TrainingError(
                f"another process trains in {directory}; wait for it, or give another directory"
            ) from None
        yield


def list_variables(model: "keras.Model") -> "list[keras.Variable]":
    """List what training changes: weights, moving averages, the states of random layers, and the optimizer's."""
    if not model.optimizer.built:  # building again would give a `LossScaleOptimizer` its variables twice
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def write(path: Path, variables: "Sequence[keras.Variable]", state: State, identity: Identity) -> None:
    """Write a checkpoint, whole or not at all, even when the process or the machine stops meanwhile.

    Args:
        path: the file, `.npz`; what it holds is replaced.
        variables: of the model and its optimizer, in their order.
        state: where the training stands.
        identity: of the training; only the same one can go on from here.
    """
    described = {"format": FORMAT, "identity": dict(identity), "state": asdict(state)}
    arrays: dict[str, Any] = {f"variable{number:05}": np.asarray(variable) for number, variable in enumerate(variables)}
    arrays["json"] = np.frombuffer(json.dumps(described).encode(), np.uint8)
    with replace_atomically(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # numbers all: nothing is pickled
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, variables: "Sequence[keras.Variable]", identity: Identity) -> State:
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
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path} is no checkpoint: {error}; remove it to begin anew") from None
    if described.get("format") != FORMAT:
        raise TrainingError(f"{path} was written by another version of Caudal; begin anew in another directory")
    stored_identity = described["identity"]
    other = [part for part in identity if stored_identity.get(part) != identity[part]]
    if not other and [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        other = ["the weights' shapes"]
    if other:
        raise TrainingError(
            f"{path} is a checkpoint of another training: what differs is {', and '.join(other)}; "
            "give what it was, or another directory"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return State(**described["state"])


def strip_names(config: Any) -> Any:
    """Leave names out of a Keras configuration: those that Keras counts up depend on what was built before."""
    if isinstance(config, dict):
        return {key: strip_names(value) for key, value in config.items() if key not in ("name", "keras_history")}
    if isinstance(config, (list, tuple)):
        return [strip_names(value) for value in config]
    return config
