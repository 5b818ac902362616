"""The loader: what a dataset is, and the `tf.data.Dataset` that it makes."""

import inspect
import logging
import operator
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

from augment import keys
from augment.mixing import Mixer, mixer
from augment.plan.plan import Plan
from augment.views import Views, views
from pipeline import graph
from pipeline.cache import PixelCache, RamCache
from pipeline.decode import CHANNELS, MAX_PIXELS, Decoder
from pipeline.errors import OptionError
from pipeline.ledger import Ledger, LedgerRow
from pipeline.multiple import Multiple
from pipeline.options import check, check_classes, made
from pipeline.order import Indices, Order
from pipeline.sources import ArraySource, Source, open_source
from pipeline.sources.base import digest
from pipeline.split import members
from pipeline.stages import Stages

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")


@dataclass(frozen=True, eq=False)
class Loader:
    """The definition of a dataset of images: where the samples are, their order, and what is done to each.

    A loader is a value: making one lists the source's samples but builds no graph, and threads can share it.
    Everything it delivers is a pure function of its options, the epoch and the position, at any number of threads.

    Attributes:
        source: a class-folder directory; a TFRecord file, directory, glob or list of files; or (images, labels) arrays.
        image_size: (height, width) of what is delivered, in pixels. Images are augmented as they were decoded and
            resized to this at last, where they differ. None delivers them as they come out of the augmentation.
        batch_size: samples in a batch; None delivers single samples.
        augment: an Albumentations transform, composition, or list of transforms, run on uint8 images [H, W, C].
        copies: how often each sample stands in an epoch, each time augmented by a key of its own; the order is that of
            all copies, shuffled as a whole.
        views: each image becomes a fixed set of views, each a sample of its own, before it is augmented: "flip",
            "five_crop", "ten_crop", "grid(2)", "multi_scale", or an `augment.views.Views`. None for the image itself.
        mix: mixes the samples of each batch at last: `augment.MixUp`, `CutMix`, `Mosaic`, or a list of them, of which
            each batch gets one. It needs float labels: `label_mode` "categorical", "binary" or None.
        label_mode: "int" (int32 [B]), "categorical" (one-hot float32 [B, classes]), "binary" (float32 [B, 1]) or None
            (no labels).
        color_mode: "rgb", "grayscale" or "rgba": the channels of the decoded image.
        class_names: the classes in the order of their labels, and no others; by default all, sorted. Once made, a
            loader has the names here in any case.
        interpolation: of every resize: "bilinear", "nearest", "bicubic", "area" or "lanczos4".
        shuffle: a new order of all samples in each epoch; False keeps the order of the source.
        seed: of the order, the augmentation and the split, from 0 on; None draws one and logs it.
        validation_split: the share of the samples that makes up the validation part, between 0 and 1.
        subset: which part this loader delivers: "training" or "validation".
        stratify: splits each class by itself, so that both parts have the same shares of the classes.
        shard: (index, count): this loader delivers the index-th of count parts of each epoch.
        drop_remainder: leaves out a last batch that is not full.
        cache: None; "ram" (keeps the encoded images in memory); or a directory (keeps decoded images of `cache_size`
            there).
        cache_size: (height, width) of the images in a cache directory; by default `image_size`.
        cache_limit_bytes: what a cache may take; by default what memory or disk have to spare.
        on_error: what a bad sample does: "raise"; "skip" (it is left out, its batch is smaller); or "replace" (the next
            good sample takes its place).
        max_errors: under "skip" and "replace", how many bad samples are borne: a number (int), a share of all samples
            (float), or any (None).
        max_pixels: an image that claims more is bad, and no memory is allocated for it.
        label_offset: subtracted from the labels in TFRecords: 1 where the classes are counted from 1.
        parallel_calls: batches that are computed at once; by default the number of usable processors.
        prefetch: batches that are kept ready.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
        SourceError: the source cannot be opened, or holds no sample.
    """

    source: Any
    _: KW_ONLY
    image_size: tuple[int, int] | None = (256, 256)
    batch_size: int | None = 32
    augment: Any = None
    copies: int = 1
    views: str | Views | None = None
    mix: Mixer | Sequence[Mixer] | None = None
    label_mode: Literal["int", "categorical", "binary"] | None = "int"
    color_mode: Literal["rgb", "grayscale", "rgba"] = "rgb"
    class_names: Sequence[str] | None = None
    interpolation: str = "bilinear"
    shuffle: bool = True
    seed: int | None = 0
    validation_split: float | None = None
    subset: Literal["training", "validation"] | None = None
    stratify: bool = False
    shard: tuple[int, int] = (0, 1)
    drop_remainder: bool = False
    cache: str | os.PathLike[str] | None = None
    cache_size: tuple[int, int] | None = None
    cache_limit_bytes: int | None = None
    on_error: Literal["raise", "skip", "replace"] = "raise"
    max_errors: float | None = None
    max_pixels: int = MAX_PIXELS
    label_offset: int = 0
    parallel_calls: int | None = None
    prefetch: int = 2

    def __post_init__(self) -> None:
        if self.seed is None:
            if self.validation_split is not None:
                raise OptionError("validation_split needs a seed: with seed=None the two parts would overlap")
            object.__setattr__(self, "seed", secrets.randbits(63))
            _log.warning("drew seed=%d; give it to see the same stream again", self.seed)
        check(self)
        for name in ("image_size", "cache_size", "shard"):
            if (sizes := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(map(int, sizes)))
        object.__setattr__(self, "class_names", self._source.class_names)
        check_classes(self)
        # What cannot be made or compiled, or does not fit, is refused now.
        _ = self.plan, self._multiple, self._mixer, self._cached_source

    def __reduce__(self) -> tuple[Callable[..., "Loader"], tuple[Any, dict[str, Any]]]:
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return _made, (options.pop("source"), options)  # what is kept for speed is made again

    @property
    def num_examples(self) -> int:
        """The samples in an epoch of this loader: its part and its shard, all copies and views, bad ones included."""
        return len(self._stages.order)

    @property
    def views_per_sample(self) -> int:
        """How often a sample of the source stands in an epoch: as so many copies and views."""
        return len(self._multiple)

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
    def fingerprint(self) -> str:
        """Names what the loader delivers: equal fingerprints, equal streams."""
        augment = None if self.plan is None else self.plan.to_dict()
        delivered = (
            self.image_size,
            self.batch_size,
            self.label_mode,
            self.color_mode,
            self.interpolation,
            self.shuffle,
        )
        chosen = (
            self.seed,
            self.validation_split,
            self.subset,
            self.stratify,
            self.shard,
            self.drop_remainder,
        )
        cached = self._caches_pixels and self._cache_size
        multiplied = (self._multiple, self._mixer) if self._multiple != Multiple() or self._mixer else ()
        return digest(
            (self._source.fingerprint, augment, delivered, chosen, cached, self.on_error, self.max_pixels, *multiplied)
        )

    def dataset(self, epoch: int = 0, step: int = 0, *, with_keys: bool = False) -> "tf.data.Dataset":
        """Build the dataset from one position of the stream on; nothing before it is computed.

        Iterating it once gives the rest of that epoch; iterating it again gives the next epoch, and so on.

        Args:
            epoch: from 0 on.
            step: elements of that epoch that are left out, from 0 on.
            with_keys: delivers the samples' keys, strings [B], behind the labels.

        Returns:
            A `tf.data.Dataset` of (images, labels): images uint8 [B, H, W, C] (float32 where the augmentation ends in
            one), labels as `label_mode` says. Its cardinality is known where every iteration has the same: with `step`
            0 and unless bad samples are skipped.

        Raises:
            OptionError: there is no such position.
            TypeError: `epoch` or `step` is no integer.
            SampleError: no sample could be made to see what the augmentation yields.
        """
        layout = self._layout(with_keys=with_keys)
        epoch, step = operator.index(epoch), operator.index(step)
        if epoch < 0 or not 0 <= step <= layout.steps:
            raise OptionError(f"epoch {epoch}, step {step} is no position of a stream of {layout.steps} steps an epoch")
        dataset = graph.build(self._stages, layout, epoch, step)
        dataset.loader = self
        dataset.class_names = list(self._source.class_names)
        return dataset

    @cached_property
    def plan(self) -> Plan | None:
        """The compiled augmentation, or None; `print(loader.plan.explain())` says what became of the transforms."""
        return None if self.augment is None else Plan(self.augment)

    @cached_property
    def _source(self) -> Source:
        source = open_source(
            self.source,
            class_names=self.class_names,
            label_offset=self.label_offset,
            max_bytes=self._decoder.max_bytes,
        )
        if self._caches_pixels and isinstance(source, ArraySource):
            raise OptionError("the arrays are decoded and in memory: a cache directory has nothing to keep of them")
        return source

    @cached_property
    def _multiple(self) -> Multiple:
        return Multiple(copies=self.copies, views=made(self.views, views))

    @cached_property
    def _mixer(self) -> Mixer | None:
        return made(self.mix, mixer)

    @property
    def _decoder(self) -> Decoder:
        return Decoder(color_mode=self.color_mode, max_pixels=self.max_pixels)

    @property
    def _caches_pixels(self) -> bool:
        return self.cache is not None and self.cache != "ram"

    @property
    def _cache_size(self) -> tuple[int, int]:
        size = self.cache_size or self.image_size
        assert size is not None  # noqa: S101  # for the type checker: it was checked
        return size

    @cached_property
    def _cached_source(self) -> Source:
        return RamCache(self._source, self._members, self.cache_limit_bytes) if self.cache == "ram" else self._source

    @cached_property
    def _members(self) -> Indices | None:
        if self.validation_split is None or self.subset is None:
            return None
        labels = self._source.labels() if self.stratify else None
        return members(len(self._source), self.validation_split, self.subset, self._key, labels)

    @property
    def _key(self) -> keys.Key:
        assert self.seed is not None  # noqa: S101  # for the type checker: __post_init__ has drawn one
        return keys.root(self.seed)

    @cached_property
    def _pixel_cache(self) -> PixelCache | None:
        if self.cache is None or not self._caches_pixels:
            return None
        shape = (*self._cache_size, CHANNELS[self.color_mode])
        name = digest((self._source.fingerprint, shape, self.interpolation, self.max_pixels))
        return PixelCache(Path(self.cache), name, len(self._source), shape, self.cache_limit_bytes)

    @cached_property
    def _stages(self) -> Stages:
        size = len(self._source) if self._members is None else len(self._members)
        size *= len(self._multiple)
        order = Order(size=size, key=self._key, shuffle=self.shuffle, shard=self.shard)
        if not len(order):
            raise OptionError(f"shard {self.shard} of {size} samples is empty")
        if self.drop_remainder and self.batch_size is not None and len(order) < self.batch_size:
            raise OptionError(f"drop_remainder leaves nothing of {len(order)} samples in batches of {self.batch_size}")
        return Stages(
            order=order,
            members=self._members,
            source=self._cached_source,
            decoder=self._decoder,
            pixel_cache=self._pixel_cache,
            plan=self.plan,
            augment_key=keys.fold_in(self._key, "augment"),
            image_size=self.image_size,
            interpolation=self.interpolation,
            label_mode=self.label_mode,
            multiple=self._multiple,
            mix=self._mixer,
            ledger=Ledger(self.on_error, self.max_errors, max(1, len(order) // len(self._multiple))),
            replaces=self.on_error == "replace",
        )

    def _layout(self, *, with_keys: bool) -> graph.Layout:
        return graph.Layout(
            length=len(self._stages.order),
            batch_size=self.batch_size,
            drop_remainder=self.drop_remainder,
            varies=self.on_error == "skip",
            parallel_calls=self.parallel_calls or len(os.sched_getaffinity(0)),
            prefetch=self.prefetch,
            with_keys=with_keys,
            with_labels=self.label_mode is not None,
        )


def _made(source: Any, options: dict[str, Any]) -> Loader:
    return Loader(source, **options)


def _delivering(definition: Callable[_P, Loader]) -> "Callable[_P, tf.data.Dataset]":
    """Make a function with a loader's parameters that returns its dataset."""

    def image_dataset(*args: _P.args, **kwargs: _P.kwargs) -> "tf.data.Dataset":
        """Make a dataset of images: `Loader(...).dataset()`.

        Takes the parameters of `pipeline.Loader`, and returns a `tf.data.Dataset` that goes into `model.fit` as it is;
        iterating it again gives the next epoch. The definition is attached as `.loader`, the classes as `.class_names`.
        """
        return definition(*args, **kwargs).dataset()

    image_dataset.__signature__ = inspect.signature(definition)  # type: ignore[attr-defined]  # what help() shows
    return image_dataset


image_dataset = _delivering(Loader)
