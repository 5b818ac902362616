"""Checkpoints: all variables and the position of a training in one file, written atomically."""

import contextlib
import json
import os
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
"""What identifies a training: for each part, by a name for people, a hash."""


@dataclass
class State:
    """The state of a training without its variables.

    Attributes:
        epoch: the current epoch, from 0.
        step: finished steps of this epoch.
        sums: over these steps, each log times the batch's samples.
        samples: in these steps.
        waited: seconds in which the model waited for these batches.
        worked: seconds in which it trained on them.
        history: for each log, its value in each finished epoch.
        waiting: the input wait of each finished epoch.
        best: the lowest monitored loss.
        best_epoch: the epoch of `best`.
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
    """Create the directory of a training, and lock it: two processes would overwrite each other's files.

    Raises:
        TrainingError: another process is training in it.
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
                f"another process is training in {directory}; wait for it, or use another directory"
            ) from None
        yield


def list_variables(model: "keras.Model") -> "list[keras.Variable]":
    """List the variables that training changes: weights, moving averages, states of random layers and optimizer."""
    if not model.optimizer.built:  # a second build would create a `LossScaleOptimizer`'s variables twice
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def write(path: Path, variables: "Sequence[keras.Variable]", state: State, identity: Identity) -> None:
    """Write a checkpoint atomically: a crash of process or machine leaves the old one or the new one.

    Args:
        path: the file, `.npz`; an existing one is replaced.
        variables: of the model and its optimizer, in order.
        state: of the training.
        identity: of the training; only the same training can resume.
    """
    header = {"format": FORMAT, "identity": dict(identity), "state": asdict(state)}
    arrays: dict[str, Any] = {f"variable{number:05}": np.asarray(variable) for number, variable in enumerate(variables)}
    arrays["json"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with replace_atomically(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # numbers only: nothing is pickled
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, variables: "Sequence[keras.Variable]", identity: Identity) -> State:
    """Read a checkpoint into a model and its optimizer.

    Args:
        path: a file that `write` wrote.
        variables: of the same model and optimizer.
        identity: of the training.

    Returns:
        The state of the training.

    Raises:
        TrainingError: the file is not a checkpoint, is damaged, or belongs to another training.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            header: dict[str, Any] = json.loads(bytes(stored["json"]))
            arrays = [stored[name] for name in sorted(stored.files) if name != "json"]
        version, stored_identity = header["format"], dict(header.get("identity", {}))
        state = State(**header["state"]) if version == FORMAT else State()
        _check_state(state)
    except Exception as error:  # NumPy and zipfile raise errors of many classes for damaged files
        reason = f"{type(error).__name__} {error}".strip()
        raise TrainingError(f"{path} is not a checkpoint, or damaged: {reason}; remove it to start over") from None
    if version != FORMAT:
        raise TrainingError(f"{path} was written by another version of Caudal; start over in another directory")
    other = [part for part in identity if stored_identity.get(part) != identity[part]]
    if not other and [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        other = ["the weights' shapes"]
    if other:
        raise TrainingError(
            f"{path} is a checkpoint of another training: {', and '.join(other)} differ; "
            "restore them, or use another directory"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return state


def _check_state(state: State) -> None:
    """Raise a ValueError unless a state could have been written."""
    counts = (state.epoch, state.step, state.samples)
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError(f"its position is {counts}")
    lengths = {len(values) for values in (*state.history.values(), state.waiting)}
    if lengths != {state.epoch}:
        raise ValueError(f"its history has {sorted(lengths)} epochs, its position {state.epoch}")


def strip_names(config: Any) -> Any:
    """Remove names from a Keras configuration: Keras numbers them, depending on what was built before."""
    if isinstance(config, dict):
        return {key: strip_names(value) for key, value in config.items() if key not in ("name", "keras_history")}
    if isinstance(config, (list, tuple)):
        return [strip_names(value) for value in config]
    return config
