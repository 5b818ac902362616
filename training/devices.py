"""Devices: CPUs compute in float32, GPUs in mixed precision; several GPUs divide each batch."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def strategy(device_type: str = "GPU") -> "tf.distribute.Strategy":
    """Return the strategy for all devices of a type: several devices divide each batch.

    Args:
        device_type: "GPU"; tests use "CPU", whose logical devices replace GPUs.
    """
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices(device_type)]
    return tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.get_strategy()


@contextlib.contextmanager
def precision() -> Iterator[None]:
    """Build models in `mixed_float16` during the block, if there is a GPU."""
    import keras
    import tensorflow as tf

    before = keras.config.dtype_policy()
    if tf.config.list_logical_devices("GPU"):
        keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
