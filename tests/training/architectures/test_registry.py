"""Every architecture by its name: small ones work, in mixed precision too, and wrong arguments are refused."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from training.architectures import build, graph
from training.architectures.registry import NAMES
from training.summary import summary

TINY: dict[str, Any] = {"input_shape": (32, 32, 3), "classes": 5, "width": 1 / 16}


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    """Compute in float16 for the length of a test."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


def test_graph_has_113294_parameters() -> None:
    """Two paths of 4 and 7 maps, flattened, and ten classes."""
    assert graph().count_params() == 113_294
    assert [row.parameters for row in summary(graph()) if row.parameters] == [112, 532, 112_650]


@pytest.mark.usefixtures("mixed_precision")
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_are_float32_under_mixed_precision(name: str) -> None:
    """Bright pixels give finite float32 probabilities; most layers compute in float16."""
    model = build(name, **TINY)
    probabilities = model(np.full((2, 32, 32, 3), 255, np.uint8)).numpy()
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-3)
    assert {layer.compute_dtype for layer in model.layers if layer.count_params()} == {"float16"}


@pytest.mark.parametrize("name", NAMES)
def test_layers_have_names_of_their_own(name: str) -> None:
    """No layer is called `conv2d_3`: the name tells the block, and the numbers of two models are alike."""
    model, again = build(name, **TINY), build(name, **TINY)
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers]


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_adds_up(name: str) -> None:
    """The rows' parameters are the model's, and the multiply-adds those that TensorFlow's own profiler counts."""
    model = build(name, **TINY)
    rows = summary(model)
    assert sum(row.parameters for row in rows) == model.count_params()
    assert sum(row.multiply_adds or 0 for row in rows) == count_multiply_adds(model)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_takes_numbers_as_they_come_where_asked(name: str) -> None:
    """With the same weights, a model that does not rescale gives for pixels / 255 what the other gives for pixels."""
    ours, plain = build(name, **TINY), build(name, **TINY, rescale=False)
    plain.set_weights(ours.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(plain(pixels / 255), ours(pixels), rtol=1e-4, atol=1e-6)


def count_multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds of convolutions and matrix products in the graph of a model: half its operations."""
    import tensorflow as tf
    from tensorflow.python.framework import ops

    function = tf.function(lambda pixels: model(pixels, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec([1, *model.input_shape[1:]], tf.float32))
    counted = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
    nodes = [node for node in concrete.graph.as_graph_def().node if node.op in counted]
    return sum(ops.get_stats_for_node_def(concrete.graph, node, "flops").value or 0 for node in nodes) // 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "vgg"}, r"^unknown model 'vgg'; use one of all-convolutional-a, .*vgg-e$"),
        ({"input_shape": (3, 32, 3)}, r"input_shape=\(3, 32, 3\) is too small; use at least 32 pixels per side"),
        ({"input_shape": (32, 32)}, r"input_shape must be \(height, width, channels\), got \(32, 32\)"),
        ({"classes": 0}, "classes must be an integer from 1 to 1,000,000, got 0"),
        ({"classes": 2.0}, r"classes must be an integer from 1 to 1,000,000, got 2\.0"),
        ({"width": 0}, "width must be above 0 and at most 1000, got 0"),
        ({"width": float("inf")}, "width must be above 0 and at most 1000, got inf"),
        (
            {"name": "graph", "input_shape": (3, 32, 32)},
            r"with 1, 3 or 4 channels, got \(3, 32, 32\); channels are the",
        ),
        ({"name": "graph", "input_shape": (32, 32, True)}, r"integers or None, got \(32, 32, True\)"),
        ({"name": "graph", "input_shape": (32.5, 32, 3)}, r"integers or None, got \(32\.5, 32, 3\)"),
        ({"name": "graph", "input_shape": 32}, r"input_shape must be \(height, width, channels\), got 32"),
        ({"input_shape": (99_999, 99_999, 3)}, r"is too large; use at most 67,108,864 pixels"),
        ({"input_shape": (8192, 8192, 3), "width": 1.0}, r"a dense layer of 33,554,432 x 4,096 weights is too large"),
        ({"name": "graph", "dropout": True}, "model 'graph' has no dropout; omit the option"),
        ({"name": "graph", "depth": 3}, "model 'graph': got an unexpected keyword argument 'depth'"),
    ],
)
def test_impossible_arguments_are_refused(wrong: dict[str, Any], message: str) -> None:
    """Each by a message with the value."""
    with pytest.raises(ValueError, match=message):
        build(**{"name": "vgg-d", **TINY, **wrong})


@pytest.mark.parametrize("name", NAMES)
def test_channels_first_shapes_are_refused_as_such(name: str) -> None:
    """Three rows look like too few pixels, but the mistake is the order."""
    with pytest.raises(ValueError, match=r"got \(3, 32, 32\); channels are the last dimension$"):
        build(name, input_shape=(3, 32, 32), classes=2)


def test_multiply_adds_of_open_sides_are_not_known() -> None:
    """None, where a number would be a guess."""
    model = build("all-convolutional-c", input_shape=(None, None, 3), classes=5)
    assert summary(model)[-3].multiply_adds is None
    assert summary(model)[-1].multiply_adds == 0
