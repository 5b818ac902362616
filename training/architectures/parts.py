"""Parts of all architectures: input layer, output layer, and checks of arguments."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import keras

InputShape: TypeAlias = tuple[int | None, int | None, int]
"""(height, width, channels); a side is None where it varies."""

CHANNELS = (1, 3, 4)
"""The numbers of channels of a loader's images."""

MAX_PIXELS = 2**26
MAX_CLASSES = 1_000_000
MAX_WIDTH = 1000
MAX_WEIGHTS = 2**31
"""Bounds beyond which no model fits into memory; the last is for one dense layer."""


def pixels(input_shape: InputShape, *, rescale: bool = True) -> "tuple[keras.KerasTensor, keras.KerasTensor]":
    """Create a model's input, and the tensor for its first layer.

    Args:
        input_shape: (height, width, channels).
        rescale: whether the model divides the pixels by 255 itself, so that uint8 is copied to the device: a quarter of
            the bytes. False uses the values unchanged, as `keras.applications` does.
    """
    from keras import Input, layers

    # float32 input accepts uint8, too, and converts it on the device; uint8 input would truncate floats.
    images = Input(input_shape, dtype="float32", name="pixels")
    return images, layers.Rescaling(1 / 255, name="rescale")(images) if rescale else images


def average(maps: "keras.KerasTensor") -> "keras.KerasTensor":
    """Average maps [B, H, W, C] over their positions: [B, C], in float32, since a long sum overflows float16."""
    from keras import layers

    return layers.GlobalAveragePooling2D(dtype="float32", name="average")(maps)


def probabilities(logits: "keras.KerasTensor", classes: int, *, name: str = "probabilities") -> "keras.KerasTensor":
    """Turn logits into float32 probabilities under every dtype policy: a softmax, or a sigmoid for a single class."""
    from keras import layers

    return layers.Activation("softmax" if classes > 1 else "sigmoid", dtype="float32", name=name)(logits)


def scale_filters(filters: int, width: float) -> int:
    """Return a layer's number of filters at a width, at least one."""
    return max(1, round(width * filters))


def check_variant(variant: str, known: "tuple[str, ...]") -> None:
    """Check the name of a variant.

    Raises:
        ValueError: it is unknown; the message lists the known ones.
    """
    if variant not in known:
        raise ValueError(f"unknown variant {variant!r}; use one of {', '.join(known)}")


def check_arguments(
    input_shape: InputShape, classes: int, width: float = 1.0, *, smallest_side: int, fixed_size: bool = False
) -> None:
    """Check the arguments of an architecture.

    Args:
        input_shape: (height, width, channels).
        classes: the number of classes.
        width: factor for the number of filters.
        smallest_side: of an image, in pixels.
        fixed_size: whether the architecture needs images of a fixed size.

    Raises:
        ValueError: an argument is invalid.
    """
    if not isinstance(input_shape, Sequence) or len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels), got {input_shape}")
    *sides, channels = input_shape
    for number in input_shape:
        if number is not None and (not isinstance(number, Integral) or isinstance(number, bool)):
            raise ValueError(f"input_shape must contain integers or None, got {input_shape}")
    if channels not in CHANNELS:
        raise ValueError(
            f"input_shape must be (height, width, channels) with 1, 3 or 4 channels, got {input_shape}; "
            "channels are the last dimension"
        )
    if fixed_size and None in sides:
        raise ValueError(f"input_shape={input_shape} has no fixed size, which dense layers need; give height and width")
    if any(side is not None and side < smallest_side for side in sides):
        raise ValueError(f"input_shape={input_shape} is too small; use at least {smallest_side} pixels per side")
    if math.prod(side or 1 for side in sides) > MAX_PIXELS:
        raise ValueError(f"input_shape={input_shape} is too large; use at most {MAX_PIXELS:,} pixels")
    if not isinstance(classes, Integral) or isinstance(classes, bool) or not 1 <= classes <= MAX_CLASSES:
        raise ValueError(f"classes must be an integer from 1 to {MAX_CLASSES:,}, got {classes}")
    if not (isinstance(width, Real) and 0 < width <= MAX_WIDTH):
        raise ValueError(f"width must be above 0 and at most {MAX_WIDTH}, got {width}")


def check_dense_layer(inputs: int, units: int) -> None:
    """Check the size of a dense layer before its weights are allocated.

    Raises:
        ValueError: it has more than 2**31 weights.
    """
    if inputs * units > MAX_WEIGHTS:
        raise ValueError(
            f"a dense layer of {inputs:,} x {units:,} weights is too large; use smaller images or a smaller width"
        )


def local_response_normalization(name: str) -> "keras.layers.Layer":
    """Create a layer that normalizes across neighboring maps; see `training.architectures.normalization`."""
    from training.architectures.normalization import LocalResponseNormalization

    return LocalResponseNormalization(name=name)
