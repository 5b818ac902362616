"""What the families share: the pixels that come in, the probabilities that go out, and checked arguments."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import keras

InputShape: TypeAlias = tuple[int | None, int | None, int]
"""(height, width, channels); a side is None where it varies."""


def pixels(input_shape: InputShape, *, rescale: bool = True) -> "tuple[keras.KerasTensor, keras.KerasTensor]":
    """Make a model's input, and the pixels as its first layer takes them.

    Args:
        input_shape: (height, width, channels).
        rescale: whether the model itself divides the pixels by 255, so that uint8 travels to the device, a quarter of
            the bytes. False takes the numbers as they come, as `keras.applications` does.
    """
    from keras import Input, layers

    # Declared float32, uint8 passes too, converted on the device; declared uint8, floats would be truncated.
    given = Input(input_shape, dtype="float32", name="pixels")
    return given, layers.Rescaling(1 / 255, name="rescale")(given) if rescale else given


def average(maps: "keras.KerasTensor") -> "keras.KerasTensor":
    """Average maps [B, H, W, C] over their positions: [B, C], in float32, as a long sum overflows float16."""
    from keras import layers

    return layers.GlobalAveragePooling2D(dtype="float32", name="average")(maps)


def probabilities(logits: "keras.KerasTensor", classes: int, *, name: str = "probabilities") -> "keras.KerasTensor":
    """Turn logits into float32 probabilities under every dtype policy: a softmax, or a sigmoid for a single class."""
    from keras import layers

    return layers.Activation("softmax" if classes > 1 else "sigmoid", dtype="float32", name=name)(logits)


def scale_filters(filters: int, width: float) -> int:
    """Give a layer's number of filters at a width, at least one."""
    return max(1, round(width * filters))


def check_variant(variant: str, known: "tuple[str, ...]") -> None:
    """Refuse a variant that there is not.

    Raises:
        ValueError: with those that there are.
    """
    if variant not in known:
        raise ValueError(f"unknown variant {variant!r}; known are {', '.join(known)}")


def check_arguments(
    input_shape: InputShape, classes: int, width: float = 1.0, *, smallest_side: int, fixed_size: bool = False
) -> None:
    """Refuse what no model can be built of.

    Args:
        input_shape: (height, width, channels).
        classes: the number of classes.
        width: factor of the number of filters.
        smallest_side: of an image, in pixels.
        fixed_size: whether the family needs to know the size of its images.

    Raises:
        ValueError: with the value and what would do.
    """
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels), got {input_shape}")
    *sides, channels = input_shape
    if fixed_size and None in sides:
        raise ValueError(f"dense layers need images of one size, got input_shape {input_shape}; give height and width")
    if any(side is not None and side < smallest_side for side in sides):
        raise ValueError(
            f"images need at least {smallest_side} pixels a side, got input_shape {input_shape}; enlarge them"
        )
    if channels is None or channels < 1:
        raise ValueError(f"input_shape must end in a positive number of channels, got {input_shape}")
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")


def local_response_normalization(name: str) -> "keras.layers.Layer":
    """Make a layer that normalises across neighbouring maps; see `training.architectures.normalization`."""
    from training.architectures.normalization import LocalResponseNormalization

    return LocalResponseNormalization(name=name)
