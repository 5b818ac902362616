"""A functional model of two paths: the smallest one that is not a chain of layers."""

from typing import TYPE_CHECKING

from training.architectures import parts

if TYPE_CHECKING:
    import keras

PATHS = ((3, 4), (5, 7))
"""(kernel, maps) of the convolution of each path."""


def graph(
    *, input_shape: parts.InputShape = (32, 32, 3), classes: int = 10, width: float = 1.0, rescale: bool = True
) -> "keras.Model":
    """Build a model of two convolutions side by side, concatenated, flattened, and one dense layer.

    It maps pixels [B, H, W, C], uint8 or float in 0 to 255, to probabilities [B, classes], float32 under every dtype
    policy.

    Args:
        input_shape: (height, width, channels); the dense layer needs a fixed size.
        classes: the number of classes, with a softmax over them; 1 gives a sigmoid, for two classes 0 and 1.
        width: factor of the numbers of maps, 4 of 3x3 and 7 of 5x5.
        rescale: whether the model divides the pixels by 255 itself.

    Returns:
        A functional model; its layers are named "path3x3", "path5x5", "maps", "flat", "logits", "probabilities".

    Raises:
        ValueError: a side is None, channels are not 1, 3 or 4, or sides, classes or width are not positive.
    """
    parts.check_arguments(input_shape, classes, width, smallest_side=1, fixed_size=True)
    height, width_px, _ = input_shape
    maps = sum(parts.scale_filters(count, width) for _, count in PATHS)
    parts.check_dense_layer((height or 0) * (width_px or 0) * maps, classes)
    from keras import Model, layers

    pixels, x = parts.pixels(input_shape, rescale=rescale)
    paths = [
        layers.Conv2D(
            parts.scale_filters(maps, width), kernel, padding="same", activation="relu", name=f"path{kernel}x{kernel}"
        )(x)
        for kernel, maps in PATHS
    ]
    x = layers.Flatten(name="flat")(layers.Concatenate(name="maps")(paths))
    x = layers.Dense(classes, name="logits")(x)
    return Model(pixels, parts.probabilities(x, classes), name="graph")
