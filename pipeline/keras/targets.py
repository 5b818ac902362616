"""Targets, weights and further inputs of a batch, by the samples' indices."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TargetColumn:
    """One value per sample.

    Attributes:
        values: values [N, ...], or class indices [N].
        classes: number of classes, to encode class indices one-hot; None keeps the values.
        dtype: dtype of one-hot rows.
    """

    values: NDArray[Any]
    classes: int | None = None
    dtype: Any = np.float32

    def make_arrays(self, indices: NDArray[Any]) -> Any:
        """Return the values of some samples."""
        values = self.values[indices]
        return values if self.classes is None else (values[:, np.newaxis] == np.arange(self.classes)).astype(self.dtype)

    def make_tensors(self, indices: Any) -> Any:
        """Return the values of some samples, in a graph."""
        import tensorflow as tf

        with tf.init_scope():  # outside the graph, which holds at most 2 GB
            all_values = tf.constant(self.values)
        values = tf.gather(all_values, indices)
        return values if self.classes is None else tf.one_hot(values, self.classes, dtype=tf.as_dtype(self.dtype))


def encode_multi_hot(samples: list[Any], classes: int, dtype: np.dtype[Any]) -> TargetColumn:
    """Return rows [N, classes] with a 1 for each class of a sample."""
    rows = np.zeros((len(samples), classes), dtype)
    for row, indices in zip(rows, samples, strict=True):
        row[indices] = 1
    return TargetColumn(rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchTargets:
    """The parts of a batch beside the images.

    Attributes:
        inputs: further inputs of the model.
        targets: None; "input" for the images themselves; a column; or several, one per output of the model.
        weights: weights of the samples, or None.
    """

    inputs: tuple[TargetColumn, ...] = ()
    targets: str | TargetColumn | tuple[TargetColumn, ...] | None = None
    weights: TargetColumn | None = None

    def make_arrays(self, images: NDArray[Any], indices: NDArray[Any]) -> Any:
        """Return a batch of arrays: images, (images, targets) or (images, targets, weights), with Keras's lists."""
        return self._assemble(images, images.copy, lambda column: column.make_arrays(indices), list)

    def make_tensors(self, images: Any, indices: Any) -> Any:
        """Return a batch of tensors, with tuples instead of Keras's lists, which tf.data would stack."""
        return self._assemble(images, lambda: images, lambda column: column.make_tensors(indices), tuple)

    def _assemble(
        self,
        images: Any,
        copy_images: Callable[[], Any],
        take: Callable[[TargetColumn], Any],
        group: Callable[[Any], Any],
    ) -> Any:
        inputs = group([images, *map(take, self.inputs)]) if self.inputs else images
        if self.targets is None:
            return inputs
        if isinstance(self.targets, tuple):
            targets = group(map(take, self.targets))
        else:
            targets = take(self.targets) if isinstance(self.targets, TargetColumn) else copy_images()
        return (inputs, targets) if self.weights is None else (inputs, targets, take(self.weights))
