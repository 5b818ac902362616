"""Recipes: the optimizer, schedule, loss and weights that they ask for, against Keras's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import Loader
from training import Recipe, fit
from training.errors import DivergedError, TrainingError
from training.recipe import compute_balanced_weights

Make = Callable[..., Path]


def rates(recipe: Recipe, steps: int = 100) -> list[float]:
    """Return the learning rate of each step, for a highest rate of 1."""
    schedule = recipe.make_optimizer(1.0, steps)._learning_rate
    return [float(schedule(step)) for step in range(steps)]


def test_cosine_falls_to_nothing_after_a_warmup() -> None:
    """It rises linearly for a tenth of the steps, and then follows half a cosine."""
    found = rates(Recipe(schedule="cosine", warmup=0.1))
    np.testing.assert_allclose(found[:10], np.arange(10) / 10, atol=1e-6)
    np.testing.assert_allclose(found[10:], 0.5 * (1 + np.cos(np.pi * np.arange(90) / 90)), atol=1e-6)


def test_step_falls_by_ten_twice() -> None:
    """After half and three quarters of the steps."""
    assert rates(Recipe(schedule="step")) == pytest.approx([1.0] * 51 + [0.1] * 25 + [0.01] * 24)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"optimizer": "adm"}, "optimizer must be one of adam, sgd, rmsprop; got 'adm'"),
        ({"schedule": "x"}, "schedule must be one of constant, cosine, step; got 'x'"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, got 1.0"),
        ({"weight_decay": -1}, "weight_decay must be at least 0"),
        ({"patience": 1.5}, "patience must be an integer, got 1.5"),
        ({"warmup": True}, "warmup must be at least 0 and below 1, got True"),
        ({"schedule": "step", "warmup": 0.1}, "schedule='step' has no warmup; use 'cosine'"),
        ({"class_weights": [1.0, -1.0]}, "class_weights must be one number from 0 per class"),
        ({"class_weights": [1.0, float("nan")]}, "class_weights must be one number from 0 per class"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        (
            {"class_weights": "some"},
            "class_weights must be one number from 0 per class, 'balanced' or None; got 'some'",
        ),
    ],
)
def test_impossible_recipes_are_refused(wrong: dict[str, Any], message: str) -> None:
    """By a message with the value and what would do."""
    with pytest.raises(TrainingError, match=message):
        Recipe(**wrong)


def small_model(classes: int = 2) -> keras.Model:
    """Build a linear model with the same weights every time."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(classes, "softmax", name="dense")]
    )
    model.set_weights([np.linspace(-1, 1, 4 * classes).reshape(4, classes), np.zeros(classes)])
    return model


def batches() -> tuple[np.ndarray, np.ndarray, tf.data.Dataset]:
    """Make images, unbalanced labels, and the dataset of both."""
    images = np.random.default_rng(0).uniform(0, 1, (40, 2, 2, 1)).astype(np.float32)
    labels = (np.arange(40) % 4 == 0).astype(np.int64)
    return images, labels, tf.data.Dataset.from_tensor_slices((images, labels)).batch(10)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_training_is_keras_own(optimizer: str) -> None:
    """With class weights, smoothing and decay, two epochs give the weights of `model.fit`."""
    images, labels, dataset = batches()
    recipe = Recipe(optimizer=optimizer, weight_decay=0.01, label_smoothing=0.1, class_weights=[1.0, 3.0])  # type: ignore[arg-type]
    ours = small_model()
    history = fit(ours, dataset, epochs=2, learning_rate=0.05, recipe=recipe).history

    theirs = small_model()
    made = {
        "adam": keras.optimizers.Adam(0.05, weight_decay=0.01),
        "sgd": keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        "rmsprop": keras.optimizers.RMSprop(0.05, weight_decay=0.01),
    }[optimizer]
    made.exclude_from_weight_decay(var_names=["bias"])
    theirs.compile(made, keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy"])
    weights = np.where(labels == 1, 3.0, 1.0).astype(np.float32)
    rows = tf.data.Dataset.from_tensor_slices((images, np.eye(2, dtype=np.float32)[labels], weights)).batch(10)
    expected = theirs.fit(rows, epochs=2, verbose=0).history
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert history == pytest.approx({name: pytest.approx(values, rel=1e-5) for name, values in expected.items()})


def test_balanced_weights_average_to_one() -> None:
    """Each class has the same total; an absent one does not count."""
    counts = [30, 10, 0]
    weights = compute_balanced_weights(counts)
    assert weights == pytest.approx([2 / 3, 2.0, 0.0])
    assert np.dot(weights, counts) == pytest.approx(sum(counts))


def test_balanced_weights_come_from_the_loader(folders: Make) -> None:
    """They are those of the part that is trained on."""
    loader = Loader(folders(ants=2, bees=6), image_size=(2, 2), color_mode="grayscale", batch_size=8)
    history = fit(small_model(), loader, epochs=1, recipe=Recipe(class_weights="balanced")).history
    with pytest.raises(TrainingError, match="class_weights='balanced' needs a loader"):
        fit(small_model(), loader.dataset(), recipe=Recipe(class_weights="balanced"))
    with pytest.raises(TrainingError, match="needs 2 numbers, one per class; got 3"):
        fit(small_model(), loader, recipe=Recipe(class_weights=[1.0, 2.0, 3.0]))
    assert np.isfinite(history["loss"]).all()


def test_early_stopping_takes_back_the_best_weights() -> None:
    """With a rate that makes things worse, training ends after `patience` epochs, with the first epoch's weights."""
    _, _, dataset = batches()
    model = small_model()
    seen: list[list[np.ndarray]] = []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(model.get_weights()))
    ascending = keras.optimizers.schedules.PiecewiseConstantDecay([4], [1e-3, -1.0])
    history = fit(
        model, dataset, dataset, epochs=10, learning_rate=ascending, recipe=Recipe(optimizer="sgd", patience=2),
        callbacks=[keep],
    )  # fmt: skip
    assert len(history.history["val_loss"]) == 3
    for one, other in zip(model.get_weights(), seen[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_validation_loss_that_is_no_number_is_not_the_best() -> None:
    """Images of no numbers give none in the first epoch: the numbers after it are lower."""
    images, labels, dataset = batches()
    epochs = iter([np.full_like(images, np.nan), images, images])
    held_out = tf.data.Dataset.from_generator(
        lambda: zip(next(epochs), labels, strict=True),
        output_signature=(tf.TensorSpec([2, 2, 1], tf.float32), tf.TensorSpec([], tf.int64)),
    ).batch(10)
    history = fit(small_model(), dataset, held_out, epochs=3, recipe=Recipe(patience=1)).history
    assert np.isnan(history["val_loss"]).tolist() == [True, False, False]
    assert history["val_loss"][2] < history["val_loss"][1]


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    """The message says where, and what to do."""
    images, labels, _ = batches()
    images[15] = np.nan
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(10)
    with pytest.raises(DivergedError, match="the loss is nan in step 1 of epoch 0; lower the learning rate"):
        fit(small_model(), dataset)


def test_a_bad_sample_is_named(folders: Make) -> None:
    """The loader's own error comes out, not TensorFlow's."""
    from pipeline.errors import DecodeError

    root = folders(ants=3, bees=3)
    (root / "bees" / "x.png").write_bytes((root / "bees" / "0.png").read_bytes()[:60])
    with pytest.raises(DecodeError, match=r"bees/x\.png"):
        fit(small_model(), Loader(root, image_size=(2, 2), color_mode="grayscale", batch_size=2))
