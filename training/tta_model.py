"""A Keras model around another, that looks at several views of what it is given."""

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
    """Make a model that answers for an image by the answers of another model for its views.

    It goes wherever a Keras model does: `predict`, `evaluate` (once compiled), `save`. Where a `Loader` is at hand,
    `training.evaluate` does the same with each view cut from the image in its full size. (Of equal shares in a vote,
    Keras's metrics take the first class; `evaluate` takes the one with the greater mean answer.)

    Args:
        model: maps images [B, h, w, C] to answers [B, K]. It shares its weights with the new model.
        of: the views, as those of `Loader`: "ten_crop", "flip", ...
        image_size: (height, width) of the images [B, height, width, C] that the new model takes; larger than those of
            `model` for crops of the full resolution.
        reduce: how the answers become one: "mean", "max" or "vote".
        interpolation: of the resize from a view to the size that `model` takes.

    Returns:
        A functional model.

    Raises:
        OptionError: `model` takes images of no fixed size, `image_size` is no size, or `reduce` is unknown.
    """
    import keras

    if not (isinstance(image_size, Sequence) and len(image_size) == 2):
        raise OptionError(f"image_size must be (height, width) in pixels, got {image_size!r}")
    size = tuple(model.input_shape[1:3])
    if None in size:
        raise OptionError("with_views needs a model for images of a fixed size, to which views are resized")
    if reduce not in ("mean", "max", "vote"):
        raise OptionError(f"reduce must be 'mean', 'max' or 'vote'; got {reduce!r}")
    windows = parse_views(of).windows(image_size, size)
    images = keras.Input((*image_size, model.input_shape[3]), dtype=model.input_dtype)
    answers = keras.ops.stack([model(_cut_view(images, view, size, interpolation)) for view in windows], axis=1)
    return keras.Model(images, _reduce_answers(answers, reduce), name=f"{model.name}_views")


def _cut_view(images: Any, view: Any, size: tuple[int, ...], interpolation: str) -> Any:
    import keras

    flipped = {"horizontal": images[:, :, ::-1], "vertical": images[:, ::-1], "": images}[view.flip]
    window = flipped[:, view.top : view.top + view.height, view.left : view.left + view.width]
    if (view.height, view.width) == size:
        return window
    return keras.layers.Resizing(*size, interpolation=interpolation)(window)


def _reduce_answers(answers: Any, reduce: str) -> Any:
    """Reduce answers [B, V, K] to [B, K], as `training.evaluate.reduce_answers`."""
    import keras

    if reduce == "mean":
        return keras.ops.mean(answers, axis=1)
    if reduce == "max":
        return keras.ops.max(answers, axis=1)
    if answers.shape[-1] == 1:
        return keras.ops.mean(keras.ops.cast(answers >= 0.5, "float32"), axis=1)
    votes = keras.ops.one_hot(keras.ops.argmax(answers, axis=-1), answers.shape[-1], dtype="float32")
    return keras.ops.mean(votes, axis=1)
