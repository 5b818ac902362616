"""Resuming: a training that was stopped anywhere ends with the weights of one that was not, bit for bit."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import Loader
from training import Checkpoints, Recipe, fit
from training.errors import TrainingError
from training.initialize import initialize

Make = Callable[..., Path]


class Stopped(Exception):  # noqa: N818  # it stands for a kill, not for an error
    """Raised in the middle of a training."""


def model() -> Any:
    """Build a small model with dropout, and with moving averages that training changes too."""
    import keras
    from keras import layers

    made = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2, "softmax"),
        ]
    )
    initialize(made, 0)
    return made


@pytest.fixture(autouse=True)
def determinism() -> Iterator[None]:
    """Switch TensorFlow's determinism of operations on, for the length of a test."""
    import tensorflow as tf
    from tensorflow.python.framework import config  # the public interface cannot switch it off

    tf.config.experimental.enable_op_determinism()
    yield
    config.disable_op_determinism()


@pytest.fixture
def loaders(folders: Make) -> tuple[Loader, Loader]:
    """Define training data of seven batches an epoch, and validation data."""
    import albumentations as A  # noqa: N812  # the usual name

    options: dict[str, Any] = {"image_size": (8, 8), "batch_size": 4}
    train = Loader(folders(ants=13, bees=14), augment=A.Compose([A.HorizontalFlip()]), **options)
    return train, Loader(folders(ants=4, bees=4), shuffle=False, **options)


def stop_at(batches: int) -> Any:
    """Make a callback that raises after so many batches."""
    import keras

    class Stopper(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        seen = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002  # Keras's signature
            self.seen += 1
            if self.seen == batches:
                raise Stopped

    return Stopper()


def train(loaders: tuple[Loader, Loader], directory: Path, **options: Any) -> tuple[Any, Any]:
    """Train for three epochs with a checkpoint every two batches: (model, history)."""
    trained = model()
    recipe = Recipe(schedule="cosine", weight_decay=1e-3, label_smoothing=0.1, patience=3)
    history = fit(
        trained,
        *loaders,
        epochs=3,
        recipe=recipe,
        checkpoints=Checkpoints(directory=directory, every_steps=2, resume=options.pop("resume", False)),
        **options,
    )
    return trained, history


def test_a_stopped_training_goes_on_exactly(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """After two stops, the second before an epoch's smaller last batch: all variables and the history are the same."""
    whole, history = train(loaders, tmp_path / "whole")
    for callbacks in ([stop_at(5)], [stop_at(3)]):
        with pytest.raises(Stopped):
            train(loaders, tmp_path / "stopped", callbacks=callbacks, resume=True)
    resumed, again = train(loaders, tmp_path / "stopped", resume=True)
    for one, other in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    for one, other in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    assert again.history == history.history
    assert [len(values) for values in again.history.values()] == [3] * 4


def test_a_finished_training_is_not_repeated(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """Resuming it gives its weights and history without a step."""
    whole, history = train(loaders, tmp_path)
    resumed, again = train(loaders, tmp_path, resume=True, callbacks=[stop_at(1)])
    assert again.history == history.history
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_directory_in_use_is_not_overwritten(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """Without `resume`, the message says what to do."""
    train(loaders, tmp_path)
    with pytest.raises(TrainingError, match="contains a training; use resume=True, or another directory"):
        train(loaders, tmp_path)


def test_another_training_is_refused(loaders: tuple[Loader, Loader], tmp_path: Path, folders: Make) -> None:
    """Other data, another recipe and a damaged file are refused; the message names what differs."""
    train(loaders, tmp_path)
    checkpoints = Checkpoints(directory=tmp_path, resume=True)
    with pytest.raises(TrainingError, match="another training: the recipe, and the optimizer"):
        fit(model(), *loaders, epochs=3, checkpoints=checkpoints)
    other = Loader(folders(ants=13, bees=14), image_size=(8, 8), batch_size=4, seed=1)
    with pytest.raises(
        TrainingError, match=r"the training data \(samples, .*seed\) differ: data, seed.*; restore them"
    ):
        train((other, loaders[1]), tmp_path, resume=True)
    with pytest.raises(TrainingError, match="of another training: the validation data differ; restore"):
        train((loaders[0], loaders[1].dataset()), tmp_path, resume=True)  # type: ignore[arg-type]  # a loader without a name
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(TrainingError, match="is not a valid checkpoint"):
        train(loaders, tmp_path, resume=True)


def test_two_trainings_do_not_share_a_directory(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """The second is refused while the first runs: they would overwrite each other's files."""
    import keras

    def second(*_: Any) -> None:
        with pytest.raises(TrainingError, match=r"another process is training in .*; wait for it, or use another"):
            train(loaders, tmp_path, resume=True)
        seen.append(True)

    seen: list[bool] = []
    train(loaders, tmp_path, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=second)])
    assert len(seen) == 3


def test_a_training_in_mixed_precision_goes_on(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """The optimizer, with the scale of its losses, is restored; on a GPU every training uses it."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        whole, history = train(loaders, tmp_path / "whole")
        with pytest.raises(Stopped):
            train(loaders, tmp_path / "stopped", callbacks=[stop_at(5)])
        resumed, again = train(loaders, tmp_path / "stopped", resume=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert type(resumed.optimizer).__name__ == "LossScaleOptimizer"
    assert again.history == history.history
    for one, other in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)


def test_a_dataset_cannot_be_resumed(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """It does not start anywhere but at its beginning."""
    with pytest.raises(TrainingError, match=r"checkpoints need a loader"):
        fit(model(), loaders[0].dataset(), checkpoints=Checkpoints(directory=tmp_path))


def test_table_and_events_hold_every_epoch(loaders: tuple[Loader, Loader], tmp_path: Path) -> None:
    """history.csv and TensorBoard's files have the values of the history."""
    import tensorflow as tf

    _, history = train(loaders, tmp_path)
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == history.history["val_loss"]
    assert [float(row["waiting"]) for row in rows] == history.waiting
    events = sorted((tmp_path / "tensorboard" / "validation").iterdir())
    found = {}
    for record in tf.data.TFRecordDataset([str(path) for path in events]):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    expected = {("epoch_loss", epoch): value for epoch, value in enumerate(history.history["val_loss"])}
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def command(source: Path, out: Path, *more: str) -> list[str]:
    """Write the command line of a training of many small batches."""
    arguments = [sys.executable, "-m", "caudal", "train", str(source), "--out", str(out), "--json"]
    size = ["--image-size", "8x8", "--width", "0.03", "--batch-size", "4", "--epochs", "3", "--checkpoint-steps", "5"]
    return [*arguments, *size, *more]


@pytest.mark.alone
def test_kill_9_in_the_middle_of_an_epoch_changes_nothing(
    start: Callable[..., Any], folders: Make, project_root: Path, tmp_path: Path
) -> None:
    """`caudal train` killed by SIGKILL and run again with --resume has the weights of an undisturbed run."""
    source = folders(ants=100, bees=100)
    environment = {**os.environ, "PYTHONPATH": str(project_root), "TMPDIR": str(tmp_path)}  # what a kill leaves there
    whole = start(command(source, tmp_path / "a"), env=environment)
    killed = start(command(source, tmp_path / "b"), env=environment)
    checkpoint = tmp_path / "b" / "checkpoint.npz"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(30) == -signal.SIGKILL
    with np.load(checkpoint) as stored:
        state = json.loads(bytes(stored["json"]))["state"]
    assert state["epoch"] < 3
    resumed = subprocess.run(
        command(source, tmp_path / "b", "--resume"), env=environment, capture_output=True, check=True
    )
    undisturbed, _ = whole.communicate(timeout=240)
    weights = [json.loads(output)["weights_sha256"] for output in (undisturbed, resumed.stdout)]
    assert weights[0] == weights[1]
