"""What stands beside the images of a batch: targets and weights, by the samples' numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Column:
    """One value a sample.

    Attributes:
        values: [N, ...]; the class of each sample, where there are classes.
        classes: writes the classes one-hot, this many wide; None leaves the values as they are.
        dtype: of one-hot rows.
    """

    values: NDArray[Any]
    classes: int | None = None
    dtype: Any = np.float32

    def arrays(self, indices: NDArray[Any]) -> Any:
        """Take the values of some samples."""
        taken = self.values[indices]
        return taken if self.classes is None else (taken[:, np.newaxis] == np.arange(self.classes)).astype(self.dtype)

    def tensors(self, indices: Any) -> Any:
        """Take the values of some samples, in a graph."""
        import tensorflow as tf

        with tf.init_scope():  # outside of the graph, which holds at most 2 GB
            values = tf.constant(self.values)
        taken = tf.gather(values, indices)
        return taken if self.classes is None else tf.one_hot(taken, self.classes, dtype=tf.as_dtype(self.dtype))


def multi_hot(samples: list[Any], classes: int, dtype: np.dtype[Any]) -> Column:
    """Write several classes a sample as rows of zeros and ones."""
    rows = np.zeros((len(samples), classes), dtype)
    for row, chosen in zip(rows, samples, strict=True):
        row[chosen] = 1
    return Column(rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchTargets:
    """What a batch is made of.

    Attributes:
        beside: further inputs.
        targets: None for none; "input" for the images themselves; one column; or several, for several outputs.
        weights: of the samples, or None.
    """

    beside: tuple[Column, ...] = ()
    targets: str | Column | tuple[Column, ...] | None = None
    weights: Column | None = None

    def arrays(self, images: NDArray[Any], indices: NDArray[Any]) -> Any:
        """Make a batch of arrays: images, (images, targets) or (images, targets, weights), with Keras's lists."""
        return self._assembled(images, images.copy, lambda column: column.arrays(indices), list)

    def tensors(self, images: Any, indices: Any) -> Any:
        """Make a batch of tensors; where Keras has lists stand tuples, which tf.data keeps apart."""
        return self._assembled(images, lambda: images, lambda column: column.tensors(indices), tuple)

    def _assembled(
        self, images: Any, copied: Callable[[], Any], take: Callable[[Column], Any], group: Callable[[Any], Any]
    ) -> Any:
        inputs = group([images, *map(take, self.beside)]) if self.beside else images
        if self.targets is None:
            return inputs
        if isinstance(self.targets, tuple):
            targets = group(map(take, self.targets))
        else:
            targets = take(self.targets) if isinstance(self.targets, Column) else copied()
        return (inputs, targets) if self.weights is None else (inputs, targets, take(self.weights))
