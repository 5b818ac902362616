"""A stream: what the Keras-shaped functions return a dataset of."""

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
    """Stages whose batches are finished as wholes: normalized, laid out, their labels written.

    Attributes:
        stages: what makes the batches, with raw labels (`label_mode` None).
        shape: of a finished image.
        dtype: of the finished images.
        label_mode: of the finished labels; "int" and None leave them as they are.
        finish: finishes a batch; called with its epoch as well.
    """

    stages: Stages
    shape: Shape
    dtype: np.dtype[Any]
    label_mode: str | None
    finish: Callable[[Batch, int], Batch]

    @property
    def error_log(self) -> ErrorLog:
        """That of the stages."""
        return self.stages.error_log

    @property
    def source(self) -> Source:
        """That of the stages."""
        return self.stages.source

    @property
    def element_spec(self) -> tuple[Shape, np.dtype[Any]]:
        """The shape and dtype of a finished image; nothing has to be run to know them."""
        return self.shape, self.dtype

    def batch(self, epoch: int, start: int, stop: int) -> Batch:
        """Make a batch of the samples at positions start to stop of an epoch; see `Stages.batch`."""
        return self.finish(self.stages.batch(epoch, start, stop), epoch)


@dataclass(frozen=True, eq=False)
class Stream:
    """The definition behind a dataset: it builds no graph, and threads can share it.

    Attributes:
        batches: what computes them.
        layout: how they are laid out.
        seed: of the order and the augmentation.
    """

    batches: FinishedStages
    layout: graph.EpochLayout
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """The elements of an epoch."""
        return self.layout.steps

    @property
    def num_examples(self) -> int:
        """The samples in an epoch, bad ones included."""
        return self.layout.length

    @property
    def errors(self) -> tuple[BadSample, ...]:
        """The bad samples that were met so far."""
        return self.batches.error_log.bad_samples

    @property
    def failure(self) -> Exception | None:
        """The error that ended an iteration, as it was raised."""
        return self.batches.error_log.failure

    def batch(self, epoch: int, step: int) -> Batch:
        """Compute one batch, without TensorFlow's pipeline."""
        start = step * self.layout.block
        return self.batches.batch(epoch, start, min(start + self.layout.block, self.layout.length))

    def dataset(self, epoch: int = 0, step: int = 0) -> "tf.data.Dataset":
        """Build the dataset from one position on; iterating it again gives the next epoch, as with `pipeline.Loader`.

        Raises:
            OptionError: the position is out of range.
            TypeError: `epoch` or `step` is no integer.
        """
        return graph.build(self.batches, self.layout, *self.layout.check_position(epoch, step))


def channels_first(images: NDArray[Any]) -> NDArray[Any]:
    """Lay out images [B, H, W, C] as [B, C, H, W]."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))
