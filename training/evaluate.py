"""Evaluating a model on several views of each image, and reducing its answers to one."""

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
"""How the answers [V, K] for the views of an image become one [K]: their mean; the greatest for each class; or each
class's share of the votes, of which each view has one."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model answered.

    Attributes:
        accuracy: the share of the images whose reduced answer is right, 0 to 1.
        accuracy_of_views: float64 [V]: that of each view by itself.
        predictions: float [N, K], the reduced answers, in the order of the source.
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
    """Evaluate a model on views of each image (test-time augmentation). An image is decoded once for all its views.

    Args:
        model: maps images [B, H, W, C] to probabilities (or logits) [B, K], or [B, 1] for two classes.
        loader: the images; its `augment` (a `Normalize`, say) works on each view, and every sample is evaluated,
            unshuffled. A loader with `copies=k` gives k random augmentations of each image, which are reduced too.
        views: as those of `Loader`; None takes the loader's own.
        reduce: how the answers for an image's views become one: "mean", "max" or "vote" (of equal shares in a vote the
            class with the greater mean answer wins).
        epoch: whose keys the random augmentations have.

    Returns:
        An `Evaluation`.

    Raises:
        OptionError: `reduce` is unknown, the loader has no labels, mixes them, or is a shard that parts the views of an
            image, or a view of an image is bad.
    """
    if not isinstance(loader, Loader):
        raise OptionError(f"evaluating needs a pipeline.Loader, which a dataset has as .loader; got {type(loader)}")
    if reduce not in get_args(Reduce):
        raise OptionError(f"reduce must be one of {', '.join(map(repr, get_args(Reduce)))}; got {reduce!r}")
    if loader.label_mode is None or loader.mix is not None:
        raise OptionError("evaluating needs labels: a loader with a label_mode, and without mix")
    loader = _make_view_loader(loader, views)
    if loader.shard[1] > 1 and loader.samples_per_image > 1:
        raise OptionError(
            f"shard={loader.shard} separates the {loader.samples_per_image} views of an image, which are evaluated "
            "together: evaluate the whole, or a subset that validation_split or limit makes"
        )
    answers, labels, keys = [], [], []
    for images, own, names in loader.dataset(epoch, with_keys=True):
        answers.append(np.asarray(model.predict_on_batch(images)))
        labels.append(own.numpy())
        keys += [name.decode("utf-8", "surrogateescape") for name in names.numpy()]
    by_view = _group_by_image(np.concatenate(answers), keys, loader.samples_per_image)
    classes = _to_classes(np.concatenate(labels)[:: loader.samples_per_image])
    predictions = reduce_answers(by_view, reduce)
    decided = (
        decide_classes(predictions + _compute_tie_breaks(by_view)) if reduce == "vote" else decide_classes(predictions)
    )
    return Evaluation(
        accuracy=float((decided == classes).mean()),
        accuracy_of_views=(decide_classes(by_view) == classes[:, np.newaxis]).mean(axis=0),
        predictions=predictions,
        labels=classes,
        keys=tuple(keys[:: loader.samples_per_image]),
    )


def reduce_answers(answers: NDArray[Any], reduce: Reduce) -> NDArray[Any]:
    """Reduce the answers [N, V, K] for the views of N images to [N, K]."""
    if reduce == "mean":
        return np.asarray(answers.mean(axis=1))
    if reduce == "max":
        return np.asarray(answers.max(axis=1))
    if answers.shape[-1] == 1:
        return np.asarray(decide_classes(answers).mean(axis=1, keepdims=True))
    return np.asarray(np.eye(answers.shape[-1])[decide_classes(answers)].mean(axis=1))


def _compute_tie_breaks(answers: NDArray[Any]) -> NDArray[Any]:
    """Give what decides between classes of equal votes: their mean answers [N, K], as less than half a vote."""
    mean, (_, views, classes) = answers.mean(axis=1), answers.shape
    if classes == 1:
        return np.asarray(np.sign(mean - 0.5) / (4 * views))
    return np.asarray(mean.argsort(axis=1).argsort(axis=1) / (2 * views * classes))


def decide_classes(answers: NDArray[Any]) -> NDArray[np.int64]:
    """Give the class of answers [..., K]: the greatest; of one column, whether it is at least a half."""
    if answers.shape[-1] == 1:
        return np.asarray(answers[..., 0] >= 0.5, np.int64)
    return np.asarray(answers.argmax(axis=-1))


def _make_view_loader(loader: Loader, views: str | Views | None) -> Loader:
    """Make the loader whose batches hold all views of the images in them, one after another."""
    # A bad sample is left out: its place must not be taken by another, which would count twice.
    options: dict[str, Any] = {"shuffle": False, "drop_remainder": False, "batch_size": None}
    if loader.on_error == "replace":
        options["on_error"] = "skip"
    if views is not None:
        options["views"] = views
    batch_size = loader.batch_size or 32
    loader = replace(loader, **options)
    return replace(loader, batch_size=max(1, batch_size // loader.samples_per_image) * loader.samples_per_image)


def _group_by_image(answers: NDArray[Any], keys: list[str], count: int) -> NDArray[Any]:
    """Put the answers [N * V, ...] for the views of each image together, [N, V, K]."""
    if len(keys) % count or any(len(set(keys[at : at + count])) > 1 for at in range(0, len(keys), count)):
        raise OptionError(
            'a view of an image is bad, but others are not, and on_error="skip" has left it out; see loader.errors'
        )
    return np.asarray(answers.reshape(-1, count, answers.shape[1] if answers.ndim > 1 else 1))


def _to_classes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Give the class of labels: integers [N], one-hot [N, K], or 0 and 1 in [N, 1]."""
    return (labels if labels.ndim == 1 else decide_classes(labels)).astype(np.int64)
