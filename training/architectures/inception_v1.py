"""Inception: blocks that apply convolutions of several sizes in parallel.

Source: Szegedy et al. 2014, "Going Deeper with Convolutions" (arXiv:1409.4842), table 1 and section 5. The numbers of
parameters that the table prints for its blocks contradict the widths that it prints. From 3a to 5b it has 159, 380,
364, 437, 463, 580, 840, 1072 and 1388 thousand (of 1,024); the widths yield 159.9, 379.6, 367.4, 438.6, 498.1, 591.2,
848, 1019 and 1410.2. This module uses the widths.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from training.architectures import parts

if TYPE_CHECKING:
    import keras

Variant: TypeAlias = Literal["paper", "simplified"]

VARIANTS = ("paper", "simplified")

SMALLEST_SIDE = 32
"""Pixels: five strides of 2 reduce this side to one position."""


class Block(NamedTuple):
    """The maps of an inception block's convolutions, in the order of the paper's table."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: int


BLOCKS: Mapping[str, Block] = {
    "3a": Block(64, 96, 128, 16, 32, 32),
    "3b": Block(128, 128, 192, 32, 96, 64),
    "4a": Block(192, 96, 208, 16, 48, 64),
    "4b": Block(160, 112, 224, 24, 64, 64),
    "4c": Block(128, 128, 256, 24, 64, 64),
    "4d": Block(112, 144, 288, 32, 64, 64),
    "4e": Block(256, 160, 320, 32, 128, 128),
    "5a": Block(256, 160, 320, 32, 128, 128),
    "5b": Block(384, 192, 384, 48, 128, 128),
}
"""The paper's nine blocks; a max pooling of stride 2 follows "3b" and "4e"."""

AUXILIARY = {"4a": "auxiliary1", "4d": "auxiliary2"}
"""The blocks with auxiliary classifiers, and the classifiers' names."""


def inception_block(x: "keras.KerasTensor", block: Block, name: str = "inception") -> "keras.KerasTensor":
    """Apply an inception block: 1x1, 3x3 and 5x5 convolutions and a 3x3 max pooling, side by side, concatenated.

    1x1 convolutions reduce the maps before the large ones and after the pooling; a ReLU follows every convolution.

    Args:
        x: maps [B, H, W, C] of a functional model.
        block: the maps of the six convolutions.
        name: prefix of the layers' names.

    Returns:
        Maps [B, H, W, block.one + block.three + block.five + block.pool].
    """
    from keras import layers

    def convolve(maps: "keras.KerasTensor", filters: int, kernel: int, part: str) -> "keras.KerasTensor":
        return _convolve(maps, filters, kernel, f"{name}_{part}")

    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    branches = [
        convolve(x, block.one, 1, "1x1"),
        convolve(convolve(x, block.reduce_three, 1, "3x3_reduce"), block.three, 3, "3x3"),
        convolve(convolve(x, block.reduce_five, 1, "5x5_reduce"), block.five, 5, "5x5"),
        convolve(pooled, block.pool, 1, "pool_1x1"),
    ]
    return layers.Concatenate(name=f"{name}_maps")(branches)


def inception_v1(
    variant: Variant = "paper",
    *,
    input_shape: parts.InputShape = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    auxiliary: bool = False,
    dropout: bool = True,
    rescale: bool = True,
) -> "keras.Model":
    """Build GoogLeNet, initialized after He et al. 2015 (arXiv:1502.01852) and not yet compiled.

    The model maps pixels [B, H, W, C], uint8 or float in 0 to 255, to probabilities [B, classes], float32 under every
    dtype policy.

    Args:
        variant: "paper": a stem of strides and poolings to an eighth of the side, with local response normalization; or
            "simplified", for small images: a stem of one 3x3 convolution of stride 2, and batch normalization after
            each stage instead.
        input_shape: (height, width, channels), at least 32 pixels per side; None where a side varies.
        classes: the number of classes, with a softmax over them; 1 gives a sigmoid, for two classes 0 and 1.
        width: factor of all filters.
        auxiliary: whether the two auxiliary classifiers, on blocks 4a and 4d, are outputs too: the model then has the
            outputs "probabilities", "auxiliary1" and "auxiliary2"; the paper weights their losses 1, 0.3 and 0.3.
            Only for "paper", and only with fixed sides of at least 80 pixels.
        dropout: whether training drops 40 % of the averaged maps, and 70 % before an auxiliary classifier.
        rescale: whether the model divides the pixels by 255 itself.

    Returns:
        A functional model; its layers are named "stem_...", "3a_1x1", "3a_3x3_reduce", "3a_3x3", ..., "5b_maps",
        "average", "logits", "probabilities".

    Raises:
        ValueError: an unknown variant, a side that is too small, channels other than 1, 3 or 4, classes or width not
            positive, or auxiliary classifiers of the simplified variant.
    """
    parts.check_variant(variant, VARIANTS)
    if auxiliary and variant != "paper":
        raise ValueError("only the variant 'paper' has auxiliary classifiers")
    side = 80 if auxiliary else SMALLEST_SIDE  # 80 pixels yield the 5x5 positions that the auxiliary pooling needs
    parts.check_arguments(input_shape, classes, width, smallest_side=side, fixed_size=auxiliary)
    from keras import Model, layers

    pixels, x = parts.pixels(input_shape, rescale=rescale)
    x = (
        _apply_paper_stem(x, width)
        if variant == "paper"
        else _convolve(x, parts.scale_filters(64, width), 3, "stem", 2)
    )
    outputs = []
    for name, block in BLOCKS.items():
        x = inception_block(x, Block(*(parts.scale_filters(maps, width) for maps in block)), name)
        if auxiliary and name in AUXILIARY:
            outputs.append(_apply_auxiliary_classifier(x, classes, width, dropout, AUXILIARY[name]))
        if variant == "simplified" and name in ("3b", "4e", "5b"):
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
        if name in ("3b", "4e"):
            x = _max_pool(x, f"{name}_down")
    x = parts.average(x)
    if dropout:
        x = layers.Dropout(0.4, name="dropout")(x)
    x = layers.Dense(classes, name="logits")(x)
    outputs.insert(0, parts.probabilities(x, classes))
    return Model(pixels, outputs if auxiliary else outputs[0], name=f"inception_v1_{variant}")


def _apply_paper_stem(x: "keras.KerasTensor", width: float) -> "keras.KerasTensor":
    x = _convolve(x, parts.scale_filters(64, width), 7, "stem_7x7", 2)
    x = _max_pool(x, "stem_down1")
    x = parts.local_response_normalization("stem_lrn1")(x)
    x = _convolve(x, parts.scale_filters(64, width), 1, "stem_3x3_reduce")
    x = _convolve(x, parts.scale_filters(192, width), 3, "stem_3x3")
    x = parts.local_response_normalization("stem_lrn2")(x)
    return _max_pool(x, "stem_down2")


def _apply_auxiliary_classifier(
    x: "keras.KerasTensor", classes: int, width: float, dropout: bool, name: str
) -> "keras.KerasTensor":
    from keras import layers

    x = layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = _convolve(x, parts.scale_filters(128, width), 1, f"{name}_1x1")
    x = layers.Flatten(name=f"{name}_flat")(x)
    x = layers.Dense(
        parts.scale_filters(1024, width), activation="relu", kernel_initializer="he_normal", name=f"{name}_dense"
    )(x)
    if dropout:
        x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    x = layers.Dense(classes, name=f"{name}_logits")(x)
    return parts.probabilities(x, classes, name=name)


def _convolve(x: "keras.KerasTensor", filters: int, kernel: int, name: str, stride: int = 1) -> "keras.KerasTensor":
    from keras import layers

    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _max_pool(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    from keras import layers

    return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)
