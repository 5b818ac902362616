"""Kim's network: its shape, its parts, and that it learns."""

import keras
import numpy as np
import pytest

from training.architectures import text_cnn


def test_parameters_are_those_of_the_paper() -> None:
    """CNN-rand: 300-long vectors, 100 filters over 3, 4 and 5 words, a dense layer on 300 features."""
    model = text_cnn(1000)
    filters = sum(width * 300 * 100 + 100 for width in (3, 4, 5))
    assert model.count_params() == 1000 * 300 + filters + 300 * 2 + 2


@pytest.mark.parametrize("classes", [1, 2, 6])
@pytest.mark.parametrize("length", [1, 2, 30])
def test_sentences_of_any_length_get_probabilities(classes: int, length: int) -> None:
    """Shorter than a filter, too."""
    model = text_cnn(50, classes=classes, embedding=4, filters=3)
    probabilities = model(np.ones((2, length), np.int32)).numpy()
    assert probabilities.shape == (2, classes)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1) or classes == 1


def test_it_learns_which_word_is_there() -> None:
    """A word at any place decides the class."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    words = generator.integers(3, 50, (256, 12))
    labels = generator.integers(0, 2, 256)
    words[np.arange(256), generator.integers(0, 12, 256)] = 1 + labels
    model = text_cnn(50, embedding=16, filters=16)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(words, labels, epochs=12, verbose=0)
    assert model.evaluate(words, labels, verbose=0)[1] > 0.97


def test_weight_vectors_of_the_last_layer_stay_short() -> None:
    """A norm of at most 3, as in the paper."""
    layer = text_cnn(50).get_layer("probabilities")
    assert layer.kernel_constraint.max_value == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary": 0}, "vocabulary must be a positive integer"),
        ({"classes": 0}, "classes must be a positive integer"),
        ({"widths": (3, 0)}, "widths must be a positive integer"),
        ({"widths": ()}, "widths is empty"),
    ],
)
def test_numbers_that_cannot_be_are_refused(options: dict, message: str) -> None:
    """With a message that names them."""
    with pytest.raises(ValueError, match=message):
        text_cnn(**({"vocabulary": 10} | options))
