"""Parts of all architectures: input layer, output layer, and checks of arguments."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import keras

InputShape: TypeAlias = tuple[int | None, int | None, int]
"""(height, width, channels); a side is None where it varies."""


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
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels), got {input_shape}")
    *sides, channels = input_shape
    if fixed_size and None in sides:
        raise ValueError(f"input_shape={input_shape} has no fixed size, which dense layers need; give height and width")
    if any(side is not None and side < smallest_side for side in sides):
        raise ValueError(f"input_shape={input_shape} is too small; use at least {smallest_side} pixels per side")
    if channels is None or channels < 1:
        raise ValueError(f"input_shape must end in a positive number of channels, got {input_shape}")
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")


def local_response_normalization(name: str) -> "keras.layers.Layer":
    """Create a layer that normalizes across neighboring maps; see `training.architectures.normalization`."""
    from training.architectures.normalization import LocalResponseNormalization

    return LocalResponseNormalization(name=name)
