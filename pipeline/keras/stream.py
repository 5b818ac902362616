"""The stream of batches behind a dataset or an iterator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.error_log import BadSample, ErrorLog
from pipeline.feeds import graph
from pipeline.feeds.layout import EpochLayout
from pipeline.images.stages import Batch, Stages
from pipeline.keras.saving import SaveOptions
from pipeline.keras.targets import BatchTargets
from pipeline.sources.base import Source

if TYPE_CHECKING:
    import tensorflow as tf

Shape = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class FinishedStages:
    """Stages with a last step per batch, such as normalization and the encoding of labels.

    Attributes:
        stages: stages whose labels are the samples' indices.
        shape: shape of a finished image.
        dtype: dtype of finished images.
        finish: last step; called with a batch and its epoch.
        channels_first: whether finished images are [C, H, W].
    """

    stages: Stages
    shape: Shape
    dtype: np.dtype[Any]
    finish: Callable[[Batch, int], Batch]
    channels_first: bool = False

    @property
    def label_mode(self) -> str | None:
        """None: the labels are the samples' indices."""
        return None

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
        targets: targets by the samples' indices.
        saving: where pictures of the batches are written.
    """

    batches: FinishedStages
    layout: EpochLayout
    seed: int
    targets: BatchTargets
    saving: SaveOptions = field(default_factory=SaveOptions)

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
        return self.batches.error_log.bad_samples

    @property
    def failure(self) -> Exception | None:
        """The error that ended an iteration, as it was raised."""
        return self.batches.error_log.failure

    def batch(self, epoch: int, step: int) -> Batch:
        """Return one batch of images and indices, without a `tf.data` pipeline."""
        start = step * self.layout.block
        return self.batches.batch(epoch, start, min(start + self.layout.block, self.layout.length))

    def dataset(self, epoch: int = 0, step: int = 0) -> "tf.data.Dataset":
        """Build the dataset from a position on; each further iteration yields the next epoch.

        Raises:
            OptionError: the position is out of range.
            TypeError: `epoch` or `step` is not an integer.
        """
        indexed = graph.build(self.batches, self.layout, *self.layout.check_position(epoch, step))
        cardinality = vars(indexed).get("cardinality")  # tf.data does not know it; see pipeline/feeds/graph.py
        if self.saving.is_on:
            indexed = graph.observe(indexed, partial(_save, self.saving, self.batches.channels_first))
        dataset = indexed.map(graph.without_autograph(partial(_make_tensors, self.targets)))
        if cardinality is not None:
            dataset.cardinality = cardinality
        dataset.loader = self
        return dataset

    def save(self, batch: Batch) -> None:
        """Write pictures of a batch from `batch`, if they are wanted; the caller is about to return it."""
        if self.saving.is_on:
            _save(self.saving, self.batches.channels_first, *batch)


def _make_tensors(targets: BatchTargets, images: Any, indices: Any, names: Any = None) -> Any:  # noqa: ARG001
    return targets.make_tensors(images, indices)


def _save(
    saving: SaveOptions,
    channels_first: bool,
    images: NDArray[Any],
    indices: NDArray[Any],  # noqa: ARG001
    names: NDArray[np.object_],
) -> None:
    saving.save(np.moveaxis(images, 1, -1) if channels_first else images, names)


def to_channels_first(images: NDArray[Any]) -> NDArray[Any]:
    """Convert images [B, H, W, C] to [B, C, H, W]."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))
