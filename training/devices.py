"""What there is to compute on: CPUs in float32, GPUs in mixed precision, several of them together."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def strategy(device_type: str = "GPU") -> "tf.distribute.Strategy":
    """Give the strategy for the devices of a kind: each batch is divided among them where there are several.

    Args:
        device_type: "GPU"; or "CPU", whose logical devices stand in for GPUs in tests.
    """
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices(device_type)]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()


@contextlib.contextmanager
def precision() -> Iterator[None]:
    """Build models in `mixed_float16` where there is a GPU, for the length of the block."""
    import keras
    import tensorflow as tf

    before = keras.config.dtype_policy()
    if tf.config.list_logical_devices("GPU"):
        keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
