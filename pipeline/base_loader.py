"""The shared base of the loaders of images and texts: options, their checks, positions, and the dataset."""

import inspect
import logging
import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, ParamSpec, Self, cast

import numpy as np

from augment import keys
from pipeline.error_log import BadSample, ErrorLog
from pipeline.errors import OptionError
from pipeline.feeds import graph
from pipeline.feeds.layout import Batches, EpochLayout
from pipeline.feeds.numpy_batches import NumpyBatches
from pipeline.identity import StreamIdentity, check_state, describe_value, make_state
from pipeline.options import (
    check_bool,
    check_choice,
    check_count,
    check_integer,
    is_fraction,
    is_integer,
    raise_first,
    to_python_number,
)
from pipeline.processors import count_processors
from pipeline.sampling.order import Indices, Order
from pipeline.sampling.sampler import Sampler
from pipeline.sampling.split import SUBSETS, choose_subset, limit_samples
from pipeline.sources.base import Labels, Source
from pipeline.sources.tfrecord import TFRecordSource

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")


@dataclass(frozen=True, kw_only=True, eq=False)
class BaseLoader(ABC):
    """The part of a loader that is common to images and texts; `pipeline.Loader` documents the options.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
        SourceError: the source cannot be opened, or has no sample.
    """

    source: Any = field(kw_only=False)
    batch_size: int | None = 32
    label_mode: Literal["int", "categorical", "binary"] | None = "int"
    class_names: Sequence[str] | None = None
    label_offset: int = 0
    shuffle: bool = True
    seed: int | None = 0
    shard: tuple[int, int] = (0, 1)
    drop_remainder: bool = False
    validation_split: float | None = None
    subset: Literal["training", "validation"] | None = None
    stratify: bool = False
    limit: float | None = None
    on_error: Literal["raise", "skip", "replace"] = "raise"
    max_errors: float | None = None
    num_parallel_calls: int | None = None
    prefetch: int = 2

    _content_options: ClassVar[tuple[str, ...]] = ("augment",)
    """The options that alter the pixels or texts of samples, and neither which samples follow nor their labels."""

    def __post_init__(self) -> None:
        if self.seed is None:
            self._draw_seed()
        raise_first(self._check_options())
        for option in fields(self):
            object.__setattr__(self, option.name, to_python_number(getattr(self, option.name)))
        object.__setattr__(self, "shard", tuple(map(int, self.shard)))
        names = self._source.class_names
        object.__setattr__(self, "class_names", names)
        if self.label_mode == "binary" and len(names) != 2:
            raise OptionError(f"label_mode='binary' needs 2 classes, got {list(names)}")
        if self.label_offset and not isinstance(self._source, TFRecordSource):
            raise OptionError(f"label_offset={self.label_offset} applies to TFRecords only; drop label_offset")

    def _check_options(self) -> Iterator[str]:
        """Yield a message for each wrong option, without opening the source."""
        yield from check_integer("batch_size", self.batch_size, 1, may_be_none=True)
        yield from check_choice("label_mode", self.label_mode, ("int", "categorical", "binary", None))
        if not is_integer(self.label_offset):
            yield f"label_offset must be an integer, got {self.label_offset!r}"
        yield from check_bool("shuffle", self.shuffle)
        yield from check_integer("seed", self.seed, 0, most=math.inf, may_be_none=True)
        yield from _check_shard(self.shard)
        yield from check_bool("drop_remainder", self.drop_remainder)
        if (split := self.validation_split) is not None and not (is_fraction(split) and 0 < split < 1):
            yield f"validation_split must be a fraction in (0, 1); got {split!r}"
        yield from check_choice("subset", self.subset, (*SUBSETS, None))
        yield from check_bool("stratify", self.stratify)
        yield from check_count("limit", self.limit, 1)
        yield from check_choice("on_error", self.on_error, ("raise", "skip", "replace"))
        yield from check_count("max_errors", self.max_errors, 0)
        yield from check_integer("num_parallel_calls", self.num_parallel_calls, 1, may_be_none=True)
        yield from check_integer("prefetch", self.prefetch, 0)
        if (self.validation_split is None) != (self.subset is None):
            yield "validation_split and subset need each other; set both, or neither"
        if self.stratify and self.validation_split is None:
            yield "stratify=True needs validation_split; set both"
        if self.drop_remainder and self.on_error == "skip":
            yield (
                'on_error="skip" yields batches of different sizes, but drop_remainder=True forbids them; '
                'use on_error="replace"'
            )
        if self.drop_remainder and self.batch_size is None:
            yield "drop_remainder=True needs batches, but batch_size=None yields single samples; set batch_size"
        if self.max_errors is not None and self.on_error == "raise":
            yield (
                f'max_errors={self.max_errors!r} needs on_error="skip" or "replace": on_error="raise" raises the first '
                "error; set on_error, or drop max_errors"
            )

    @property
    @abstractmethod
    def _source(self) -> Source: ...

    @property
    @abstractmethod
    def _stages(self) -> Sampler[Any]: ...

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        # Cached properties are built again.
        return cast(Callable[..., Self], _build), (type(self), options.pop("source"), options)

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Name the stream: loaders with equal fingerprints yield equal streams (with equal libraries)."""

    @property
    def num_examples(self) -> int:
        """The number of samples per epoch of the subset and shard: all copies and views, bad ones included."""
        return len(self._stages.order)

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps in an epoch: batches, or samples where `batch_size` is None."""
        return self._layout(with_keys=False).steps

    @property
    def errors(self) -> tuple[BadSample, ...]:
        """The bad samples met so far, each once: (sample, stage, reason)."""
        return self._stages.error_log.bad_samples

    @property
    def failure(self) -> Exception | None:
        """The error that ended an iteration, as it was raised: `tf.data` raises it as a `tf.errors.OpError`."""
        return self._stages.error_log.failure

    @property
    def ignored_files(self) -> dict[str, int]:
        """The number of files of the source that are not samples, by reason."""
        return dict(self._source.ignored_files)

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """The classes without samples, as far as a listing shows them: those of class-folders."""
        return getattr(self._source, "empty_classes", ())

    @cached_property
    def labels(self) -> Labels:
        """The class of every sample of the subset, int64 [N], in the order of the source; may read the dataset."""
        labels = self._source.labels()
        return labels if self._members is None else labels[self._members]

    def dataset(self, epoch: int = 0, step: int = 0, *, with_keys: bool = False) -> "tf.data.Dataset":
        """Build the dataset that starts at a position of the stream; nothing before it is computed.

        The first iteration yields the rest of that epoch, each further one the next epoch.

        Args:
            epoch: the first epoch, from 0.
            step: the number of steps of that epoch to skip, from 0.
            with_keys: yields the samples' keys, strings [B], after the labels.

        Returns:
            A `tf.data.Dataset` of (features, labels): images uint8 [B, H, W, C] (float32 where the augmentation ends
            in float) or texts, strings [B]; labels as `label_mode` says. Its cardinality is known if every iteration
            has the same: with `step` 0, and unless bad samples are skipped.

        Raises:
            OptionError: the position is out of range, or not of integers.
            SampleError: no sample is good, so that the size and dtype of augmented images are unknown.
        """
        raise_first(check_bool("with_keys", with_keys))
        layout = self._layout(with_keys=with_keys)
        dataset = graph.build(self._batches, layout, *layout.check_position(epoch, step))
        dataset.loader = self
        dataset.class_names = list(self._source.class_names)
        return dataset

    def numpy(self, epoch: int = 0, step: int = 0, *, with_keys: bool = False) -> NumpyBatches:
        """Return the batches from a position of the stream on as NumPy arrays: the bytes that `dataset` yields.

        The first iteration yields the rest of that epoch, each further one the next epoch. Neither this call nor an
        iteration imports TensorFlow, except where the native decoder is not in use. `num_parallel_calls` threads
        compute batches, or let workers compute them, at most `num_parallel_calls + prefetch` ahead.

        Args:
            epoch: the first epoch, from 0.
            step: the number of steps of that epoch to skip, from 0.
            with_keys: yields the samples' keys, bytes [B], after the labels.

        Returns:
            An iterable of (features, labels), as `dataset(epoch, step).as_numpy_iterator()` yields them: images uint8
            [B, H, W, C] (float32 where the augmentation ends in float) or texts, bytes [B]; labels as `label_mode`
            says. Its length is the number of steps of a whole epoch.

        Raises:
            OptionError: the position is out of range, or not of integers.
            SampleError: no sample is good, so that the size and dtype of augmented images are unknown.
        """
        raise_first(check_bool("with_keys", with_keys))
        layout = self._layout(with_keys=with_keys)
        return NumpyBatches(self, self._batches, layout, *layout.check_position(epoch, step))

    @cached_property
    def identity(self) -> StreamIdentity:
        """What determines the stream, by names for people; loaders with equal identities yield equal streams."""
        options = {name: getattr(self, name) for name in self._stream_options} | self._normalized_options
        described = {name: describe_value(value) for name, value in options.items()}
        contents = {name: described.pop(name) for name in self._content_options}
        order = {"data": f"digest {self._source.fingerprint}"} | described
        return StreamIdentity(
            fingerprint=self.fingerprint, order=order, contents=contents, environment=self._environment
        )

    def state(self, epoch: int = 0, step: int = 0) -> dict[str, Any]:
        """Return a position in the stream, and what determines the stream, for `restore`; JSON can store it.

        Raises:
            OptionError: the position is out of range, or not of integers.
        """
        return make_state(self.identity, *self._layout(with_keys=False).check_position(epoch, step))

    def restore(
        self, state: dict[str, Any], *, resume: Literal["exact", "same-order"] = "exact", with_keys: bool = False
    ) -> "tf.data.Dataset":
        """Build the dataset that resumes a stream at the position of a state, as `dataset(epoch, step)` does.

        Args:
            state: what `state` returned, of this loader or of an equal one.
            resume: "exact" needs an equal stream; "same-order" also accepts what alters pixels (or texts) only: another
                augmentation, size or color mode of the images, other libraries or kernels.
            with_keys: yields the samples' keys, strings [B], after the labels.

        Raises:
            OptionError: the state is of another stream; the message names what differs.
        """
        epoch, step = check_state(self.identity, state, resume)
        return self.dataset(epoch, step, with_keys=with_keys)

    @property
    def _stream_options(self) -> list[str]:
        """The names of the options that shape the stream: all but those of resources."""
        return [option.name for option in fields(self) if option.name not in _RESOURCES]

    @property
    @abstractmethod
    def _normalized_options(self) -> dict[str, Any]:
        """The values of options that can be written in several ways, by name, as an identity contains them."""

    @property
    def _environment(self) -> dict[str, str]:
        """What alters the pixels besides the options."""
        return {}

    def _draw_seed(self) -> None:
        if self.validation_split is not None:
            raise OptionError("validation_split needs a seed: with seed=None the two subsets overlap; set seed")
        object.__setattr__(self, "seed", secrets.randbits(63))
        _log.warning("drew seed=%d; pass it to reproduce this stream", self.seed)

    @property
    def _key(self) -> keys.Key:
        assert self.seed is not None  # noqa: S101  # for the type checker: __post_init__ has drawn one
        return keys.root(self.seed)

    @cached_property
    def _members(self) -> Indices | None:
        chosen = None
        if self.validation_split is not None and self.subset is not None:
            labels = self._source.labels() if self.stratify else None
            chosen = choose_subset(len(self._source), self.validation_split, self.subset, self._key, labels)
        if self.limit is None:
            return chosen
        chosen = np.arange(len(self._source)) if chosen is None else chosen
        return chosen[limit_samples(self._source.labels()[chosen], self.limit, self._key)]

    @property
    def _order_options(self) -> tuple[Any, ...]:
        """The options of order and subset that enter a fingerprint."""
        return (
            self.seed,
            self.validation_split,
            self.subset,
            self.stratify,
            self.limit,
            self.shard,
            self.drop_remainder,
        )

    def _order(self, repeats: int) -> Order:
        """Build the order of an epoch that contains each sample of the subset `repeats` times."""
        size = repeats * (len(self._source) if self._members is None else len(self._members))
        order = Order(size=size, key=self._key, shuffle=self.shuffle, shard=self.shard)
        if not len(order):
            raise OptionError(f"shard={self.shard} is empty: an epoch has {size} samples; use at most {size} shards")
        if self.drop_remainder and self.batch_size is not None and len(order) < self.batch_size:
            raise OptionError(
                f"drop_remainder=True drops every sample: {len(order)} samples are fewer than "
                f"batch_size={self.batch_size}; lower batch_size"
            )
        return order

    def _create_error_log(self, order: Order, repeats: int) -> ErrorLog:
        """Create the error log; a fraction of `max_errors` is of all samples that any epoch may contain.

        A shard of a shuffled dataset has other samples in each epoch, in the end all. Without shuffling it always has
        the same.
        """
        count = order.size // repeats
        return ErrorLog(self.on_error, self.max_errors, count if self.shuffle else min(count, len(order)))

    @property
    def _batches(self) -> Batches:
        return self._stages

    @property
    def _calls(self) -> int:
        return self.num_parallel_calls or count_processors()

    def _layout(self, *, with_keys: bool) -> EpochLayout:
        return EpochLayout(
            length=len(self._stages.order),
            batch_size=self.batch_size,
            drop_remainder=self.drop_remainder,
            has_variable_batches=self.on_error == "skip",
            num_parallel_calls=self._calls,
            prefetch=self.prefetch,
            with_keys=with_keys,
            with_labels=self.label_mode is not None,
        )


_RESOURCES = ("source", "max_errors", "cache", "workers", "num_parallel_calls", "prefetch")
"""The fields that shape no stream; the source does by its fingerprint."""


def dataset_function(loader: Callable[_P, BaseLoader], name: str, doc: str) -> "Callable[_P, tf.data.Dataset]":
    """Make a function with a loader's parameters that returns its dataset."""

    def build_dataset(*args: _P.args, **kwargs: _P.kwargs) -> "tf.data.Dataset":
        return loader(*args, **kwargs).dataset()

    build_dataset.__name__ = build_dataset.__qualname__ = name
    build_dataset.__doc__ = doc
    signature = inspect.signature(loader).replace(return_annotation="tf.data.Dataset")
    build_dataset.__signature__ = signature  # type: ignore[attr-defined]  # what help() shows
    return build_dataset


def _build(loader: Callable[..., Any], source: Any, options: dict[str, Any]) -> Any:
    return loader(source, **options)


def _check_shard(shard: Any) -> Iterator[str]:
    is_pair = isinstance(shard, Sequence) and len(shard) == 2 and all(map(is_integer, shard))
    if not (is_pair and 0 <= shard[0] < shard[1]):
        yield f"shard must be (index, count) with 0 <= index < count, got {shard}"
