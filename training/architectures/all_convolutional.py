"""All-CNN-A, B and C: classifiers made of convolutions only.

Source: Springenberg, Dosovitskiy, Brox and Riedmiller 2014, "Striving for Simplicity: The All Convolutional
Net" (arXiv:1412.6806), tables 1 and 2. A 3x3 convolution with stride 2 replaces pooling, and an average over
all positions replaces dense layers, so that one model takes images of any size.

Two departures from the paper. The first convolution of the last block is padded, so that small images work:
on 32x32 pixels the average covers 8x8 positions, not 6x6. And the class maps have no ReLU: a class whose map
is negative everywhere would get no gradient and stay dead.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from training.architectures import parts

if TYPE_CHECKING:
    import keras

Variant: TypeAlias = Literal["A", "B", "C"]


class Convolution(NamedTuple):
    """A padded convolution followed by a ReLU; with stride 2 it closes a block."""

    filters: int
    kernel: int
    stride: int = 1


_LAST_BLOCK = (Convolution(192, 3), Convolution(192, 1))

VARIANTS: Mapping[str, tuple[Convolution, ...]] = {
    "A": (
        Convolution(96, 5),
        Convolution(96, 3, stride=2),
        Convolution(192, 5),
        Convolution(192, 3, stride=2),
        *_LAST_BLOCK,
    ),
    "B": (
        Convolution(96, 5),
        Convolution(96, 1),
        Convolution(96, 3, stride=2),
        Convolution(192, 5),
        Convolution(192, 1),
        Convolution(192, 3, stride=2),
        *_LAST_BLOCK,
    ),
    "C": (
        Convolution(96, 3),
        Convolution(96, 3),
        Convolution(96, 3, stride=2),
        Convolution(192, 3),
        Convolution(192, 3),
        Convolution(192, 3, stride=2),
        *_LAST_BLOCK,
    ),
}
"""The hidden layers of each variant; a 1x1 convolution to one map per class follows them in all three."""

SMALLEST_SIDE = 4
"""Pixels: the two strides of 2 reduce this side to one position."""


def all_convolutional(
    variant: Variant = "C",
    *,
    input_shape: parts.InputShape = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    dropout: bool = True,
    rescale: bool = True,
) -> "keras.Model":
    """Build an All-CNN, initialized after He et al. 2015 (arXiv:1502.01852) and not yet compiled.

    The model maps pixels [B, H, W, C], uint8 or float in 0 to 255, to probabilities [B, classes], float32
    under every dtype policy. It scales the pixels to 0 to 1 itself, so that uint8 is copied to the device: a
    quarter of the bytes. H and W are at least 4, and may vary where `input_shape` has None; the weights do
    not depend on them.

    Args:
        variant: "A" (1.3 million parameters), "B" (1.3) or "C" (1.4, the best of the paper).
        input_shape: (height, width, channels); None where a side varies.
        classes: the number of classes, with a softmax over them; 1 gives a sigmoid, for two classes 0 and 1.
        width: factor of the number of filters of every hidden layer.
        dropout: whether training drops 20 % of the inputs and 50 % after each stride of 2, as in the paper.
        rescale: whether the model divides the pixels by 255 itself.

    Returns:
        A functional model; its layers are named "block1_conv1", ..., "block1_down" (stride 2), ...,
        "class_maps", "average", "probabilities".

    Raises:
        ValueError: an unknown variant, a side below 4 pixels, or channels, classes or width not positive.
    """
    parts.check_variant(variant, tuple(VARIANTS))
    parts.check_arguments(input_shape, classes, width, smallest_side=SMALLEST_SIDE)
    from keras import Model, layers

    pixels, x = parts.pixels(input_shape, rescale=rescale)
    if dropout:
        x = layers.Dropout(0.2, name="input_dropout")(x)
    block, position = 1, 1
    for convolution in VARIANTS[variant]:
        ends_block = convolution.stride > 1
        x = layers.Conv2D(
            parts.scale_filters(convolution.filters, width),
            convolution.kernel,
            strides=convolution.stride,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"block{block}_down" if ends_block else f"block{block}_conv{position}",
        )(x)
        if ends_block and dropout:
            x = layers.Dropout(0.5, name=f"block{block}_dropout")(x)
        block, position = (block + 1, 1) if ends_block else (block, position + 1)
    x = layers.Conv2D(classes, 1, kernel_initializer="he_normal", name="class_maps")(x)
    x = parts.probabilities(parts.average(x), classes)
    return Model(pixels, x, name=f"all_convolutional_{variant.lower()}")
