"""The loss for a dataset's labels, and the conversions of labels that a loss needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.feeds.graph import without_autograph
from training.errors import TrainingError

if TYPE_CHECKING:
    import tensorflow as tf


def choose_loss(element_spec: Any) -> str:
    """Return the name of the cross-entropy for the labels of a dataset.

    Args:
        element_spec: of a dataset of batches (images, labels). Integer labels [B] or [B, 1] are class
            indices, labels [B, classes] are probabilities (one-hot or soft), float labels [B, 1] are 0 or 1.

    Returns:
        Keras's name of the loss.

    Raises:
        TrainingError: there are no labels, they are not batched, or they are none of these.
    """
    if not isinstance(element_spec, tuple) or len(element_spec) < 2:
        raise TrainingError(
            f"training needs a dataset of (images, labels), got elements {element_spec}; "
            'load it with a label_mode of "int", "categorical" or "binary"'
        )
    labels = element_spec[1]
    columns = tuple(labels.shape)[1:] if labels.shape.rank else None
    match columns:
        case () | (1,) if labels.dtype.is_integer:
            return "sparse_categorical_crossentropy"
        case (1,) if labels.dtype.is_floating:
            return "binary_crossentropy"
        case (int(classes),) if classes > 1:
            return "categorical_crossentropy"
    raise TrainingError(
        f"no loss for labels {labels}; batch the dataset, and use integers [B], one-hot vectors [B, classes] "
        "or floats [B, 1]"
    )


def with_label_smoothing(loss: str, label_smoothing: float) -> Any:
    """Return the loss with label smoothing; without smoothing, return Keras's name."""
    from keras import losses

    if not label_smoothing:
        return loss
    if loss == "binary_crossentropy":
        return losses.BinaryCrossentropy(label_smoothing=label_smoothing)
    return losses.CategoricalCrossentropy(label_smoothing=label_smoothing)


def with_one_hot_labels(dataset: "tf.data.Dataset", classes: int) -> "tf.data.Dataset":
    """Convert integer labels to one-hot vectors, which smoothing needs."""
    import tensorflow as tf

    @without_autograph
    def encode(images: Any, labels: Any, *weights: Any) -> Any:
        return images, tf.one_hot(tf.reshape(labels, [-1]), classes), *weights

    return dataset.map(encode)


def with_class_weights(dataset: "tf.data.Dataset", class_weights: Sequence[float]) -> "tf.data.Dataset":
    """Add the weight of each sample's class as the third component, times the weight that the sample had."""
    import tensorflow as tf

    weights_by_class = tf.constant(class_weights, tf.float32)

    @without_autograph
    def weigh(images: Any, labels: Any, *weights: Any) -> Any:
        if labels.shape.rank == 2 and labels.shape[1] > 1:
            chosen = tf.linalg.matvec(tf.cast(labels, tf.float32), weights_by_class)
        else:
            chosen = tf.gather(weights_by_class, tf.cast(tf.reshape(labels, [-1]), tf.int32))
        return images, labels, chosen * weights[0] if weights else chosen

    return dataset.map(weigh)
