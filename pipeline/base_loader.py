"""What loaders of images and of texts share: positions, epochs, parts, and the dataset that starts anywhere."""

import inspect
import logging
import operator
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, Self, cast

import numpy as np

from augment import keys
from pipeline import graph
from pipeline.draw import Draw
from pipeline.errors import OptionError
from pipeline.ledger import LedgerRow
from pipeline.order import Indices, Order
from pipeline.sources.base import Labels, Source
from pipeline.split import limited, members

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")


class BaseLoader(ABC):
    """The part of a loader that does not know what a sample is; `pipeline.Loader` describes the attributes."""

    source: Any
    batch_size: int | None
    label_mode: Any
    class_names: Sequence[str] | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: Any
    stratify: bool
    limit: float | None
    shard: tuple[int, int]
    drop_remainder: bool
    on_error: Any
    max_errors: float | None
    label_offset: int
    num_parallel_calls: int | None
    prefetch: int

    @property
    @abstractmethod
    def _source(self) -> Source: ...

    @property
    @abstractmethod
    def _stages(self) -> Draw[Any]: ...

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        options = {field.name: getattr(self, field.name) for field in fields(cast(Any, self))}
        # What is kept for speed is made again.
        return cast(Callable[..., Self], _made), (type(self), options.pop("source"), options)

    @property
    def num_examples(self) -> int:
        """The samples in an epoch of this loader: its part and its shard, all copies and views, bad ones included."""
        return len(self._stages.order)

    @property
    def steps_per_epoch(self) -> int:
        """The elements of an epoch: batches, or samples where `batch_size` is None."""
        return self._layout(with_keys=False).steps

    @property
    def errors(self) -> tuple[LedgerRow, ...]:
        """The bad samples that were met so far: (sample, stage, reason), one row a sample."""
        return self._stages.ledger.rows

    @property
    def failure(self) -> Exception | None:
        """The error that ended an iteration, as it was raised: `tf.data` delivers it as a `tf.errors.OpError`."""
        return self._stages.ledger.failure

    @cached_property
    def labels(self) -> Labels:
        """The class of every sample of this loader's part, int64, in the order of the source; may read the dataset."""
        labels = self._source.labels()
        return labels if self._members is None else labels[self._members]

    def dataset(self, epoch: int = 0, step: int = 0, *, with_keys: bool = False) -> "tf.data.Dataset":
        """Build the dataset from one position of the stream on; nothing before it is computed.

        Iterating it once gives the rest of that epoch; iterating it again gives the next epoch, and so on.

        Args:
            epoch: from 0 on.
            step: elements of that epoch that are left out, from 0 on.
            with_keys: delivers the samples' keys, strings [B], behind the labels.

        Returns:
            A `tf.data.Dataset` of (features, labels): images uint8 [B, H, W, C] (float32 where the augmentation ends
            in one) or texts, strings [B]; labels as `label_mode` says. Its cardinality is known where every iteration
            has the same: with `step` 0 and unless bad samples are skipped.

        Raises:
            OptionError: there is no such position.
            TypeError: `epoch` or `step` is no integer.
            SampleError: no sample could be made to see what the augmentation yields.
        """
        layout = self._layout(with_keys=with_keys)
        epoch, step = operator.index(epoch), operator.index(step)
        if epoch < 0 or not 0 <= step <= layout.steps:
            raise OptionError(f"epoch {epoch}, step {step} is no position of a stream of {layout.steps} steps an epoch")
        dataset = graph.build(self._batches, layout, epoch, step)
        dataset.loader = self
        dataset.class_names = list(self._source.class_names)
        return dataset

    def _draw_seed(self) -> None:
        """Draw the seed where none is given."""
        if self.seed is None:
            if self.validation_split is not None:
                raise OptionError("validation_split needs a seed: with seed=None the two parts would overlap")
            object.__setattr__(self, "seed", secrets.randbits(63))
            _log.warning("drew seed=%d; give it to see the same stream again", self.seed)

    @property
    def _key(self) -> keys.Key:
        assert self.seed is not None  # noqa: S101  # for the type checker: __post_init__ has drawn one
        return keys.root(self.seed)

    @cached_property
    def _members(self) -> Indices | None:
        chosen = None
        if self.validation_split is not None and self.subset is not None:
            labels = self._source.labels() if self.stratify else None
            chosen = members(len(self._source), self.validation_split, self.subset, self._key, labels)
        if self.limit is None:
            return chosen
        chosen = np.arange(len(self._source)) if chosen is None else chosen
        return chosen[limited(self._source.labels()[chosen], self.limit, self._key)]

    def _order(self, samples: int, per_sample: int = 1) -> Order:
        size = samples * per_sample
        order = Order(size=size, key=self._key, shuffle=self.shuffle, shard=self.shard)
        if not len(order):
            raise OptionError(f"shard {self.shard} of {size} samples is empty")
        if self.drop_remainder and self.batch_size is not None and len(order) < self.batch_size:
            raise OptionError(f"drop_remainder leaves nothing of {len(order)} samples in batches of {self.batch_size}")
        return order

    @property
    def _batches(self) -> graph.Batches:
        return self._stages

    @property
    def _calls(self) -> int:
        return self.num_parallel_calls or len(os.sched_getaffinity(0))

    def _layout(self, *, with_keys: bool) -> graph.EpochLayout:
        return graph.EpochLayout(
            length=len(self._stages.order),
            batch_size=self.batch_size,
            drop_remainder=self.drop_remainder,
            varies=self.on_error == "skip",
            num_parallel_calls=self._calls,
            prefetch=self.prefetch,
            with_keys=with_keys,
            with_labels=self.label_mode is not None,
        )


def delivering(definition: Callable[_P, BaseLoader], name: str, doc: str) -> "Callable[_P, tf.data.Dataset]":
    """Make a function with a loader's parameters that returns its dataset."""

    def deliver(*args: _P.args, **kwargs: _P.kwargs) -> "tf.data.Dataset":
        return definition(*args, **kwargs).dataset()

    deliver.__name__ = deliver.__qualname__ = name
    deliver.__doc__ = doc
    deliver.__signature__ = inspect.signature(definition)  # type: ignore[attr-defined]  # what help() shows
    return deliver


def _made(definition: Callable[..., Any], source: Any, options: dict[str, Any]) -> Any:
    return definition(source, **options)
