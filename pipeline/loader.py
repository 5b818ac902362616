"""The loader of images: the definition of a stream, and the `tf.data.Dataset` that it builds."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from augment import keys
from augment.description import identify
from augment.mixing import Mixer, to_mixer
from augment.plan.plan import Plan, compile_for_images
from augment.views import Views, parse_views
from pipeline.base_loader import BaseLoader, dataset_function
from pipeline.errors import OptionError
from pipeline.feeds.layout import Batches
from pipeline.identity import describe_environment, make_fingerprint
from pipeline.images.cache import Cache, PixelCache, RamCache
from pipeline.images.decode import CHANNELS, DCTS, Decoder
from pipeline.images.header import MAX_PIXELS
from pipeline.images.repeats import Repeats
from pipeline.images.resize import INTERPOLATIONS
from pipeline.images.stages import Stages
from pipeline.options import build_option, check_choice, check_integer, check_size
from pipeline.sources import ArraySource, Source, open_source
from pipeline.sources.base import digest
from pipeline.workers.pool import WorkerPool


@dataclass(frozen=True, kw_only=True, eq=False)
class Loader(BaseLoader):
    """The definition of a dataset of images: its source, order, augmentation and batches.

    A loader is a value: creating one lists the source's samples but builds no graph, and threads can share it.
    The stream is a pure function of the options, the epoch and the position, with any number of threads and processes.

    Data:
        source: a class-folder directory; a TFRecord file, directory, glob or list of files; or (images, labels) arrays;
            or an array of images, without labels.
        batch_size: number of samples per batch; None yields single samples.
        label_mode: "int" (int32 [B]), "categorical" (one-hot float32 [B, classes]), "binary" (float32 [B, 1]) or None
            (no labels). Arrays without labels always yield none.
        class_names: the classes in the order of their labels; all other classes are dropped. By default all classes,
            sorted. A loader always has the names in this attribute.
        label_offset: number to subtract from the labels of TFRecords: 1 if their classes count from 1.

    Pixels:
        image_size: (height, width) in pixels of the yielded images. Images are augmented as decoded, and last resized
            to this size if theirs differs. None keeps the size that the augmentation returns.
        color_mode: "rgb", "grayscale" or "rgba": the channels of the decoded image.
        interpolation: of every resize: "bilinear", "nearest", "bicubic", "area" or "lanczos4".
        max_pixels: maximum number of pixels per image; a larger one is a bad sample, and no memory is allocated for it.
        dct: the inverse cosine transform of JPEGs: "fast", TensorFlow's default; or "accurate", with the pixels of
            Pillow and OpenCV, from which the fast one differs by 1 level on average, and by up to 21 at edges.

    Order:
        shuffle: draws a new order of all samples in each epoch; False keeps the order of the source.
        seed: seed of the order, the augmentation and the split, from 0; None draws a seed and logs it.
        shard: (index, count): this loader yields shard `index` of the `count` shards of each epoch.
        drop_remainder: drops a last batch that is not full.

    Subset:
        validation_split: fraction of the samples in the validation subset, between 0 and 1.
        subset: the subset to yield: "training" or "validation".
        stratify: splits each class separately, so that both subsets have the same fractions of the classes.
        limit: number of samples of the subset to use: a count (int), a fraction (float), or all (None). The seed
            chooses them, each class keeps its fraction, and a smaller limit's samples are among a larger one's.

    Augmentation:
        augment: an Albumentations transform, composition, or list of transforms, run on uint8 images [H, W, C].
        copies: number of times each sample appears per epoch, each time with its own key; the order shuffles all
            copies together.
        views: yields fixed views of each image as samples, before they are augmented: "flip", "five_crop", "ten_crop",
            "grid(2)", "multi_scale", or an `augment.views.Views`. None yields the image itself.
        mix: mixes the samples of each batch last: `augment.MixUp`, `CutMix`, `Mosaic`, or a list; each batch gets one
            of the list. It needs float labels: `label_mode` "categorical", "binary" or None.

    Errors:
        on_error: what to do with a bad sample: "raise" its error; "skip" it, so that its batch is smaller; or
            "replace" it with the next good sample.
        max_errors: maximum number of bad samples: a count (int), a fraction of all samples (float), or None (no
            maximum). A further one ends the iteration.

    Resources:
        cache: None; "ram" keeps the encoded images in memory; a directory keeps the decoded images there; a
            `pipeline.Cache` also sets their size and the cache's limit. Words such as "memory" and "disk" are refused:
            "./memory" is a directory of that name.
        workers: number of worker processes; 0 uses threads, which share the GIL. Workers start in the background,
            within seconds; until then threads build the batches.
        num_parallel_calls: number of batches to compute at once, by the threads of this process, or by those of all
            workers together: `workers=1, num_parallel_calls=8` is one process with 8 threads. By default the number of
            usable processors, or one thread per worker.
        prefetch: number of batches to keep ready.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
        SourceError: the source cannot be opened, or has no sample.
        CacheError: the cache does not fit.
    """

    image_size: tuple[int, int] | None = (256, 256)
    color_mode: Literal["rgb", "grayscale", "rgba"] = "rgb"
    interpolation: str = "bilinear"
    max_pixels: int = MAX_PIXELS
    dct: Literal["fast", "accurate"] = "fast"
    augment: Any = None
    copies: int = 1
    views: str | Views | None = None
    mix: Mixer | Sequence[Mixer] | None = None
    cache: str | os.PathLike[str] | Cache | None = None
    workers: int = 0

    _content_options: ClassVar[tuple[str, ...]] = (
        *("augment", "image_size", "color_mode", "interpolation", "dct", "size of cached images"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self._source, ArraySource) and not self._source.is_labeled:
            if self.label_mode not in ("int", None):
                raise OptionError(
                    f"label_mode={self.label_mode!r} needs labels, but the arrays have none; pass (images, labels)"
                )
            object.__setattr__(self, "label_mode", None)
        if self.image_size is not None:
            height, width = self.image_size
            object.__setattr__(self, "image_size", (int(height), int(width)))
        # Refuse now what cannot be built or compiled, or does not fit.
        _ = self.plan, self._repeats, self._mixer, self._cached_source, self.workers and self._batches

    def _check_options(self) -> Iterator[str]:
        yield from super()._check_options()
        yield from check_size("image_size", self.image_size)
        yield from check_choice("color_mode", self.color_mode, CHANNELS)
        yield from check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        yield from check_choice("dct", self.dct, DCTS)
        yield from check_integer("max_pixels", self.max_pixels, 1, most=math.inf)
        yield from check_integer("copies", self.copies, 1)
        yield from check_integer("workers", self.workers, 0)
        if self.image_size is not None and self.image_size[0] * self.image_size[1] > self.max_pixels:
            height, width = self.image_size
            yield (
                f"image_size={self.image_size} has {height * width} pixels, more than max_pixels={self.max_pixels}; "
                "raise max_pixels or lower image_size"
            )
        if (cache := self._cache) is not None:
            if not cache.is_ram and cache.size is None and self.image_size is None:
                yield "a cache directory stores images of one size; set image_size, or cache=Cache(directory, size=...)"
            if cache.is_ram and self.workers:
                yield (
                    f"cache='ram' does not work with workers={self.workers}: processes do not share it; use a cache "
                    "directory, or workers=0"
                )
        if self.mix is not None and self.batch_size is None:
            yield "mix needs batches, but batch_size=None yields single samples; set batch_size"
        if self.mix is not None and self.label_mode == "int":
            yield ('mix yields labels of several classes, but label_mode="int" holds one; use label_mode="categorical"')

    @property
    def samples_per_image(self) -> int:
        """The number of samples per image and epoch: its copies and views."""
        return len(self._repeats)

    @cached_property
    def fingerprint(self) -> str:
        """Name the stream: loaders with equal fingerprints yield equal streams (with equal libraries)."""
        sample_options = (
            self.image_size,
            self.batch_size,
            self.label_mode,
            self.color_mode,
            self.interpolation,
            self.shuffle,
        )
        cached_size = self._cached_size or False  # None would change the fingerprints that checkpoints hold
        return make_fingerprint(
            (
                self._source.fingerprint,
                self._describe_augment(),
                sample_options,
                self._order_options,
                cached_size,
                self.on_error,
                self.max_pixels,
                *(map(identify, (self._repeats, self._mixer)) if self._repeats != Repeats() or self._mixer else ()),
                *self._dct_options,
            )
        )

    @property
    def _normalized_options(self) -> dict[str, Any]:
        return {
            "augment": self._describe_augment(),
            "views": self._repeats.views,
            "mix": self._mixer,
            "size of cached images": self._cached_size,
        }

    @property
    def _environment(self) -> dict[str, str]:
        return describe_environment(is_augmented=self.plan is not None)

    def _describe_augment(self) -> dict[str, Any] | None:
        return None if self.plan is None else self.plan.to_dict()

    def start_workers(self) -> None:
        """Start the workers and wait until they are ready; without workers, do nothing.

        Without this call they start with the first batch, and threads build the batches until they are ready.

        Raises:
            SampleError: no sample is good, so that the size and dtype of augmented images are unknown.
        """
        if isinstance(self._batches, WorkerPool):
            self._batches.start()

    @cached_property
    def plan(self) -> Plan | None:
        """The compiled augmentation, or None; `print(loader.plan.explain())` prints how it runs."""
        return None if self.augment is None else compile_for_images(self.augment)

    @cached_property
    def _source(self) -> Source:
        source = open_source(
            self.source,
            class_names=None if self.class_names == () else self.class_names,  # () in a copy of an unlabeled loader
            label_offset=self.label_offset,
            max_bytes=self._decoder.max_bytes,
        )
        if self._cached_size is not None and isinstance(source, ArraySource):
            raise OptionError("cache: arrays are already decoded and in memory; use cache=None")
        return source

    @cached_property
    def _repeats(self) -> Repeats:
        return Repeats(copies=self.copies, views=build_option(self.views, parse_views))

    @cached_property
    def _mixer(self) -> Mixer | None:
        return build_option(self.mix, to_mixer)

    @property
    def _decoder(self) -> Decoder:
        return Decoder(color_mode=self.color_mode, max_pixels=self.max_pixels, dct=self.dct)

    @property
    def _dct_options(self) -> tuple[str, ...]:
        """What the cosine transform adds to a hash: nothing by default, so that stored hashes stay valid."""
        return () if self.dct == "fast" else (f"dct={self.dct}",)

    @cached_property
    def _cache(self) -> Cache | None:
        return Cache.from_option(self.cache)

    @property
    def _cached_size(self) -> tuple[int, int] | None:
        """The size of the images in the cache directory; None without one."""
        return None if self._cache is None or self._cache.is_ram else self._cache.size or self.image_size

    @cached_property
    def _cached_source(self) -> Source:
        if self._cache is None or not self._cache.is_ram:
            return self._source
        return RamCache(self._source, self._members, self._cache.limit_bytes)

    @cached_property
    def _pixel_cache(self) -> PixelCache | None:
        if self._cache is None or self._cached_size is None:
            return None
        shape = (*self._cached_size, CHANNELS[self.color_mode])
        name = digest((self._source.fingerprint, shape, self.interpolation, self.max_pixels, *self._dct_options))
        return PixelCache(Path(self._cache.directory), name, len(self._source), shape, self._cache.limit_bytes)

    @cached_property
    def _batches(self) -> Batches:
        if not self.workers:
            return self._stages
        return WorkerPool(self, self._stages, self.workers, self.num_parallel_calls)

    @property
    def _calls(self) -> int:
        # One more than the workers: while one call fetches a batch, all workers compute others.
        return self.num_parallel_calls or (self.workers + 1 if self.workers else super()._calls)

    @cached_property
    def _stages(self) -> Stages:
        order = self._order(self.samples_per_image)
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
            repetition=self._repeats,
            mix=self._mixer,
            error_log=self._create_error_log(order, self.samples_per_image),
            replaces=self.on_error == "replace",
        )


image_dataset = dataset_function(
    Loader,
    "image_dataset",
    """Build a dataset of images: `Loader(...).dataset()`.

    The parameters are those of `pipeline.Loader`. The `tf.data.Dataset` goes into `model.fit` as it is; each iteration
    yields the next epoch. Its attribute `loader` is the `Loader`, and `class_names` lists the classes.
    """,
)
