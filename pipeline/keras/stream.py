"""The stream of batches behind a dataset or an iterator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.error_log import BadSample, ErrorLog
from pipeline.feeds import graph
from pipeline.images.stages import Batch, Stages
from pipeline.sources.base import Source

if TYPE_CHECKING:
    import tensorflow as tf

Shape = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class FinishedStages:
    """Stages with a last step per batch, such as normalization and the encoding of labels.

    Attributes:
        stages: stages with raw labels (`label_mode=None`).
        shape: shape of a finished image.
        dtype: dtype of finished images.
        label_mode: form of the finished labels.
        finish: last step; called with a batch and its epoch.
    """

    stages: Stages
    shape: Shape
    dtype: np.dtype[Any]
    label_mode: str | None
    finish: Callable[[Batch, int], Batch]

    @property
    def error_log(self) -> ErrorLog:
        """The error log of the stages."""
        return self.stages.error_log

    @property
    def source(self) -> Source:
        """The source of the stages."""
        return self.stages.source

    @property
    def element_spec(self) -> tuple[Shape, np.dtype[Any]]:
        """The shape and dtype of a finished image, known without running the stages."""
        return self.shape, self.dtype

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        """Return a batch of the samples at positions start to stop of an epoch; see `Stages.batch`."""
        return self.finish(self.stages.batch(epoch, start, stop), epoch)


@dataclass(frozen=True, eq=False)
class Stream:
    """The definition of a stream: it builds no graph by itself, and any number of threads may use it.

    Attributes:
        batches: computes the batches.
        layout: division of an epoch into batches.
        seed: seed of the order and the augmentation.
    """

    batches: FinishedStages
    layout: graph.EpochLayout
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps per epoch."""
        return self.layout.steps

    @property
    def num_examples(self) -> int:
        """The number of samples per epoch, bad samples included."""
        return self.layout.length

    @property
    def errors(self) -> tuple[BadSample, ...]:
        """The bad samples so far."""
        return self.batches.error_log.rows

    @property
    def failure(self) -> Exception | None:
        """The error that ended an iteration, as it was raised."""
        return self.batches.error_log.failure

    def batch(self, epoch: int, step: int) -> Batch:
        """Return one batch, without a `tf.data` pipeline."""
        start = step * self.layout.block
        return self.batches.batch(epoch, start, min(start + self.layout.block, self.layout.length))

    def dataset(self, epoch: int = 0, step: int = 0) -> "tf.data.Dataset":
        """Build the dataset from a position on; each further iteration yields the next epoch.

        Raises:
            OptionError: the position is out of range.
            TypeError: `epoch` or `step` is not an integer.
        """
        return graph.build(self.batches, self.layout, *self.layout.check_position(epoch, step))


def to_channels_first(images: NDArray[Any]) -> NDArray[Any]:
    """Convert images [B, H, W, C] to [B, C, H, W]."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))
