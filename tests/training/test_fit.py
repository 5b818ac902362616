"""Fitting: it learns, and it takes from the labels which loss to use."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training import fit
from training.architectures import all_convolutional
from training.fit import choose_loss


def bright_or_dark(examples: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Make noisy images uint8 [examples, 4, 4, 1], bright where the label, int64 [examples], is 1."""
    random = np.random.default_rng(0)
    labels = np.arange(examples) % 2
    noise = random.integers(0, 64, (examples, 4, 4, 1))
    return (noise + 160 * labels[:, None, None, None]).astype(np.uint8), labels


def batches(images: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Batch arrays by 16."""
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)


def small_model(classes: int = 2) -> Any:
    """Build a model that learns bright from dark in seconds, from the same weights every time."""
    import keras

    keras.utils.set_random_seed(0)
    return all_convolutional("C", input_shape=(4, 4, 1), classes=classes, width=1 / 16, dropout=False)


def test_a_separable_problem_is_learnt() -> None:
    """Accuracy on what was held out rises to 1, and there is one value per epoch of each curve."""
    images, labels = bright_or_dark(96)
    train, validation = batches(images[:64], labels[:64]), batches(images[64:], labels[64:])
    history = fit(small_model(), train, validation, epochs=12, learning_rate=3e-3).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(curve) == 12 for curve in history.values())
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["val_accuracy"][-1] == 1


@pytest.mark.parametrize(
    ("classes", "encode", "loss"),
    [
        (2, lambda labels: labels, "sparse_categorical_crossentropy"),
        (2, lambda labels: np.eye(2, dtype=np.float32)[labels], "categorical_crossentropy"),
        (1, lambda labels: labels[:, None].astype(np.float32), "binary_crossentropy"),
    ],
    ids=["int", "categorical", "binary"],
)
def test_every_label_mode_trains_with_its_own_loss(classes: int, encode: Any, loss: str) -> None:
    """Whole numbers, one-hot rows and floats of one column each fit the same model family."""
    images, labels = bright_or_dark()
    model = small_model(classes)
    history = fit(model, batches(images, encode(labels)), epochs=2).history
    assert model.loss == loss
    assert set(history) == {"loss", "accuracy"}
    assert np.isfinite(history["loss"]).all()


def spec(*shape: int | None, dtype: tf.DType = tf.int64) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    """Describe batches of images with labels of a shape."""
    return tf.TensorSpec([None, 4, 4, 1], tf.uint8), tf.TensorSpec(shape, dtype)


@pytest.mark.parametrize(
    ("element_spec", "loss"),
    [
        (spec(None), "sparse_categorical_crossentropy"),
        (spec(16, dtype=tf.uint8), "sparse_categorical_crossentropy"),
        (spec(None, 1), "sparse_categorical_crossentropy"),
        (spec(None, 2), "categorical_crossentropy"),
        (spec(16, 10, dtype=tf.float32), "categorical_crossentropy"),
        (spec(None, 1, dtype=tf.float32), "binary_crossentropy"),
        ((*spec(None), tf.TensorSpec([None], tf.float32)), "sparse_categorical_crossentropy"),
    ],
)
def test_the_loss_follows_from_the_labels(element_spec: Any, loss: str) -> None:
    """Shape and dtype decide, at any batch size, with sample weights or without."""
    assert choose_loss(element_spec) == loss


@pytest.mark.parametrize(
    "element_spec",
    [
        spec(),
        spec(None, dtype=tf.float32),
        spec(None, None),
        spec(None, 4, 4),
        spec(None, dtype=tf.string),
        (spec()[0], tf.TensorSpec(None, tf.int64)),
    ],
)
def test_labels_that_no_loss_fits_are_refused(element_spec: Any) -> None:
    """Unbatched, shapeless, float or textual labels are shown in the message."""
    with pytest.raises(ValueError, match=r"^no loss for labels TensorSpec\(.*batch the dataset"):
        choose_loss(element_spec)


def test_a_dataset_without_labels_is_refused() -> None:
    """Images alone cannot train; the message says how to load labels."""
    images, _ = bright_or_dark()
    with pytest.raises(ValueError, match=r"^training needs a dataset of \(images, labels\), .*label_mode"):
        fit(small_model(), tf.data.Dataset.from_tensor_slices(images).batch(16))


@pytest.mark.parametrize("endless", ["train", "validation"])
def test_a_dataset_that_never_ends_is_refused(endless: str) -> None:
    """Keras would sit in the first epoch until it is killed."""
    datasets = {name: batches(*bright_or_dark()) for name in ("train", "validation")}
    datasets[endless] = datasets[endless].repeat()
    with pytest.raises(ValueError, match=f"^{endless} repeats forever"):
        fit(small_model(), **datasets)


def test_callbacks_are_called() -> None:
    """A callback sees the end of every epoch."""
    import keras

    seen: list[int] = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: seen.append(epoch))
    fit(small_model(), batches(*bright_or_dark()), epochs=2, callbacks=(callback,))
    assert seen == [0, 1]
