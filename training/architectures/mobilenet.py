"""MobileNet: depthwise separable convolutions, for devices with little to compute with.

Source: Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"
(arXiv:1704.04861), table 1.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

from training.architectures import parts

if TYPE_CHECKING:
    import keras

Variant: TypeAlias = Literal["paper", "simplified"]

VARIANTS = ("paper", "simplified")

BLOCKS = ((64, 1), (128, 1), (256, 1), (512, 5))
"""(filters, separable convolutions) of each block; it closes with one more, of stride 2 and twice the filters."""

STEM = 32
"""Filters of the first, full convolution, of stride 2."""

SMALLEST_SIDE = 32
"""Pixels: five strides of 2 reduce this side to one position."""


def mobilenet(
    alpha: float = 1.0,
    variant: Variant = "paper",
    *,
    input_shape: parts.InputShape = (224, 224, 3),
    classes: int = 1000,
    dropout: bool = True,
    rescale: bool = True,
) -> "keras.Model":
    """Build a MobileNet, not yet compiled.

    The model maps pixels [B, H, W, C], uint8 or float in 0 to 255, to probabilities [B, classes], float32 under every
    dtype policy. The weights of `keras.applications.MobileNet(alpha=alpha)` fit "paper":
    `mobilenet(alpha, rescale=False).set_weights(MobileNet(alpha=alpha).get_weights())` then computes the same.

    Args:
        alpha: factor of all filters; the paper has 1, 0.75, 0.5 and 0.25.
        variant: "paper", with a normalization and a ReLU between the depthwise and the pointwise convolution, a bounded
            ReLU, and the padding of `keras.applications`; or "simplified": `SeparableConv2D`, normalization, ReLU, the
            same padding everywhere, and a dense layer at the end.
        input_shape: (height, width, channels), at least 32 pixels per side; None where a side varies.
        classes: the number of classes, with a softmax over them; 1 gives a sigmoid, for two classes 0 and 1.
        dropout: whether training drops 0.1 % of the averaged maps, as `keras.applications` does.
        rescale: whether the model divides the pixels by 255 itself; False takes them as they come, as
            `keras.applications` does.

    Returns:
        A functional model; its layers are named "stem", "block1_separable1", ..., "block1_down" (stride 2), ..., with
        suffixes for their components.

    Raises:
        ValueError: an unknown variant, a side below 32 pixels, channels other than 1, 3 or 4, or classes or alpha not
            positive.
    """
    parts.check_variant(variant, VARIANTS)
    parts.check_arguments(input_shape, classes, alpha, smallest_side=SMALLEST_SIDE)
    from keras import Model, layers

    separable = _apply_paper_separable if variant == "paper" else _apply_separable
    pixels, x = parts.pixels(input_shape, rescale=rescale)
    x = layers.Conv2D(
        _scale_filters(STEM, alpha),
        3,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name="stem",
    )(x)
    x = _apply_norm_relu(x, "stem", bound=6 if variant == "paper" else None)
    for block, (filters, count) in enumerate(BLOCKS, start=1):
        for position in range(1, count + 1):
            x = separable(x, _scale_filters(filters, alpha), 1, f"block{block}_separable{position}")
        x = separable(x, _scale_filters(2 * filters, alpha), 2, f"block{block}_down")
    x = separable(x, _scale_filters(2 * BLOCKS[-1][0], alpha), 1, "last_separable")
    x = parts.average(x)
    if dropout:
        x = layers.Dropout(1e-3, name="dropout")(x)
    if variant == "paper":  # a convolution of one position computes the same as a dense layer
        x = layers.Reshape((1, 1, _scale_filters(2 * BLOCKS[-1][0], alpha)), name="position")(x)
        x = layers.Conv2D(classes, 1, name="logits")(x)
        x = layers.Reshape((classes,), name="flat")(x)
    else:
        x = layers.Dense(classes, name="logits")(x)
    return Model(pixels, parts.probabilities(x, classes), name=f"mobilenet_{variant}")


def _apply_paper_separable(x: "keras.KerasTensor", filters: int, stride: int, name: str) -> "keras.KerasTensor":
    from keras import layers

    if stride > 1:  # at the bottom and on the right, as TensorFlow's first MobileNets padded
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="valid" if stride > 1 else "same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise",
    )(x)
    x = _apply_norm_relu(x, f"{name}_depthwise", bound=6)
    x = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="he_normal", name=f"{name}_pointwise")(x)
    return _apply_norm_relu(x, f"{name}_pointwise", bound=6)


def _apply_separable(x: "keras.KerasTensor", filters: int, stride: int, name: str) -> "keras.KerasTensor":
    from keras import layers

    x = layers.SeparableConv2D(
        filters,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        pointwise_initializer="he_normal",
        name=name,
    )(x)
    return _apply_norm_relu(x, name)


def _apply_norm_relu(x: "keras.KerasTensor", name: str, bound: float | None = None) -> "keras.KerasTensor":
    from keras import layers

    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(bound, name=f"{name}_relu")(x)


def _scale_filters(filters: int, alpha: float) -> int:
    return max(1, int(alpha * filters))  # rounded down, as `keras.applications` does
