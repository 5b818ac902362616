"""The All-CNN family: its layers are those of the paper, and it takes images of any size and dtype."""

from collections.abc import Iterator

import numpy as np
import pytest

from training.architectures import all_convolutional
from training.architectures.all_convolutional import VARIANTS

# (kernel, channels in, channels out) of the convolutions in tables 1 and 2 of arXiv:1412.6806, for CIFAR-10.
PAPER = {
    "A": [(5, 3, 96), (3, 96, 96), (5, 96, 192), (3, 192, 192), (3, 192, 192), (1, 192, 192), (1, 192, 10)],
    "B": [
        (5, 3, 96),
        (1, 96, 96),
        (3, 96, 96),
        (5, 96, 192),
        (1, 192, 192),
        (3, 192, 192),
        (3, 192, 192),
        (1, 192, 192),
        (1, 192, 10),
    ],
    "C": [
        (3, 3, 96),
        (3, 96, 96),
        (3, 96, 96),
        (3, 96, 192),
        (3, 192, 192),
        (3, 192, 192),
        (3, 192, 192),
        (1, 192, 192),
        (1, 192, 10),
    ],
}
SIXTEENTH = {"width": 1 / 16}


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    """Compute in float16 for the length of a test."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_are_those_of_the_papers_table(variant: str) -> None:
    """Each variant has the weights and biases that the paper's rows sum to."""
    expected = sum(kernel**2 * inputs * outputs + outputs for kernel, inputs, outputs in PAPER[variant])
    assert all_convolutional(variant).count_params() == expected


def test_variant_c_has_1369738_parameters() -> None:
    """Weights and biases, on color images with ten classes."""
    assert all_convolutional("C").count_params() == 1_369_738


@pytest.mark.parametrize("variant", VARIANTS)
def test_blocks_end_in_a_stride_of_two(variant: str) -> None:
    """Two blocks halve the image, and their layers' names say so."""
    model = all_convolutional(variant, **SIXTEENTH)
    assert model.get_layer("block1_down").output.shape[1:3] == (16, 16)
    assert model.get_layer("block2_down").output.shape[1:3] == (8, 8)
    assert model.get_layer("class_maps").output.shape == (None, 8, 8, 10)


def test_one_model_takes_any_resolution() -> None:
    """With open sides, images of differing, odd and smallest sizes give probabilities."""
    model = all_convolutional("C", input_shape=(None, None, 3), classes=7, **SIXTEENTH)
    for height, width in ((4, 4), (32, 32), (33, 47)):
        probabilities = model(np.full((2, height, width, 3), 200, np.uint8)).numpy()
        assert probabilities.shape == (2, 7)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_weights_move_to_a_model_of_another_resolution() -> None:
    """A model trained at one size works at any other."""
    trained = all_convolutional("C", input_shape=(8, 8, 3), **SIXTEENTH)
    free = all_convolutional("C", input_shape=(None, None, 3), **SIXTEENTH)
    free.set_weights(trained.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    np.testing.assert_allclose(free(pixels), trained(pixels), rtol=1e-5)
    assert free(np.zeros((1, 20, 30, 3), np.uint8)).shape == (1, 10)


def test_uint8_pixels_give_what_the_same_floats_give() -> None:
    """The dtype of the pixels does not matter, and 255 means 1 inside the model."""
    model = all_convolutional("C", input_shape=(8, 8, 3), **SIXTEENTH)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(model(pixels), model(pixels.astype(np.float32)))
    np.testing.assert_array_equal(model.get_layer("rescale")(np.full((1, 8, 8, 3), 255, np.uint8)), 1)


def test_fractions_of_a_pixel_value_are_kept() -> None:
    """Float pixels are not rounded to whole numbers on their way in."""
    model = all_convolutional("C", input_shape=(8, 8, 1), **SIXTEENTH)
    pixels = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 1)).astype(np.float32)
    assert not np.array_equal(model(pixels), model(pixels + 0.5))


@pytest.mark.usefixtures("mixed_precision")
def test_probabilities_are_float32_under_mixed_precision() -> None:
    """The convolutions compute in float16, the softmax does not."""
    model = all_convolutional("C", input_shape=(8, 8, 3), **SIXTEENTH)
    assert model.get_layer("block1_conv1").compute_dtype == "float16"
    assert model(np.zeros((1, 8, 8, 3), np.uint8)).dtype == "float32"


def test_a_single_class_gives_a_sigmoid() -> None:
    """Probabilities of the class 1 vary with the image, which a softmax over one class cannot."""
    model = all_convolutional("C", input_shape=(8, 8, 1), classes=1, **SIXTEENTH)
    dark, bright = model(np.stack([np.zeros((8, 8, 1)), np.full((8, 8, 1), 255)]).astype(np.uint8)).numpy()
    assert dark == 0.5  # every bias is 0
    assert bright != dark


def test_width_scales_the_hidden_layers_and_keeps_the_classes() -> None:
    """A factor rounds to whole filters, to at least one, and the class maps stay."""
    half = all_convolutional("A", width=0.5)
    thin = all_convolutional("A", width=0.001)
    assert [half.get_layer(name).filters for name in ("block1_conv1", "block3_conv2")] == [48, 96]
    assert [thin.get_layer(name).filters for name in ("block1_conv1", "block3_conv2")] == [1, 1]
    assert half.get_layer("class_maps").filters == thin.get_layer("class_maps").filters == 10


def test_dropout_is_the_papers_and_can_be_left_out() -> None:
    """20 % of the inputs and 50 % after each stride of 2; without it, training is deterministic."""
    model = all_convolutional("C", **SIXTEENTH)
    rates = {layer.name: layer.rate for layer in model.layers if hasattr(layer, "rate")}
    assert rates == {"input_dropout": 0.2, "block1_dropout": 0.5, "block2_dropout": 0.5}
    plain = all_convolutional("C", input_shape=(8, 8, 3), dropout=False, **SIXTEENTH)
    pixels = np.full((1, 8, 8, 3), 90, np.uint8)
    np.testing.assert_array_equal(plain(pixels, training=True), plain(pixels))


def test_unknown_variant_is_named_with_the_known_ones() -> None:
    """The message says what was given and what would do."""
    with pytest.raises(ValueError, match=r"^unknown variant 'D'; use one of A, B, C$"):
        all_convolutional("D")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input_shape": (3, 32, 3)}, r"input_shape=\(3, 32, 3\) is too small; use at least 4 pixels per side"),
        ({"input_shape": (32, 32)}, r"input_shape must be \(height, width, channels\), got \(32, 32\)"),
        ({"input_shape": (32, 32, 0)}, r"with 1, 3 or 4 channels, got \(32, 32, 0\)"),
        ({"input_shape": (32, 32, None)}, r"with 1, 3 or 4 channels, got \(32, 32, None\)"),
        ({"classes": 0}, "classes must be an integer from 1 to 1,000,000, got 0"),
        ({"width": 0}, "width must be above 0 and at most 1000, got 0"),
        ({"width": float("nan")}, "width must be above 0 and at most 1000, got nan"),
    ],
)
def test_impossible_arguments_are_refused(wrong: dict[str, object], message: str) -> None:
    """Each is refused before anything is built, by a message with the value."""
    with pytest.raises(ValueError, match=message):
        all_convolutional("C", **wrong)  # type: ignore[arg-type]
