"""Evaluating on views: the predictions are the model's for each view, reduced as asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the usual name
import numpy as np
import pytest

import augment
from augment import views
from pipeline import Loader
from pipeline.errors import OptionError
from training import evaluate, with_views
from training.evaluate import reduce_predictions


@pytest.fixture(scope="module")
def model() -> Any:
    """Return a model for images of 8 x 8 with random weights and three classes."""
    import keras

    keras.utils.set_random_seed(1)
    images = keras.Input((8, 8, 3))
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Dense(3, "softmax", kernel_initializer="he_normal")(hidden))


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Return 14 images in three classes."""
    return folders(ants=4, bees=5, wasps=5, height=12, width=20)


def loader(source: Path, **options: Any) -> Loader:
    """Make the loader of the tests."""
    return Loader(source, **{"image_size": (8, 8), "batch_size": 4} | options)


@pytest.mark.parametrize("reduce", ["mean", "max", "vote"])
@pytest.mark.parametrize("name", ["flip", "ten_crop", "grid(3)"])
def test_predictions_are_those_for_each_view_reduced(model: Any, source: Path, name: str, reduce: Any) -> None:
    """Predictions, labels, keys and accuracies are those of the views one by one, in the order of the source."""
    found = evaluate(model, loader(source), views=name, reduce=reduce)
    count = len(views.parse_views(name))
    batches = list(loader(source, views=name, shuffle=False, batch_size=None).dataset(with_keys=True))
    predictions = np.asarray(model.predict_on_batch(np.stack([image for image, *_ in batches]))).reshape(14, count, 3)
    labels = np.array([int(label) for _, label, _ in batches])[::count]
    np.testing.assert_allclose(found.predictions, reduce_predictions(predictions, reduce), atol=1e-6)
    np.testing.assert_array_equal(found.labels, labels)
    assert list(found.keys) == [key.numpy().decode() for *_, key in batches][::count]
    np.testing.assert_allclose(
        found.accuracy_of_views, (predictions.argmax(axis=2) == labels[:, np.newaxis]).mean(axis=0), atol=1e-9
    )
    if reduce != "vote":
        assert found.accuracy == (reduce_predictions(predictions, reduce).argmax(axis=1) == labels).mean()


def test_without_views_it_is_what_keras_evaluates(model: Any, source: Path) -> None:
    """One view is the image itself: the accuracy is that of `model.evaluate`."""
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    _, accuracy = model.evaluate(loader(source, shuffle=False).dataset(), verbose=0)
    found = evaluate(model, loader(source))
    assert found.accuracy == pytest.approx(accuracy)
    assert found.accuracy_of_views.tolist() == [found.accuracy]
    categorical = evaluate(model, loader(source, label_mode="categorical", drop_remainder=True))
    assert (categorical.accuracy, len(categorical.labels)) == (found.accuracy, 14)


def test_reductions_by_hand() -> None:
    """Mean, greatest and votes of three views."""
    predictions = np.array([[[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]]])
    np.testing.assert_allclose(reduce_predictions(predictions, "mean"), [[0.4, 0.6]])
    np.testing.assert_allclose(reduce_predictions(predictions, "max"), [[0.6, 1.0]])
    np.testing.assert_allclose(reduce_predictions(predictions, "vote"), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(reduce_predictions(predictions[..., 1:], "vote"), [[1 / 3]])


def test_equal_votes_go_to_the_greater_mean(source: Path) -> None:
    """Of two views that disagree the surer one wins, for two classes in one column as well."""

    class Fixed:
        """Answers for a view by its number."""

        def __init__(self, predictions: list[list[float]]) -> None:
            self.predictions = np.array(predictions)

        def predict_on_batch(self, images: Any) -> Any:
            return np.tile(self.predictions, (len(images) // 2, 1))

    def accuracy(predictions: list[list[float]], of: Loader) -> float:
        return evaluate(Fixed(predictions), of, views="flip", reduce="vote").accuracy  # type: ignore[arg-type]

    assert accuracy([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]], loader(source)) == 4 / 14
    two = loader(source, class_names=["ants", "bees"], label_mode="binary")
    assert accuracy([[0.1], [0.6]], two) == 4 / 9
    assert accuracy([[0.4], [0.9]], two) == 5 / 9


def test_random_augmentations_are_reduced_too(model: Any, source: Path) -> None:
    """A loader with copies is evaluated on each copy; the same again, and otherwise in another epoch."""
    noisy = loader(source, augment=A.GaussNoise(std_range=(0.3, 0.3), p=1), copies=5)
    found = evaluate(model, noisy)
    assert found.accuracy_of_views.shape == (5,)
    np.testing.assert_array_equal(evaluate(model, noisy).predictions, found.predictions)
    assert (evaluate(model, noisy, epoch=1).predictions != found.predictions).any()


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_bad_samples_are_skipped(model: Any, source: Path, on_error: Any) -> None:
    """No sample counts twice, whatever the loader does in training."""
    (source / "bees" / "2.png").write_bytes(b"")
    found = evaluate(model, loader(source, on_error=on_error), views="flip")
    assert len(found.labels) == 13
    assert "bees/2.png" not in found.keys


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {"reduce": "median"}, "reduce must be one of 'mean', 'max', 'vote'; got 'median'"),
        ({"label_mode": None}, {}, "evaluate needs labels"),
        ({"label_mode": "categorical", "mix": augment.MixUp()}, {}, "without mix"),
        ({}, {"views": "eleven"}, "unknown set of views"),
        ({"shard": (0, 3)}, {"views": "ten_crop"}, r"shard=\(0, 3\) separates the 10 views of an image"),
        ({"shard": (1, 2), "copies": 2}, {}, "separates the 2 views"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    model: Any, source: Path, options: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    """With what to do."""
    with pytest.raises(OptionError, match=message):
        evaluate(model, loader(source, **options), **given)


def test_a_shard_without_views_and_a_dataset(model: Any, source: Path) -> None:
    """A shard of whole images is evaluated; of a dataset the message names its loader."""
    assert len(evaluate(model, loader(source, shard=(1, 3))).labels) == 5
    with pytest.raises(OptionError, match=r"use dataset\.loader"):
        evaluate(model, loader(source).dataset())  # type: ignore[arg-type]


@pytest.mark.parametrize("reduce", ["mean", "max", "vote"])
def test_wrapped_model_predictions_for_the_views(model: Any, reduce: Any, tmp_path: Path) -> None:
    """The Keras model of views gives the reduced predictions for the crops, and can be saved and evaluated."""
    import keras

    images = np.random.default_rng(0).integers(0, 256, (5, 10, 10, 3)).astype(np.float32)
    wrapped = with_views(model, "ten_crop(scale=0.8)", (10, 10), reduce=reduce)
    crops = np.stack([views.ten_crop(image, (8, 8)) for image in images])
    predictions = np.stack([np.asarray(model.predict_on_batch(own)) for own in crops])
    np.testing.assert_allclose(wrapped.predict(images, verbose=0), reduce_predictions(predictions, reduce), atol=1e-5)
    wrapped.save(tmp_path / "views.keras")
    loaded = keras.models.load_model(tmp_path / "views.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), reduce_predictions(predictions, reduce), atol=1e-5)
    wrapped.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    assert len(wrapped.evaluate(images, np.zeros(5), verbose=0)) == 2


def test_wrapped_model_resizes_views_and_needs_a_size(model: Any) -> None:
    """Views of another size are resized to what the model takes; a model of no fixed size is refused."""
    import keras

    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.float32)
    assert with_views(model, "flip", (16, 16)).predict(images, verbose=0).shape == (3, 3)
    with pytest.raises(OptionError, match="reduce must be"):
        with_views(model, "flip", (16, 16), reduce="median")  # type: ignore[arg-type]
    free = keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(OptionError, match=r"image_size must be \(height, width\) in pixels, got 16"):
        with_views(model, "flip", 16)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="a fixed input size"):
        with_views(free, "flip", (16, 16))
