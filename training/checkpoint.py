"""Checkpoints: all variables and the position of a training in one file, written atomically."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from augment.stored_files import get_value, name_damage, read_arrays
from pipeline.identity import StreamIdentity
from training.errors import TrainingError
from training.files import lock, replace_atomically

if TYPE_CHECKING:
    import keras

FORMAT = 2
_SAME_ORDER = ', or resume="same-order", which accepts what alters pixels only'
LOCK = "training.lock"

Identity: TypeAlias = Mapping[str, str]
"""What identifies a training: for each part, by a name for people, a hash."""

Streams: TypeAlias = Mapping[str, StreamIdentity]
"""The streams of a training's data, by the names that the parts have in its identity."""


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


def write(
    path: Path, variables: "Sequence[keras.Variable]", state: State, identity: Identity, streams: Streams
) -> None:
    """Write a checkpoint atomically: a crash of process or machine leaves the old one or the new one.

    Args:
        path: the file, `.npz`; an existing one is replaced.
        variables: of the model and its optimizer, in order.
        state: of the training.
        identity: of the training; only the same training can resume.
        streams: of its data, to name what differs in another training's.
    """
    described = {part: stream.to_dict() for part, stream in streams.items()}
    header = {"format": FORMAT, "identity": dict(identity), "streams": described, "state": asdict(state)}
    arrays: dict[str, Any] = {f"variable{number:05}": np.asarray(variable) for number, variable in enumerate(variables)}
    arrays["json"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with replace_atomically(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # numbers only: nothing is pickled
        file.flush()
        os.fsync(file.fileno())


def read(
    path: Path, variables: "Sequence[keras.Variable]", identity: Identity, streams: Streams, resume: str = "exact"
) -> State:
    """Read a checkpoint into a model and its optimizer.

    Args:
        path: a file that `write` wrote.
        variables: of the same model and optimizer.
        identity: of the training.
        streams: of its data.
        resume: "exact", or "same-order" to accept what alters only the pixels of the data.

    Returns:
        The state of the training.

    Raises:
        TrainingError: the file is not a checkpoint, is damaged, or belongs to another training.
    """
    with name_damage(path, "a valid checkpoint", TrainingError, "remove it to start over"):
        stored = read_arrays(path)
        header: dict[str, Any] = json.loads(bytes(stored.pop("json")))
        arrays = [stored[name] for name in sorted(stored)]
        version, stored_identity = get_value(header, "format", int), get_value(header, "identity", dict, {})
        stored_streams = {
            part: StreamIdentity.from_dict(own) for part, own in get_value(header, "streams", dict, {}).items()
        }
        state = _read_state(get_value(header, "state", dict)) if version == FORMAT else State()
    if version != FORMAT:
        raise TrainingError(f"{path} was written by another version of Caudal; start over in another directory")
    found = {part: stream.compare(stored_streams[part]) for part, stream in streams.items() if part in stored_streams}
    accepted = [part for part, one in found.items() if one and not one.forbid(resume)]
    forbidden = [part for part, one in found.items() if one.forbid(resume)]
    other = [part for part in identity if stored_identity.get(part) != identity[part] and part not in accepted]
    other = [part for part in identity if part in (*other, *forbidden)]
    if not other and [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        other = ["the weights' shapes"]
    if other:
        details = ", ".join(dict.fromkeys(text for part in forbidden for text in found[part]))
        is_same_order = other == forbidden and not any(one.order for one in found.values())
        raise TrainingError(
            f"{path} is a checkpoint of another training: {', and '.join(other)} differ{details and f': {details}'}; "
            f"restore them, or use another directory{is_same_order * _SAME_ORDER}"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return state


def _read_state(values: dict[str, Any]) -> State:
    """Return a state; raises an error unless it could have been written."""
    names = [one.name for one in fields(State)]
    if sorted(values) != sorted(names):
        raise ValueError(f"its state must have {', '.join(names)}")
    for name in ("epoch", "step", "samples", *(("best_epoch",) if values["best_epoch"] is not None else ())):
        get_value(values, name, int)
    numbers = [get_value(values, "waited", float), get_value(values, "worked", float)]
    numbers += [*get_value(values, "sums", dict).values(), *get_value(values, "waiting", list)]
    for name, history in get_value(values, "history", dict).items():
        numbers += get_value({name: history}, name, list)
    numbers += [] if values["best"] is None else [values["best"]]
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("its state contains other values than numbers")
    state = State(**values)
    counts = (state.epoch, state.step, state.samples)
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError(f"its position is {counts}")
    lengths = {len(values) for values in (*state.history.values(), state.waiting)}
    if lengths != {state.epoch}:
        raise ValueError(f"its history has {sorted(lengths)} epochs, its position {state.epoch}")
    return state


def strip_names(config: Any) -> Any:
    """Remove names from a Keras configuration: Keras numbers them, depending on what was built before."""
    if isinstance(config, dict):
        return {key: strip_names(value) for key, value in config.items() if key not in ("name", "keras_history")}
    if isinstance(config, (list, tuple)):
        return [strip_names(value) for value in config]
    return config
