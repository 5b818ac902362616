"""A model's predictions for all samples of a loader, with their labels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline import Loader
from training.canvas import Image

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for samples.

    Attributes:
        class_names: of the columns.
        labels: int64 [N].
        probabilities: float32 [N, classes].
        keys: the samples' keys.
    """

    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    keys: tuple[str, ...]

    @property
    def predicted_classes(self) -> NDArray[np.int64]:
        """The most probable class of each sample."""
        indices: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return indices

    @property
    def error(self) -> float:
        """The fraction of samples whose most probable class is not their label."""
        return float((self.predicted_classes != self.labels).mean())

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts [classes, classes]: the label gives the row, the prediction the column."""
        classes = len(self.class_names)
        counts = np.bincount(self.labels * classes + self.predicted_classes, minlength=classes**2)
        matrix: NDArray[np.int64] = counts.reshape(classes, classes).astype(np.int64)
        return matrix

    def find_worst(self, count: int) -> list[int]:
        """Return the rows of the samples with the lowest probability of their label, the worst first."""
        own = self.probabilities[np.arange(len(self.labels)), self.labels]
        return [int(index) for index in np.argsort(own, kind="stable")[:count]]


def predict(model: "keras.Model", loader: Loader) -> Predictions:
    """Run a model on one epoch of a loader.

    Args:
        model: maps images to probabilities [B, classes].
        loader: with `label_mode="int"`.
    """
    labels, probabilities, sample_keys = [], [], []
    for images, batch_labels, batch_keys in loader.dataset(with_keys=True):
        probabilities.append(np.asarray(model.predict_on_batch(images), np.float32))
        labels.append(batch_labels.numpy())
        sample_keys += [key.decode("utf-8", "surrogateescape") for key in batch_keys.numpy()]
    return Predictions(
        tuple(loader.class_names or ()),
        np.concatenate(labels).astype(np.int64),
        np.concatenate(probabilities),
        tuple(sample_keys),
    )


def collect_images(loader: Loader, sample_keys: list[str]) -> list[Image]:
    """Return the pixels of some samples in a loader's first epoch, in the order of the keys."""
    found: dict[str, Image] = {}
    for images, _, batch_keys in loader.dataset(with_keys=True):
        names = [key.decode("utf-8", "surrogateescape") for key in batch_keys.numpy()]
        found |= {name: images[row].numpy() for row, name in enumerate(names) if name in sample_keys}
    return [found[key] for key in sample_keys]
