"""VGG A to E: blocks of small convolutions, each with a pooling at its end, and three dense layers.

Source: Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
(arXiv:1409.1556), table 1. D and E are what `keras.applications` calls VGG16 and VGG19, layer by layer, so that
weights move from one to the other.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from training.architectures import parts

if TYPE_CHECKING:
    import keras

Variant: TypeAlias = Literal["A", "A-LRN", "B", "C", "D", "E"]

FILTERS = (64, 128, 256, 512, 512)
"""Maps of each block's convolutions."""

VARIANTS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
"""For each variant, the kernels of each block's convolutions."""

SMALLEST_SIDE = 32
"""Pixels: five poolings reduce this side to one position."""

_DENSE = 4096


def vgg(
    variant: Variant = "D",
    *,
    input_shape: parts.InputShape = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: bool = True,
    rescale: bool = True,
) -> "keras.Model":
    """Build a VGG network, initialized after He et al. 2015 (arXiv:1502.01852) and not yet compiled.

    The model maps pixels [B, H, W, C], uint8 or float in 0 to 255, to probabilities [B, classes], float32 under every
    dtype policy. The weights of `keras.applications.VGG16` fit "D", those of `VGG19` "E":
    `vgg("D", rescale=False).set_weights(VGG16().get_weights())` then computes the same as `VGG16`.

    Args:
        variant: "A" (11 layers with weights), "A-LRN", "B" (13), "C" and "D" (16) or "E" (19).
        input_shape: (height, width, channels), at least 32 pixels per side; the dense layers need the size.
        classes: the number of classes, with a softmax over them; 1 gives a sigmoid, for two classes 0 and 1.
        width: factor of the filters and of the dense layers' units.
        dropout: whether training drops half of the two dense layers' outputs, as in the paper.
        rescale: whether the model divides the pixels by 255 itself; False uses them unchanged, as
            `keras.applications` does.

    Returns:
        A functional model; its layers are named "block1_conv1", ..., "block5_pool", "flatten", "fc1", "fc2",
        "logits" and "probabilities".

    Raises:
        ValueError: an unknown variant, a side below 32 pixels or None, channels other than 1, 3 or 4, or classes or
            width not positive.
    """
    parts.check_variant(variant, tuple(VARIANTS))
    parts.check_arguments(input_shape, classes, width, smallest_side=SMALLEST_SIDE, fixed_size=True)
    height, width_px, _ = input_shape
    positions = ((height or 0) // 32) * ((width_px or 0) // 32)
    units = parts.scale_filters(_DENSE, width)
    parts.check_dense_layer(positions * parts.scale_filters(FILTERS[-1], width), units)
    parts.check_dense_layer(units, max(units, classes))
    from keras import Model, layers

    pixels, x = parts.pixels(input_shape, rescale=rescale)
    for block, (filters, kernels) in enumerate(zip(FILTERS, VARIANTS[variant], strict=True), start=1):
        for position, kernel in enumerate(kernels, start=1):
            x = layers.Conv2D(
                parts.scale_filters(filters, width),
                kernel,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{position}",
            )(x)
        if block == 1 and variant == "A-LRN":
            x = parts.local_response_normalization("block1_lrn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=name)(x)
        if dropout:
            x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    return Model(pixels, parts.probabilities(x, classes), name=f"vgg_{variant.lower().replace('-', '_')}")
