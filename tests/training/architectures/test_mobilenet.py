"""MobileNet: the counts of the paper, and the outputs of `keras.applications` with its weights."""

import keras
import numpy as np
import pytest

from training.architectures import mobilenet
from training.summary import summary


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75, 1.0])
def test_weights_of_keras_applications_give_the_same_outputs(alpha: float) -> None:
    """As many parameters, and with the weights carried over the same probabilities, at a side that is no power of 2."""
    theirs = keras.applications.MobileNet(alpha=alpha, weights=None, input_shape=(96, 80, 3))
    ours = mobilenet(alpha, input_shape=(96, 80, 3), rescale=False)
    assert ours.count_params() == theirs.count_params()
    random = np.random.default_rng(0)
    # Moving means and variances other than 0 and 1, or a difference in their use would not be seen.
    theirs.set_weights([weight + random.uniform(0, 0.1, weight.shape) for weight in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    pixels = random.uniform(-1, 1, (2, 96, 80, 3)).astype(np.float32)
    expected = theirs(pixels).numpy()
    assert np.ptp(expected[0]) > 1e-4
    np.testing.assert_allclose(ours(pixels), expected, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize(("alpha", "millions"), [(1.0, 569), (0.75, 325), (0.5, 149), (0.25, 41)])
def test_multiply_adds_are_those_of_the_papers_table_6(alpha: float, millions: int) -> None:
    """At 224 pixels, in millions."""
    counts = [row.multiply_adds or 0 for row in summary(mobilenet(alpha))]
    assert round(sum(counts) / 1e6) == millions


def test_simplified_is_regular() -> None:
    """Blocks of 64, 128, 256 and 512 with 1, 1, 1 and 5 separable convolutions; each closes with twice the filters."""
    model = mobilenet(1.0, "simplified", input_shape=(64, 64, 3), classes=10)
    separable = [layer for layer in model.layers if isinstance(layer, keras.layers.SeparableConv2D)]
    assert [(layer.filters, layer.strides[0]) for layer in separable] == [
        *((64, 1), (128, 2)),
        *((128, 1), (256, 2)),
        *((256, 1), (512, 2)),
        *((512, 1),) * 5,
        *((1024, 2), (1024, 1)),
    ]
    assert model.get_layer("last_separable").output.shape == (None, 2, 2, 1024)
    assert isinstance(model.get_layer("logits"), keras.layers.Dense)


@pytest.mark.parametrize("variant", ["paper", "simplified"])
def test_one_model_takes_any_resolution(variant: str) -> None:
    """With open sides, images of differing sizes give probabilities."""
    model = mobilenet(0.125, variant, input_shape=(None, None, 3), classes=7)  # type: ignore[arg-type]
    for size in ((32, 32), (40, 57)):
        probabilities = model(np.full((2, *size, 3), 100, np.uint8)).numpy()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
