"""The training loop: it can stop at any step and resume exactly.

`loader.dataset(epoch, step)` continues a stream of batches at any step, so that a checkpoint needs only the variables
and two integers. Keras's own loop always starts at the first batch of an epoch; this loop does not. The step itself is
Keras's.
"""

import contextlib
import hashlib
import json
import logging
import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from augment.stored_files import name_damage
from pipeline import Loader
from pipeline.feeds.look_ahead import iterate_ahead
from training import checkpoint
from training.checkpoint import State
from training.checks import check_count
from training.errors import DivergedError, TrainingError
from training.files import replace_atomically
from training.history import write_history
from training.input_wait import MAX_WAITING_FRACTION, MIN_WAITING_S, WaitingMeter, suggest_remedy
from training.losses import choose_loss as choose_loss
from training.losses import with_class_weights, with_label_smoothing, with_one_hot_labels
from training.recipe import Recipe, compute_balanced_weights
from training.step import evaluate, has_several_devices, make_step

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

_log = logging.getLogger(__name__)

Data: TypeAlias = "Loader | tf.data.Dataset"

_BATCHES_AHEAD = 3
"""Look-ahead across the end of an epoch, which tf.data lacks. Under deterministic operations tf.data has none at all:
pipelines that call Python become sequential."""

_TRAINING_DATA = "the training data (samples, augmentation, sizes, seed)"
_VALIDATION_DATA = "the validation data"
"""The names of the data in a training's identity, as checkpoints contain them."""

CHECKPOINT = "checkpoint.npz"
BEST = "best.weights.h5"
FINAL = "final.weights.h5"
"""The files of a training in its directory; `history` adds its own."""


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """Where a training writes checkpoints, and whether it resumes.

    Attributes:
        directory: receives "checkpoint.npz" (the whole state: resuming is exact), "best.weights.h5" and
            "final.weights.h5" (Keras's format), "history.csv" and "tensorboard". It is created if missing.
        every_steps: steps between two checkpoints; each epoch ends with one in any case.
        resume: True resumes from the checkpoint in the directory; without one, the training starts. "same-order" also
            accepts data that differ from the checkpoint's only in what alters pixels: the augmentation, the libraries,
            the kernels. The samples follow in the same order.
    """

    directory: str | Path
    every_steps: int = 200
    resume: bool | Literal["same-order"] = False

    def __post_init__(self) -> None:
        check_count("every_steps", self.every_steps)
        if self.resume not in (True, False, "same-order"):
            raise TrainingError(f'resume must be True, False or "same-order"; got {self.resume!r}')


def fit(
    model: "keras.Model",
    train: Data,
    validation: "Data | None" = None,
    *,
    epochs: int = 10,
    learning_rate: "float | keras.optimizers.schedules.LearningRateSchedule" = 1e-3,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
    recipe: Recipe | None = None,
    checkpoints: Checkpoints | None = None,
) -> "keras.callbacks.History":
    """Compile a model and train it, with the loss for its labels.

    With `checkpoints` and a loader, a killed training resumes exactly: the same batches, the same dropout, and, on a
    CPU with `tf.config.experimental.enable_op_determinism()`, bitwise the same weights. A checkpoint does not contain
    the state of your callbacks.

    Args:
        model: maps images to probabilities [B, classes], or [B, 1] for float labels [B, 1]. It is trained in place,
            from its current weights; its optimizer is replaced. A model built under a `tf.distribute` strategy divides
            each batch among the strategy's devices.
        train: a `Loader`, or a dataset of batches (images, labels); see `choose_loss` for the labels.
        validation: as `train`; evaluated after every epoch.
        epochs: number of epochs.
        learning_rate: a number, or a schedule over the steps; the default is that of Keras and of Adam's authors
            (Kingma and Ba 2014, arXiv:1412.6980).
        callbacks: Keras callbacks.
        recipe: optimizer, schedule, regularization, early stopping; by default Adam at a constant rate.
        checkpoints: where to write checkpoints; by default none are written.

    Returns:
        Keras's history: `history.history` maps "loss", "accuracy" and, with `validation`, "val_loss" and
        "val_accuracy" to one float per epoch. `history.waiting` is the input wait of each epoch: the fraction of time
        in which the model waited for data; above 10 % a warning is logged.

    Raises:
        TrainingError: `train` has no labels, or no loss exists for them; a dataset repeats forever; a schedule or class
            weights need a loader; or the checkpoint belongs to another training.
        DivergedError: the loss is not finite.
    """
    return _Fitting(model, train, validation, epochs, learning_rate, callbacks, recipe or Recipe(), checkpoints).run()


class _Fitting:
    """One call of `fit`."""

    def __init__(
        self,
        model: "keras.Model",
        train: Data,
        validation: "Data | None",
        epochs: int,
        learning_rate: Any,
        callbacks: Sequence[Any],
        recipe: Recipe,
        checkpoints: Checkpoints | None,
    ) -> None:
        if checkpoints is not None and not isinstance(train, Loader):
            raise TrainingError(
                "checkpoints need a loader, whose stream can start at any step; use Loader(...) instead of its dataset"
            )
        check_count("epochs", epochs)
        for name, data in (("train", train), ("validation", validation)):
            _check_end(name, data)
        self.model, self.train, self.validation = model, train, validation
        self.epochs, self.recipe, self.checkpoints = epochs, recipe, checkpoints
        self.loss = choose_loss(_to_dataset(train).element_spec)
        self.steps = _count_steps(train)
        with model.distribute_strategy.scope():
            self._compile(learning_rate)
        self.class_weights = self._compute_class_weights()
        self.callbacks = self._make_callback_list(callbacks)
        self.state = State()
        self.meter = WaitingMeter()
        self.has_warned = False

    def _compile(self, learning_rate: Any) -> None:
        import tensorflow as tf

        self.model.compile(
            self.recipe.make_optimizer(learning_rate, None if self.steps is None else self.epochs * self.steps),
            loss=with_label_smoothing(self.loss, self.recipe.label_smoothing),
            metrics=["accuracy"],
            # "auto" alone would compile for CPUs as well, where XLA's convolutions are slow.
            jit_compile="auto" if tf.config.list_logical_devices("GPU") else False,
        )

    def run(self) -> Any:
        """Train to the last epoch, from the checkpoint or from the start."""
        with checkpoint.claim(None if self.checkpoints is None else Path(self.checkpoints.directory)):
            return self._run()

    def _run(self) -> Any:
        self._build_metrics()
        self._restore()
        history = self.model.history
        self.callbacks.on_train_begin()
        history.history = {name: list(values) for name, values in self.state.history.items()}
        history.epoch = list(range(self.state.epoch))
        self.model.stop_training = self._is_exhausted()
        dataset = self._make_training_dataset()
        self.train_on = make_step(self.model, dataset.element_spec)
        with contextlib.closing(iterate_ahead(self._iterate_batches(dataset), _BATCHES_AHEAD)) as batches:
            while self.state.epoch < self.epochs and not self.model.stop_training:
                self._run_epoch(iter(batches.__next__, None))  # until the end of the epoch
        if self.recipe.patience is not None:
            self._restore_best()
        self._write_weights(FINAL)
        self.callbacks.on_train_end()
        history.waiting = self.state.waiting
        return history

    def _run_epoch(self, batches: Iterable[Any]) -> None:
        """Train on the rest of an epoch, evaluate, and record the logs."""
        state = self.state
        self.callbacks.on_epoch_begin(state.epoch)
        try:
            for batch in self.meter(batches):
                self._run_step(batch)
                if self.model.stop_training:
                    break
        except Exception as error:
            raise _find_loader_error(error, self.train) from None
        logs = {name: total / state.samples for name, total in state.sums.items()}
        if self.validation is not None:
            logs |= {f"val_{name}": value for name, value in self._evaluate().items()}
        waited = self.meter.waited
        fraction = self.meter.reset()
        if fraction > MAX_WAITING_FRACTION and waited > MIN_WAITING_S and not self.has_warned:
            self.has_warned = True
            _log.warning(
                "epoch %d: the model waited for data %.0f %% of the time: %s",
                state.epoch,
                100 * fraction,
                suggest_remedy(self.train),
            )
        state.waiting.append(fraction)
        for name, value in logs.items():
            state.history.setdefault(name, []).append(value)
        self._update_best(logs)
        self.callbacks.on_epoch_end(state.epoch, logs)
        state.epoch, state.step, state.sums, state.samples = state.epoch + 1, 0, {}, 0
        if self.checkpoints is not None:
            write_history(Path(self.checkpoints.directory), state.history, state.waiting)
        self._save()

    def _run_step(self, batch: Any) -> None:
        state = self.state
        self.callbacks.on_train_batch_begin(state.step)
        logs = self.train_on(batch)
        samples = len(batch[0])
        if not math.isfinite(logs["loss"]):
            raise DivergedError(
                f"the loss is {logs['loss']} in step {state.step} of epoch {state.epoch}; lower the learning rate, "
                "or use warmup"
            )
        for name, value in logs.items():
            state.sums[name] = state.sums.get(name, 0.0) + value * samples
        state.samples += samples
        self.callbacks.on_train_batch_end(state.step, logs)
        state.step += 1
        if self.checkpoints is not None and state.step % self.checkpoints.every_steps == 0:
            self._save()

    def _evaluate(self) -> dict[str, float]:
        dataset = _to_dataset(self.validation, self.state.epoch)
        try:
            return evaluate(self.model, self._encode_labels(dataset))
        except Exception as error:
            raise _find_loader_error(error, self.validation) from None

    def _make_training_dataset(self) -> Any:
        """Build the dataset from the current position, with labels as the loss needs them."""
        dataset = self._encode_labels(_to_dataset(self.train, self.state.epoch, self.state.step))
        return dataset if self.class_weights is None else with_class_weights(dataset, self.class_weights)

    def _iterate_batches(self, dataset: Any) -> "Generator[Any]":
        """Yield the batches from the current position, and None at the end of each epoch."""
        for _ in range(self.state.epoch, self.epochs):
            yield from dataset  # each iteration of a dataset is the next epoch
            yield None

    def _build_metrics(self) -> None:
        """Let Keras build its metrics, which it cannot within the code of several devices."""
        if has_several_devices(self.model):
            devices = self.model.distribute_strategy.num_replicas_in_sync
            one_each = self._encode_labels(_to_dataset(self.train)).unbatch().take(1).repeat(devices).batch(devices)
            self.model.evaluate(one_each, verbose=0)

    def _encode_labels(self, dataset: Any) -> Any:
        if self.recipe.label_smoothing and self.loss == "sparse_categorical_crossentropy":
            return with_one_hot_labels(dataset, self.model.output_shape[-1])
        return dataset

    def _update_best(self, logs: dict[str, float]) -> None:
        """Save the best weights, and stop when `patience` epochs brought none better."""
        state, loss = self.state, logs.get("val_loss", logs["loss"])
        if math.isnan(loss):  # NaN compares as neither lower nor higher
            loss = math.inf
        if state.best is None or loss < state.best:
            state.best, state.best_epoch = loss, state.epoch
            self._save_best()
        if self._is_exhausted(epochs=state.epoch + 1):
            self.model.stop_training = True

    def _is_exhausted(self, epochs: int | None = None) -> bool:
        state, patience = self.state, self.recipe.patience
        epochs = state.epoch if epochs is None else epochs
        return patience is not None and state.best_epoch is not None and epochs - 1 - state.best_epoch >= patience

    def _save_best(self) -> None:
        if self.checkpoints is not None:
            self._write_weights(BEST)
        elif self.recipe.patience is not None:
            self._best = self.model.get_weights()

    def _restore_best(self) -> None:
        if self.state.best_epoch is None:
            return
        if self.checkpoints is not None:
            path = Path(self.checkpoints.directory) / BEST
            with name_damage(path, "a file of this model's weights", TrainingError, "start over in another directory"):
                self.model.load_weights(path)
        else:
            self.model.set_weights(self._best)

    def _write_weights(self, name: str) -> None:
        if self.checkpoints is not None:
            with replace_atomically(Path(self.checkpoints.directory) / name) as partial:
                self.model.save_weights(partial)

    def _restore(self) -> None:
        if self.checkpoints is None:
            return
        directory = Path(self.checkpoints.directory)
        path = directory / CHECKPOINT
        if not path.exists():
            return
        if not self.checkpoints.resume:
            raise TrainingError(f"{directory} contains a training; use resume=True, or another directory")
        resume = "same-order" if self.checkpoints.resume == "same-order" else "exact"
        variables = checkpoint.list_variables(self.model)
        self.state = checkpoint.read(path, variables, self._compute_identity(), self._list_streams(), resume)
        self.meter = WaitingMeter(self.state.waited, self.state.worked)
        _log.info("resuming at epoch %d, step %d", self.state.epoch, self.state.step)

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        self.state.waited, self.state.worked = self.meter.waited, self.meter.worked
        path = Path(self.checkpoints.directory) / CHECKPOINT
        variables = checkpoint.list_variables(self.model)
        checkpoint.write(path, variables, self.state, self._compute_identity(), self._list_streams())

    def _list_streams(self) -> checkpoint.Streams:
        """List the streams of the data, by the names of their parts in the training's identity."""
        data = {_TRAINING_DATA: self.train, _VALIDATION_DATA: self.validation}
        return {part: loader.identity for part, loader in data.items() if isinstance(loader, Loader)}

    def _compute_identity(self) -> checkpoint.Identity:
        """Return the hashes that identify the training: equal hashes, equal batches, steps and weights."""
        train, validation = self.train, self.validation
        assert isinstance(train, Loader)  # noqa: S101  # for the type checker: it was checked
        held_out = validation.fingerprint if isinstance(validation, Loader) else validation is not None
        parts = {
            _TRAINING_DATA: train.fingerprint,
            _VALIDATION_DATA: held_out,
            "the model": checkpoint.strip_names(self.model.get_config()),
            "the recipe": asdict(self.recipe),
            # Contains the schedule, and with it the number of steps where that matters.
            "the optimizer (its rate, or with a schedule the number of epochs)": checkpoint.strip_names(
                self.model.optimizer.get_config()
            ),
        }
        return {
            name: hashlib.sha256(json.dumps(part, sort_keys=True, default=str).encode()).hexdigest()
            for name, part in parts.items()
        }

    def _compute_class_weights(self) -> Sequence[float] | None:
        weights, classes = self.recipe.class_weights, max(2, self.model.output_shape[-1])
        if weights == "balanced":
            if not isinstance(self.train, Loader):
                raise TrainingError("class_weights='balanced' needs a loader; use one, or give numbers")
            return compute_balanced_weights([int((self.train.labels == label).sum()) for label in range(classes)])
        if weights is not None and len(weights) != classes:
            raise TrainingError(f"class_weights needs {classes} numbers, one per class; got {len(weights)}")
        return weights

    def _make_callback_list(self, callbacks: Sequence[Any]) -> Any:
        from keras.callbacks import CallbackList

        return CallbackList(
            list(callbacks), add_history=True, model=self.model, epochs=self.epochs, steps=self.steps, verbose=0
        )


def _to_dataset(data: "Data | None", epoch: int = 0, step: int = 0) -> Any:
    return data.dataset(epoch, step) if isinstance(data, Loader) else data


def _count_steps(data: Data) -> int | None:
    if isinstance(data, Loader):
        return data.steps_per_epoch
    return steps if (steps := int(data.cardinality())) >= 0 else None


def _check_end(name: str, data: "Data | None") -> None:
    import tensorflow as tf

    if not isinstance(data, Loader | None) and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise TrainingError(f"{name} repeats forever, so that no epoch ends; remove .repeat()")


def _find_loader_error(error: Exception, data: "Data | None") -> Exception:
    """Return the loader's error, which TensorFlow wraps in its own."""
    failure = data.failure if isinstance(data, Loader) else None
    return error if failure is None else failure
