"""What stands beside the images of a batch: targets and weights, by the samples' numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TargetColumn:
    """One value a sample.

    Attributes:
        values: [N, ...]; the class of each sample, where there are classes.
        classes: writes the classes one-hot, this many wide; None leaves the values as they are.
        dtype: of one-hot rows.
    """

    values: NDArray[Any]
    classes: int | None = None
    dtype: Any = np.float32

    def make_arrays(self, indices: NDArray[Any]) -> Any:
        """Take the values of some samples."""
        taken = self.values[indices]
        return taken if self.classes is None else (taken[:, np.newaxis] == np.arange(self.classes)).astype(self.dtype)

    def make_tensors(self, indices: Any) -> Any:
        """Take the values of some samples, in a graph."""
        import tensorflow as tf

        with tf.init_scope():  # outside of the graph, which holds at most 2 GB
            values = tf.constant(self.values)
        taken = tf.gather(values, indices)
        return taken if self.classes is None else tf.one_hot(taken, self.classes, dtype=tf.as_dtype(self.dtype))


def encode_multi_hot(samples: list[Any], classes: int, dtype: np.dtype[Any]) -> TargetColumn:
    """Write several classes a sample as rows of zeros and ones."""
    rows = np.zeros((len(samples), classes), dtype)
    for row, chosen in zip(rows, samples, strict=True):
        row[chosen] = 1
    return TargetColumn(rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchTargets:
    """What a batch is made of.

    Attributes:
        beside: further inputs.
        targets: None for none; "input" for the images themselves; one column; or several, for several outputs.
        weights: of the samples, or None.
    """

    beside: tuple[TargetColumn, ...] = ()
    targets: str | TargetColumn | tuple[TargetColumn, ...] | None = None
    weights: TargetColumn | None = None

    def make_arrays(self, images: NDArray[Any], indices: NDArray[Any]) -> Any:
        """Make a batch of arrays: images, (images, targets) or (images, targets, weights), with Keras's lists."""
        return self._assemble(images, images.copy, lambda column: column.make_arrays(indices), list)

    def make_tensors(self, images: Any, indices: Any) -> Any:
        """Make a batch of tensors; where Keras has lists stand tuples, which tf.data keeps apart."""
        return self._assemble(images, lambda: images, lambda column: column.make_tensors(indices), tuple)

    def _assemble(
        self,
        images: Any,
        copy_images: Callable[[], Any],
        take: Callable[[TargetColumn], Any],
        group: Callable[[Any], Any],
    ) -> Any:
        inputs = group([images, *map(take, self.beside)]) if self.beside else images
        if self.targets is None:
            return inputs
        if isinstance(self.targets, tuple):
            targets = group(map(take, self.targets))
        else:
            targets = take(self.targets) if isinstance(self.targets, TargetColumn) else copy_images()
        return (inputs, targets) if self.weights is None else (inputs, targets, take(self.weights))
