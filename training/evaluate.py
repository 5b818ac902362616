"""Test-time augmentation: evaluating a model on several views of each image, and reducing its predictions to one."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from augment.views import Views
from pipeline import Loader
from pipeline.errors import OptionError

if TYPE_CHECKING:
    import keras

Reduce = Literal["mean", "max", "vote"]
"""How to reduce the predictions [V, K] for the views of an image to one [K]: their mean; the maximum per class; or
the fraction of views that vote for each class."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        accuracy: the fraction of images whose reduced prediction is correct, 0 to 1.
        accuracy_of_views: float64 [V]: the accuracy of each view alone.
        predictions: float [N, K], reduced, in the order of the source.
        labels: int64 [N].
        keys: of the N samples.
    """

    accuracy: float
    accuracy_of_views: NDArray[np.float64]
    predictions: NDArray[Any] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    keys: tuple[str, ...] = field(repr=False)


def evaluate(
    model: "keras.Model",
    loader: Loader,
    *,
    views: str | Views | None = None,
    reduce: Reduce = "mean",
    epoch: int = 0,
) -> Evaluation:
    """Evaluate a model with test-time augmentation. An image is decoded once for all its views.

    Args:
        model: maps images [B, H, W, C] to probabilities (or logits) [B, K], or [B, 1] for two classes.
        loader: the images. Its `augment` (a `Normalize`, for example) is applied to each view. All samples are
            evaluated, in the order of the source. With `copies=k`, k random augmentations of each image are reduced.
        views: as in `Loader`; None uses the loader's own.
        reduce: how to reduce the predictions of an image's views: "mean", "max" or "vote" (in a tied vote the class
            with the greater mean prediction wins).
        epoch: the epoch of random augmentations.

    Returns:
        An `Evaluation`.

    Raises:
        OptionError: `reduce` is unknown; the loader has no labels, mixes them, or is a shard that separates the views
            of an image; or a view of an image is bad.
    """
    if not isinstance(loader, Loader):
        raise OptionError(f"evaluate needs a Loader, got {type(loader)}; use dataset.loader")
    if reduce not in get_args(Reduce):
        raise OptionError(f"reduce must be one of {', '.join(map(repr, get_args(Reduce)))}; got {reduce!r}")
    if loader.label_mode is None or loader.mix is not None:
        raise OptionError("evaluate needs labels; use a loader with a label_mode and without mix")
    loader = _make_view_loader(loader, views)
    if loader.shard[1] > 1 and loader.samples_per_image > 1:
        raise OptionError(
            f"shard={loader.shard} separates the {loader.samples_per_image} views of an image; "
            "evaluate without shard, or select samples by validation_split or limit"
        )
    batches, labels, keys = [], [], []
    for images, batch_labels, batch_keys in loader.dataset(epoch, with_keys=True):
        batches.append(np.asarray(model.predict_on_batch(images)))
        labels.append(batch_labels.numpy())
        keys += [key.decode("utf-8", "surrogateescape") for key in batch_keys.numpy()]
    by_view = _group_by_image(np.concatenate(batches), keys, loader.samples_per_image)
    classes = _to_classes(np.concatenate(labels)[:: loader.samples_per_image])
    predictions = reduce_predictions(by_view, reduce)
    scores = predictions + _compute_tie_breaks(by_view) if reduce == "vote" else predictions
    return Evaluation(
        accuracy=float((decide_classes(scores) == classes).mean()),
        accuracy_of_views=(decide_classes(by_view) == classes[:, np.newaxis]).mean(axis=0),
        predictions=predictions,
        labels=classes,
        keys=tuple(keys[:: loader.samples_per_image]),
    )


def reduce_predictions(by_view: NDArray[Any], reduce: Reduce) -> NDArray[Any]:
    """Reduce the predictions [N, V, K] for the views of N images to [N, K]."""
    if reduce == "mean":
        return np.asarray(by_view.mean(axis=1))
    if reduce == "max":
        return np.asarray(by_view.max(axis=1))
    if by_view.shape[-1] == 1:
        return np.asarray(decide_classes(by_view).mean(axis=1, keepdims=True))
    return np.asarray(np.eye(by_view.shape[-1])[decide_classes(by_view)].mean(axis=1))


def _compute_tie_breaks(by_view: NDArray[Any]) -> NDArray[Any]:
    """Return scores [N, K] that decide tied votes by the mean prediction; each is below half a vote."""
    mean, (_, views, classes) = by_view.mean(axis=1), by_view.shape
    if classes == 1:
        return np.asarray(np.sign(mean - 0.5) / (4 * views))
    return np.asarray(mean.argsort(axis=1).argsort(axis=1) / (2 * views * classes))


def decide_classes(predictions: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes of predictions [..., K]: the greatest; with one column, 1 where it is at least 0.5."""
    if predictions.shape[-1] == 1:
        return np.asarray(predictions[..., 0] >= 0.5, np.int64)
    return np.asarray(predictions.argmax(axis=-1))


def _make_view_loader(loader: Loader, views: str | Views | None) -> Loader:
    """Create the loader whose batches contain all views of each image, one after another."""
    # Bad samples are skipped: a replacement would count twice.
    options: dict[str, Any] = {"shuffle": False, "drop_remainder": False, "batch_size": None}
    if loader.on_error == "replace":
        options["on_error"] = "skip"
    if views is not None:
        options["views"] = views
    batch_size = loader.batch_size or 32
    loader = replace(loader, **options)
    return replace(loader, batch_size=max(1, batch_size // loader.samples_per_image) * loader.samples_per_image)


def _group_by_image(predictions: NDArray[Any], keys: list[str], count: int) -> NDArray[Any]:
    """Group the predictions [N * V, ...] by image: [N, V, K]."""
    if len(keys) % count or any(len(set(keys[at : at + count])) > 1 for at in range(0, len(keys), count)):
        raise OptionError('on_error="skip" dropped some views of an image but not all; see loader.errors')
    return np.asarray(predictions.reshape(-1, count, predictions.shape[1] if predictions.ndim > 1 else 1))


def _to_classes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes of labels: integers [N], one-hot [N, K], or 0 and 1 in [N, 1]."""
    return (labels if labels.ndim == 1 else decide_classes(labels)).astype(np.int64)
