"""Test-time augmentation as a Keras model around another model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from augment.views import Size, Views, parse_views
from pipeline.errors import OptionError
from training.evaluate import Reduce

if TYPE_CHECKING:
    import keras


def with_views(
    model: "keras.Model", of: str | Views, image_size: Size, *, reduce: Reduce = "mean", interpolation: str = "bilinear"
) -> "keras.Model":
    """Build a model that predicts for several views of each image and reduces the predictions to one.

    The model supports `predict`, `evaluate` (once compiled) and `save`. With a `Loader`, `training.evaluate` does the
    same and cuts each view from the image in full resolution. (In a tied vote, Keras's metrics choose the first class;
    `evaluate` chooses the class with the greater mean prediction.)

    Args:
        model: maps images [B, h, w, C] to predictions [B, K]. It shares its weights with the new model.
        of: the views, as in `Loader`: "ten_crop", "flip", ...
        image_size: (height, width) of the new model's images [B, height, width, C]; larger than those of `model` for
            crops in full resolution.
        reduce: how to reduce the predictions: "mean", "max" or "vote".
        interpolation: of the resize from a view to the input size of `model`.

    Returns:
        A functional model.

    Raises:
        OptionError: `model` has no fixed input size, `image_size` is not two numbers, or `reduce` is unknown.
    """
    import keras

    if not (isinstance(image_size, Sequence) and len(image_size) == 2):
        raise OptionError(f"image_size must be (height, width) in pixels, got {image_size!r}")
    size = tuple(model.input_shape[1:3])
    if None in size:
        raise OptionError("with_views needs a model with a fixed input size; views are resized to it")
    if reduce not in ("mean", "max", "vote"):
        raise OptionError(f"reduce must be 'mean', 'max' or 'vote'; got {reduce!r}")
    windows = parse_views(of).windows(image_size, size)
    images = keras.Input((*image_size, model.input_shape[3]), dtype=model.input_dtype)
    by_view = keras.ops.stack([model(_cut_view(images, view, size, interpolation)) for view in windows], axis=1)
    return keras.Model(images, _reduce_predictions(by_view, reduce), name=f"{model.name}_views")


def _cut_view(images: Any, view: Any, size: tuple[int, ...], interpolation: str) -> Any:
    import keras

    flipped = {"horizontal": images[:, :, ::-1], "vertical": images[:, ::-1], "": images}[view.flip]
    window = flipped[:, view.top : view.top + view.height, view.left : view.left + view.width]
    if (view.height, view.width) == size:
        return window
    return keras.layers.Resizing(*size, interpolation=interpolation)(window)


def _reduce_predictions(by_view: Any, reduce: str) -> Any:
    """Reduce predictions [B, V, K] to [B, K], as `training.evaluate.reduce_predictions`."""
    import keras

    if reduce == "mean":
        return keras.ops.mean(by_view, axis=1)
    if reduce == "max":
        return keras.ops.max(by_view, axis=1)
    if by_view.shape[-1] == 1:
        return keras.ops.mean(keras.ops.cast(by_view >= 0.5, "float32"), axis=1)
    votes = keras.ops.one_hot(keras.ops.argmax(by_view, axis=-1), by_view.shape[-1], dtype="float32")
    return keras.ops.mean(votes, axis=1)
