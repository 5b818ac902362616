"""Damaged files: one error that names the file, whatever the damage."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import checkpoint
from training.checkpoint import State
from training.errors import TrainingError
from training.search import list_finished, load
from training.space import read_space

MUTATIONS = 1000
SPACE = b'model = ["graph", "vgg-a"]\nepochs = {low = 1, high = 3}\nwidth = {low = 0.1, high = 1, log = true}\n'


class Variable:
    """A variable as a checkpoint needs it, without TensorFlow."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.shape = values.shape

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values

    def assign(self, values: np.ndarray) -> None:
        """Set the values."""
        self.values = np.array(values)


def catch_refusal(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return a call's result, or the message with which it was refused."""
    try:
        return call(), ""
    except TrainingError as error:
        return None, str(error)


def mutate(contents: bytes, random: np.random.Generator) -> bytes:
    """Cut, change, insert or remove bytes."""
    data = bytearray(contents)
    position = int(random.integers(len(data)))
    match int(random.integers(4)):
        case 0:
            del data[position:]
        case 1:
            for at in random.integers(0, len(data), int(random.integers(1, 9))):
                data[at] = int(random.integers(256))
        case 2:
            data[position:position] = random.bytes(int(random.integers(1, 20)))
        case _:
            del data[position : position + int(random.integers(1, 20))]
    return bytes(data)


def test_damaged_checkpoints_are_named(tmp_path: Path) -> None:
    """A mutated checkpoint is refused by its path, or holds exactly what was written."""
    values = [np.arange(6.0).reshape(2, 3), np.arange(4)]
    state = State(epoch=1, step=2, samples=3, history={"loss": [0.5]}, waiting=[0.1])
    path = tmp_path / "checkpoint.npz"
    checkpoint.write(path, [Variable(value) for value in values], state, {"data": "1"})  # type: ignore[misc]
    contents, random, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(MUTATIONS):
        path.write_bytes(mutate(contents, random))
        variables = [Variable(np.zeros_like(value)) for value in values]
        found, message = catch_refusal(functools.partial(checkpoint.read, path, variables, {"data": "1"}))  # type: ignore[arg-type]
        if message:
            refused += 1
            assert message.startswith(str(path))
            continue
        assert found == state
        assert all(np.array_equal(one.values, value) for one, value in zip(variables, values, strict=True))
    assert refused > MUTATIONS / 2


def test_damaged_spaces_are_named(tmp_path: Path) -> None:
    """A mutated space is refused by its path, or is another space."""
    path, random = tmp_path / "space.toml", np.random.default_rng(1)
    hostile = [b"a = " + b"[" * 100_000, b"epochs = " + b"9" * 5000, b"\xff", b"[[x]]\ny = 1979-13-45"]
    refused = 0
    for contents in (*hostile, *(mutate(SPACE, random) for _ in range(MUTATIONS))):
        path.write_bytes(contents)
        _, message = catch_refusal(lambda: read_space(path))
        refused += bool(message)
        assert not message or str(path) in message
    assert refused > MUTATIONS / 2


def test_damaged_databases_are_named(tmp_path: Path) -> None:
    """A mutated study is refused by its path, or can be listed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path, random = tmp_path / "search.db", np.random.default_rng(2)
    study = optuna.create_study(study_name="caudal", storage=f"sqlite:///{path}")
    study.enqueue_trial({"x": 0.5})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    contents, refused = path.read_bytes(), 0
    for _ in range(60):  # opening a study takes about 20 ms
        path.write_bytes(mutate(contents, random))
        _, message = catch_refusal(lambda: list_finished(load(tmp_path)))
        refused += bool(message)
        assert not message or str(path) in message
        assert "\n" not in message
    assert refused > 10


@pytest.mark.parametrize("name", ["search.db", "checkpoint.npz"])
def test_directories_in_place_of_files_are_named(tmp_path: Path, name: str) -> None:
    """They are neither a database nor a checkpoint."""
    (tmp_path / name).mkdir()
    with pytest.raises(TrainingError, match=name):
        load(tmp_path) if name == "search.db" else checkpoint.read(tmp_path / name, [], {})
