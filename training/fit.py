"""Fitting a Keras model to a dataset."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def fit(
    model: "keras.Model",
    train: "tf.data.Dataset",
    validation: "tf.data.Dataset | None" = None,
    *,
    epochs: int = 10,
    learning_rate: "float | keras.optimizers.schedules.LearningRateSchedule" = 1e-3,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
) -> "keras.callbacks.History":
    """Compile a model with Adam and train it, with the loss that the labels ask for.

    Args:
        model: maps images to probabilities [B, classes], or [B, 1] for float labels [B, 1]. It is trained in
            place, from the weights it has; an optimizer it had is replaced.
        train: batches (images, labels); see `loss_for` for the labels.
        validation: batches of the same kind, evaluated after every epoch.
        epochs: passes over `train`.
        learning_rate: of Adam, a number or a schedule over its steps; the default is Keras's and its authors'
            (Kingma and Ba 2014, arXiv:1412.6980).
        callbacks: Keras callbacks.

    Returns:
        Keras's history: `history.history` maps "loss", "accuracy" and, with `validation`, "val_loss" and
        "val_accuracy" to one float an epoch.

    Raises:
        ValueError: `train` carries no labels, or labels that no loss fits; or a dataset repeats for ever.
    """
    loss = loss_for(train.element_spec)
    import tensorflow as tf
    from keras.optimizers import Adam

    for name, dataset in (("train", train), ("validation", validation)):
        if dataset is not None and dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(f"{name} repeats for ever, so no epoch would end; leave out .repeat()")
    model.compile(Adam(learning_rate), loss=loss, metrics=["accuracy"])
    return model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        shuffle=False,  # Keras cannot shuffle a dataset, and warns when asked to
        verbose=0,
        callbacks=list(callbacks),
    )


def loss_for(element_spec: Any) -> str:
    """Name the cross-entropy that fits the labels of a dataset.

    Args:
        element_spec: of a dataset of batches (images, labels). Integer labels [B] or [B, 1] are class
            numbers, labels [B, classes] are probabilities (one-hot or soft), float labels [B, 1] are 0 or 1.

    Returns:
        Keras's name of the loss.

    Raises:
        ValueError: there are no labels, they are not batched, or their kind is none of these.
    """
    if not isinstance(element_spec, tuple) or len(element_spec) < 2:
        raise ValueError(
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
    raise ValueError(
        f"no loss fits labels {labels}; batch the dataset, and give integers [B], one-hot rows [B, classes] "
        "or floats [B, 1]"
    )
