"""One step of training or evaluation: Keras's own step, on one device or divided among several."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def make_step(model: "keras.Model", element_spec: Any) -> Callable[[Any], dict[str, float]]:
    """Return a function that trains a model on a batch and returns the batch's logs.

    On one device it is traced once, for batches of any size. Keras traces for the sizes that it sees; a training that
    resumes at an epoch's smaller last batch would then round differently.

    Args:
        model: compiled.
        element_spec: of the batches.
    """
    import tensorflow as tf

    def train_on_batch(batch: Any) -> dict[str, float]:
        model.train_on_batch(*divide_batch(batch, model.distribute_strategy))
        # Its return value is that of the first device only.
        return {name: float(value) for name, value in model.get_metrics_result().items()}

    def train_step(batch: Any) -> Any:
        return model.train_step(batch)

    if has_several_devices(model):
        return train_on_batch
    step = tf.function(train_step, input_signature=[element_spec], jit_compile=bool(model.jit_compile), autograph=False)

    def run(batch: Any) -> dict[str, float]:
        model.reset_metrics()  # the loop averages over the epoch: it can start in the middle of one
        return {name: float(value) for name, value in step(batch).items()}

    return run


def evaluate(model: "keras.Model", dataset: "Iterable[Any]") -> dict[str, float]:
    """Evaluate a model on all batches of a dataset.

    Args:
        model: compiled.
        dataset: of (images, labels).

    Returns:
        The logs: means over the samples.
    """
    if not has_several_devices(model):
        logs = model.evaluate(dataset, verbose=0, return_dict=True)
        return {name: float(value) for name, value in logs.items()}
    sums: dict[str, float] = {}
    samples = 0
    for batch in dataset:
        model.reset_metrics()
        model.test_on_batch(*divide_batch(batch, model.distribute_strategy))
        samples += len(batch[0])
        for name, value in model.get_metrics_result().items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(batch[0])
    return {name: total / samples for name, total in sums.items()}


def has_several_devices(model: "keras.Model") -> bool:
    """Return whether a model divides its batches among devices."""
    return bool(model.distribute_strategy.num_replicas_in_sync > 1)


def divide_batch(batch: Any, strategy: "tf.distribute.Strategy") -> Any:
    """Divide a batch evenly among a strategy's devices, whatever the batch's size.

    TensorFlow's own division leaves some devices without samples in an epoch's smaller last batch, where layers fail,
    and changes the weight of the other samples. This function repeats samples, with a weight of 0, until all devices
    have equally many. The other weights grow accordingly, so that loss and gradients equal those of one device. (The
    accuracy ignores weights and counts the repeated samples: fewer than one per device.)

    Args:
        batch: images, labels and optional weights.
        strategy: with several devices.
    """
    import tensorflow as tf

    images, labels, *weights = batch
    count, devices = len(images), strategy.num_replicas_in_sync
    positions = np.arange(-(-count // devices) * devices)
    factors = tf.constant(np.where(positions < count, len(positions) / count, 0), tf.float32)
    rows = positions % count
    weight = factors * tf.gather(weights[0], rows) if weights else factors
    parts = (tf.gather(images, rows), tf.gather(labels, rows), weight)

    def select_replica_part(context: Any) -> Any:
        return tuple(part[context.replica_id_in_sync_group :: devices] for part in parts)

    return strategy.experimental_distribute_values_from_function(select_replica_part)
