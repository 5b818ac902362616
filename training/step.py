"""One step of training: Keras's own `train_step`, on one device or divided among several."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def make_step(model: "keras.Model", element_spec: Any) -> Callable[[Any], dict[str, float]]:
    """Make the function that trains a model on a batch and gives the batch's logs.

    On one device it is traced once, for batches of any size. Traced for the sizes that come, as by Keras, it would
    round differently after a continuation that begins with an epoch's smaller last batch.

    Args:
        model: compiled.
        element_spec: of the batches.
    """
    import tensorflow as tf

    def train_on_batch(batch: Any) -> dict[str, float]:
        model.train_on_batch(*batch)
        # What that returns is the first device's alone.
        return {name: float(value) for name, value in model.get_metrics_result().items()}

    def train_step(batch: Any) -> Any:
        return model.train_step(batch)

    if model.distribute_strategy.num_replicas_in_sync > 1:
        return train_on_batch
    step = tf.function(train_step, input_signature=[element_spec], jit_compile=bool(model.jit_compile), autograph=False)

    def run(batch: Any) -> dict[str, float]:
        model.reset_metrics()  # an epoch's averages are the loop's, which can begin in the middle of one
        return {name: float(value) for name, value in step(batch).items()}

    return run


def samples_of(model: "keras.Model", images: Any) -> int:
    """Count the samples of a batch, over all devices."""
    return sum(len(part) for part in model.distribute_strategy.experimental_local_results(images))
