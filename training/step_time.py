"""The step time of a dataset: `model.fit` on it, compared with `model.fit` on one batch in memory."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from training.fit import choose_loss

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def make_step_timer(model: "keras.Model", element_spec: Any) -> "Callable[[tf.data.Dataset, int], float]":
    """Compile a model with Adam and the loss for its labels, and return a function that times its steps.

    Args:
        model: as for `training.fit`; its weights change.
        element_spec: of the datasets to train on.

    Returns:
        `seconds_per_step(dataset, steps)`: trains this many steps, over several epochs if one is shorter. One step
        before them is not timed: it starts the iterator and traces the model.

    Raises:
        ValueError: there are no labels, or no loss for them.
    """
    import keras

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        begin = end = 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del logs
            self.end = time.perf_counter()
            if batch == 0:
                self.begin = self.end

    model.compile("adam", loss=choose_loss(element_spec))

    def seconds_per_step(dataset: "tf.data.Dataset", steps: int) -> float:
        watch = Watch()
        model.fit(dataset.repeat().take(steps + 1), verbose=0, callbacks=[watch], shuffle=False)
        return (watch.end - watch.begin) / steps

    return seconds_per_step


def repeat_first_batch(dataset: "tf.data.Dataset") -> "tf.data.Dataset":
    """Return a dataset that repeats the first batch of a dataset."""
    import tensorflow as tf

    batch = next(iter(dataset))
    return tf.data.Dataset.from_tensors(batch).repeat()
