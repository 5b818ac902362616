"""The loader: what a dataset is, and the `tf.data.Dataset` that it makes."""

import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from augment import keys
from augment.mixing import Mixer, mixer
from augment.plan.plan import Plan
from augment.views import Views, views
from pipeline import graph
from pipeline.base_loader import BaseLoader, delivering
from pipeline.cache import PixelCache, RamCache
from pipeline.decode import CHANNELS, Decoder
from pipeline.errors import OptionError
from pipeline.header import MAX_PIXELS
from pipeline.ledger import Ledger
from pipeline.multiple import Multiple
from pipeline.options import check, check_classes, made
from pipeline.sources import ArraySource, Source, open_source
from pipeline.sources.base import digest
from pipeline.stages import Stages
from pipeline.workers import Workers


@dataclass(frozen=True, eq=False)
class Loader(BaseLoader):
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
        limit: how many samples of that part take part at all: a number (int), a share (float), or all (None). They are
            chosen by the seed so that each class keeps its share, and a smaller limit's samples are among a larger
            one's.
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
        workers: processes that make the batches; 0 leaves it to threads of this process, of which one runs Python at
            a time. They start in the background, which takes some seconds; until then it is left to threads, too.
        num_parallel_calls: batches that are computed at once; by default the number of usable processors, or one more than
            there are workers.
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
    limit: float | None = None
    shard: tuple[int, int] = (0, 1)
    drop_remainder: bool = False
    cache: str | os.PathLike[str] | None = None
    cache_size: tuple[int, int] | None = None
    cache_limit_bytes: int | None = None
    on_error: Literal["raise", "skip", "replace"] = "raise"
    max_errors: float | None = None
    max_pixels: int = MAX_PIXELS
    label_offset: int = 0
    workers: int = 0
    num_parallel_calls: int | None = None
    prefetch: int = 2

    def __post_init__(self) -> None:
        self._draw_seed()
        check(self)
        for name in ("image_size", "cache_size", "shard"):
            if (sizes := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(map(int, sizes)))
        object.__setattr__(self, "class_names", self._source.class_names)
        check_classes(self)
        # What cannot be made or compiled, or does not fit, is refused now.
        _ = self.plan, self._multiple, self._mixer, self._cached_source, self.workers and self._batches

    @property
    def samples_per_image(self) -> int:
        """How often a sample of the source stands in an epoch: as so many copies and views."""
        return len(self._multiple)

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
            self.limit,
            self.shard,
            self.drop_remainder,
        )
        cached = self._caches_pixels and self._cache_size
        multiplied = (self._multiple, self._mixer) if self._multiple != Multiple() or self._mixer else ()
        return digest(
            (self._source.fingerprint, augment, delivered, chosen, cached, self.on_error, self.max_pixels, *multiplied)
        )

    def start_workers(self) -> None:
        """Start the workers, and wait until they are ready; does nothing where there are none.

        Without this they start with the first batch, and threads make the batches until they are ready.

        Raises:
            SampleError: no sample could be made to see what the augmentation yields.
        """
        if isinstance(self._batches, Workers):
            self._batches.start()

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
    def _pixel_cache(self) -> PixelCache | None:
        if self.cache is None or not self._caches_pixels:
            return None
        shape = (*self._cache_size, CHANNELS[self.color_mode])
        name = digest((self._source.fingerprint, shape, self.interpolation, self.max_pixels))
        return PixelCache(Path(self.cache), name, len(self._source), shape, self.cache_limit_bytes)

    @cached_property
    def _batches(self) -> graph.Batches:
        return Workers(self, self._stages, self.workers) if self.workers else self._stages

    @property
    def _calls(self) -> int:
        # One more than there are workers: while it fetches a batch, they all make others.
        return self.num_parallel_calls or (self.workers + 1 if self.workers else super()._calls)

    @cached_property
    def _stages(self) -> Stages:
        order = self._order(len(self._source) if self._members is None else len(self._members), len(self._multiple))
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


image_dataset = delivering(
    Loader,
    "image_dataset",
    """Make a dataset of images: `Loader(...).dataset()`.

    Takes the parameters of `pipeline.Loader`, and returns a `tf.data.Dataset` that goes into `model.fit` as it is;
    iterating it again gives the next epoch. The definition is attached as `.loader`, the classes as `.class_names`.
    """,
)
