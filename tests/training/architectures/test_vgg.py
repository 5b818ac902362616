"""VGG: the counts of the paper's configurations, and the outputs of `keras.applications` with its weights."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from training.architectures import vgg
from training.architectures.vgg import VARIANTS

SIXTEENTH = {"input_shape": (32, 32, 3), "classes": 10, "width": 1 / 16}


def parameters(model: keras.Model) -> list[int]:
    """Count the parameters of each layer that has some."""
    return [count for layer in model.layers if (count := layer.count_params())]


def test_variant_d_on_small_images_has_33638218_parameters() -> None:
    """Layer by layer, with ten classes on 32 x 32 pixels."""
    model = vgg("D", input_shape=(32, 32, 3), classes=10)
    block5 = [2359808] * 3
    assert parameters(model) == [
        *(1792, 36928, 73856, 147584, 295168, 590080, 590080, 1180160, 2359808, 2359808),
        *block5,
        *(2101248, 16781312, 40970),
    ]
    assert model.count_params() == 33_638_218


@pytest.mark.parametrize(
    ("variant", "millions"), [("A", 133), ("A-LRN", 133), ("B", 133), ("C", 134), ("D", 138), ("E", 144)]
)
def test_parameters_are_those_of_the_papers_table_2(variant: str, millions: int) -> None:
    """Counted from the kernels, at 224 pixels with 1,000 classes, without allocating them."""
    wide, narrow = 64, vgg(variant, **SIXTEENTH)  # type: ignore[arg-type]
    assert narrow.get_layer("block1_conv1").filters == wide // 16
    inputs, total = 3, 0
    for layer in (layer for layer in narrow.layers if isinstance(layer, keras.layers.Conv2D)):
        filters = layer.filters * 16
        total += layer.kernel_size[0] ** 2 * inputs * filters + filters
        inputs = filters
    total += (7 * 7 * 512 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert round(total / 1e6) == millions


@pytest.mark.parametrize(
    ("variant", "reference"), [("D", keras.applications.VGG16), ("E", keras.applications.VGG19)], ids=["D", "E"]
)
def test_weights_of_keras_applications_give_the_same_outputs(
    variant: str, reference: Callable[..., keras.Model]
) -> None:
    """Random weights carried over one to one; at 64 pixels, where the same code has a third of the weights of 224."""
    theirs = reference(weights=None, input_shape=(64, 64, 3))
    ours = vgg(variant, input_shape=(64, 64, 3), rescale=False)  # type: ignore[arg-type]
    assert parameters(ours) == parameters(theirs)
    ours.set_weights(theirs.get_weights())
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(pixels), theirs(pixels), rtol=1e-5, atol=1e-7)
    assert np.ptp(theirs(pixels)) > 1e-6  # the outputs are no constant


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_probabilities(variant: str) -> None:
    """All six build at a small size, and halve it five times."""
    model = vgg(variant, **SIXTEENTH)  # type: ignore[arg-type]
    assert model.get_layer("block5_pool").output.shape[1:3] == (1, 1)
    probabilities = model(np.full((2, 32, 32, 3), 100, np.uint8)).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert ("block1_lrn" in {layer.name for layer in model.layers}) == (variant == "A-LRN")


def test_a_saved_model_with_response_normalization_loads(tmp_path: object) -> None:
    """The layer is registered, so that no code needs to be named when a model is read."""
    model = vgg("A-LRN", **SIXTEENTH)
    model.save(f"{tmp_path}/model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    again = keras.saving.load_model(f"{tmp_path}/model.keras")
    np.testing.assert_array_equal(again(pixels), model(pixels))


def test_open_sides_are_refused() -> None:
    """The dense layers need the size."""
    with pytest.raises(ValueError, match=r"^input_shape=\(None, 32, 3\) has no fixed size, which dense layers need"):
        vgg("D", input_shape=(None, 32, 3))
