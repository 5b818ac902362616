"""Waiting for data: what the meter counts, and when there is a warning."""

import logging
import time
from collections.abc import Iterator

import pytest
import tensorflow as tf

from pipeline import Loader
from training import fit, input_wait
from training.input_wait import WaitingMeter, suggest_remedy


def test_the_meter_tells_waiting_from_working() -> None:
    """Three seconds of waiting and one of work per batch are 75 %; the first batch does not count."""
    now = 0.0

    def batches() -> Iterator[int]:
        nonlocal now
        for batch in range(5):
            now += 100 if batch == 0 else 3
            yield batch

    meter = WaitingMeter(clock=lambda: now)
    seen = []
    for batch in meter(batches()):
        seen.append(batch)
        now += 50 if batch == 0 else 1
    assert seen == [0, 1, 2, 3, 4]
    assert (meter.waited, meter.worked) == (12, 4)
    assert meter.reset() == 0.75
    assert meter.reset() == 0


@pytest.mark.alone
def test_a_model_that_waits_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Slow data: the log names the input wait and a remedy; the history has the input wait of each epoch."""
    import keras

    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    slow = tf.data.Dataset.range(10).map(lambda one: (tf.zeros([2, 2, 1]) * tf.cast(one, tf.float32), one % 2))
    slow = slow.map(
        lambda image, label: tf.py_function(
            lambda *pair: time.sleep(0.1) or pair, [image, label], [tf.float32, tf.int64]
        )
    )
    slow = slow.map(lambda image, label: (tf.ensure_shape(image, [2, 2, 1]), tf.ensure_shape(label, []))).batch(1)
    with caplog.at_level(logging.WARNING):
        history = fit(model, slow, epochs=2)
    assert all(fraction > input_wait.MAX_WAITING_FRACTION for fraction in history.waiting)
    warnings = [record.getMessage() for record in caplog.records if "waited" in record.getMessage()]
    assert len(warnings) == 1
    assert "prefetch, cache decoded images" in warnings[0]


def test_remedies_fit_the_loader() -> None:
    """What is done already is not proposed."""
    import numpy as np

    arrays = (np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1]))
    assert 'cache="DIR"' in suggest_remedy(Loader(arrays))
    assert "explain" not in suggest_remedy(Loader(arrays))
