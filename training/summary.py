"""The summary of a model: layers, output shapes, parameters and multiply-adds."""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]


class LayerRow(NamedTuple):
    """A layer of a model.

    Attributes:
        name: the layer's name.
        kind: its class.
        output_shape: without the batch dimension.
        parameters: weights and biases, trained or not.
        multiply_adds: per sample; 0 for layers that only add, compare or look up; None where a side is unknown.
    """

    name: str
    kind: str
    output_shape: Shape
    parameters: int
    multiply_adds: int | None


def summary(model: "keras.Model") -> list[LayerRow]:
    """List a functional model's layers, in order.

    Multiply-adds are those of convolutions and dense layers, as Howard et al. 2017 (arXiv:1704.04861) count them.
    Biases, normalizations, activations and poolings do not count.
    """
    return [
        LayerRow(
            layer.name,
            type(layer).__name__,
            tuple(layer.output.shape[1:]),
            layer.count_params(),
            multiply_adds(layer),
        )
        for layer in model.layers
    ]


def multiply_adds(layer: "keras.Layer") -> int | None:
    """Count the multiply-adds of a layer per sample; None where its images have no fixed size.

    A convolution applies its kernel [h, w, inputs per group, outputs] at every position of the output.
    """
    from keras import layers

    if isinstance(layer, layers.Dense):
        positions: Shape = tuple(layer.output.shape[1:-1])
        weights = math.prod(layer.kernel.shape)
    elif isinstance(layer, layers.SeparableConv2D):
        positions = tuple(layer.output.shape[1:-1])
        weights = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    elif isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
        positions = tuple(layer.output.shape[1:-1])
        weights = math.prod(layer.kernel.shape)
    else:
        return 0
    return None if None in positions else weights * math.prod(side for side in positions if side is not None)
