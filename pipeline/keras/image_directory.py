"""`image_dataset_from_directory` with Keras's arguments."""

import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from augment import keys
from augment.plan.plan import Plan
from augment.plan.window import Window
from augment.transform import Image
from pipeline.error_log import ErrorLog
from pipeline.errors import OptionError
from pipeline.feeds import graph
from pipeline.images.augmentation import Augmentation
from pipeline.images.cache import Cache, PixelCache, RamCache
from pipeline.images.decode import CHANNELS, Decoder
from pipeline.images.stages import Batch, Stages
from pipeline.keras.arguments import parse_data_format
from pipeline.keras.decoding import Resizer, RoundingDecoder, UnorientedDecoder
from pipeline.keras.files import FileSource
from pipeline.keras.listing import LabeledFiles, Labeling, check_split, list_files, shuffle_files, split_listing
from pipeline.keras.stream import FinishedStages, Stream, channels_first
from pipeline.sampling.order import Order
from pipeline.sources.base import Source, digest

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""What counts as an image, in either case."""

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
"""What `tf.image.resize` knows."""


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",  # noqa: A002  # Keras's name for it
    verbose: bool = True,
    *,
    augment: Any = None,
    cache: str | os.PathLike[str] | Cache | None = None,
    on_error: str = "raise",
) -> "tf.data.Dataset | list[tf.data.Dataset]":
    """Make a dataset of the images in a directory: `keras.utils.image_dataset_from_directory`, reproducible.

    All arguments before the star, their defaults, and what is delivered are Keras 3.15's; docs/keras.md lists the
    differences. With the same seed the training and validation parts are Keras's own.

    Args:
        directory: one subfolder a class, or any folder where there are no labels or a list of them.
        labels: "inferred", None, or integers, one a file in alphanumeric order.
        label_mode: "int" (int32 [B]), "categorical" (one-hot float32 [B, classes]), "binary" (float32 [B, 1]) or None.
        class_names: the classes in the order of their labels; by default all subfolders, sorted.
        color_mode: "rgb", "grayscale" or "rgba".
        batch_size: None delivers single samples.
        image_size: (height, width) in pixels, or one number for both.
        shuffle: a new order of all samples in each epoch.
        seed: of the split, the order and the augmentation; None draws one.
        validation_split: the validation part's share.
        subset: "training", "validation", or "both" (a list of two datasets).
        interpolation: one of `INTERPOLATIONS`.
        follow_links: enters folders that are symbolic links.
        crop_to_aspect_ratio: cuts out the middle, so that nothing is stretched.
        pad_to_aspect_ratio: adds black, so that nothing is stretched.
        data_format: "channels_last", "channels_first", or None for Keras's setting.
        format: "tf"; there is no "grain" here.
        verbose: writes what was found to standard output.
        augment: an Albumentations transform, run on the decoded uint8 image before it is resized.
        cache: None; "ram" (encoded images in memory); a directory (decoded images, resized, in whole levels); or a
            `pipeline.Cache`, whose size, if it has one, is `image_size`.
        on_error: what a bad image does: "raise", "skip" or "replace"; `dataset.loader.errors` lists them.

    Returns:
        A `tf.data.Dataset` of float32 images in 0 to 255 (uint8 under "nearest", as in Keras), with `class_names`,
        `file_paths`, and `loader`: a `Stream`, whose `dataset(epoch, step)` starts anywhere.

    Raises:
        OptionError: an argument is wrong, for Keras's reasons and in its words.
        SourceError: the directory cannot be listed.
    """
    labeling = Labeling(labels=labels, label_mode=label_mode, class_names=class_names)
    check_split(validation_split, subset, shuffle, seed)
    definition = _Definition(
        label_mode=labeling.mode,
        color_mode=color_mode,
        batch_size=batch_size,
        resizer=_make_resizer(image_size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio),
        channels_first=parse_data_format(data_format) == "channels_first",
        seed=resolve_seed(seed),
        augment=augment,
        cache=Cache.from_option(cache),
        on_error=on_error,
    )
    if format != "tf":
        raise OptionError(f'`format` should be "tf"; got {format!r} (Keras itself makes Grain datasets)')
    listing = list_files(directory, labeling, EXTENSIONS, follow_links=follow_links, verbose=verbose)
    check_binary(labeling, listing)
    if shuffle:
        listing = shuffle_files(listing, definition.seed)
    parts = split_listing(listing, validation_split, subset, verbose)
    for part in parts:
        check_not_empty(part, "images", EXTENSIONS)
    if subset == "both":
        return [definition.dataset(parts[0], shuffle), definition.dataset(parts[1], False)]
    return definition.dataset(parts[0], shuffle)


def resolve_seed(seed: int | None) -> int:
    """Give a seed, or draw one and log it.

    Raises:
        OptionError: it is no integer from 0 on.
    """
    if seed is None:
        seed = secrets.randbits(32)
        _log.info("drew seed=%d; give it to see the same stream again", seed)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise OptionError(f"`seed` must be an integer from 0 on, or None; got {seed!r}")
    return int(seed)


def check_batch_size(batch_size: object) -> None:
    """Refuse what is no size of a batch.

    Raises:
        OptionError: it is neither None nor an integer of at least 1.
    """
    if batch_size is not None and not is_positive_integer(batch_size):
        raise OptionError(f"`batch_size` must be an integer of at least 1, or None; got {batch_size!r}")


def check_on_error(on_error: object) -> None:
    """Refuse what is no way to treat bad samples.

    Raises:
        OptionError: there is no such way.
    """
    if on_error not in ("raise", "skip", "replace"):
        raise OptionError(f'`on_error` must be "raise", "skip" or "replace"; got {on_error!r}')


def check_binary(labeling: Labeling, listing: LabeledFiles) -> None:
    """Refuse binary labels of anything but two classes.

    Raises:
        OptionError: there are more or fewer.
    """
    if labeling.mode == "binary" and len(listing.class_names or ()) != 2:
        raise OptionError(f'with label_mode="binary" there must be exactly 2 classes, got {listing.class_names}')


def check_not_empty(listing: LabeledFiles, what: str, extensions: Sequence[str]) -> None:
    """Refuse a part without files.

    Raises:
        OptionError: it has none.
    """
    if not listing.keys:
        raise OptionError(
            f"No {what} found in directory {listing.root}, or none left in this part of it; "
            f"looked for {', '.join(extensions)}"
        )


@dataclass(frozen=True, kw_only=True)
class _Definition:
    """What is done with the files of a listing."""

    label_mode: str | None
    color_mode: str
    batch_size: int | None
    resizer: Resizer
    channels_first: bool
    seed: int
    augment: Any
    cache: Cache | None
    on_error: str

    def __post_init__(self) -> None:
        if self.color_mode not in CHANNELS:
            raise OptionError(f"`color_mode` must be one of {', '.join(map(repr, CHANNELS))}; got {self.color_mode!r}")
        check_on_error(self.on_error)
        check_batch_size(self.batch_size)
        if self.cache is not None and self.cache.size not in (None, self.resizer.size):
            raise OptionError(f"`cache` keeps images of image_size={self.resizer.size}; got size={self.cache.size}")

    def dataset(self, listing: LabeledFiles, shuffle: bool) -> "tf.data.Dataset":
        stream = Stream(self._make_stages(listing, shuffle), self._make_layout(len(listing.keys)), self.seed)
        dataset = stream.dataset()
        dataset.class_names = listing.class_names
        dataset.file_paths = listing.paths
        dataset.loader = stream
        return dataset

    def _make_stages(self, listing: LabeledFiles, shuffle: bool) -> FinishedStages:
        root = keys.root(self.seed)
        decoder = UnorientedDecoder(color_mode=self.color_mode)
        files = FileSource(
            listing.root, listing.keys, listing.labels or [0] * len(listing.keys), listing.class_names or (),
            decoder.max_bytes,
        )  # fmt: skip
        pixel_cache = self._open_pixel_cache(files)
        source = files if self.cache is None or not self.cache.is_ram else RamCache(files, None, self.cache.limit_bytes)
        stages = Stages(
            order=Order(size=len(files), key=root, shuffle=shuffle),
            members=None,
            source=cast(Source, source),
            decoder=decoder if pixel_cache is None else self._make_rounding_decoder(),
            pixel_cache=pixel_cache,
            plan=ResizedAugmentation(self._compile(), self.resizer),
            augment_key=keys.fold_in(root, "augment"),
            image_size=None,
            interpolation="bilinear",  # of nothing: what is cached has its size already
            label_mode=None,
            error_log=ErrorLog(self.on_error, None, len(files)),
            replaces=self.on_error == "replace",
        )
        height, width = self.resizer.size
        channels = CHANNELS[self.color_mode]
        return FinishedStages(
            stages=stages,
            shape=(channels, height, width) if self.channels_first else (height, width, channels),
            dtype=self.resizer.dtype,
            label_mode=self.label_mode,
            finish=partial(_finish, self, len(listing.class_names or ())),
        )

    def _compile(self) -> Plan | None:
        if self.augment is None:
            return None
        plan = Plan(self.augment)
        plan.check_inputs()
        return plan

    def _make_layout(self, length: int) -> graph.EpochLayout:
        return graph.EpochLayout(
            length=length,
            batch_size=self.batch_size,
            drop_remainder=False,
            has_variable_batches=self.on_error == "skip",
            num_parallel_calls=len(os.sched_getaffinity(0)),
            prefetch=2,
            with_keys=False,
            with_labels=self.label_mode is not None,
            static_batch=False,  # Keras's datasets do not know it either
        )

    def _make_rounding_decoder(self) -> Decoder:
        return RoundingDecoder(color_mode=self.color_mode, resizer=self.resizer)

    def _open_pixel_cache(self, files: FileSource) -> PixelCache | None:
        if self.cache is None or self.cache.is_ram:
            return None
        shape = (*self.resizer.size, CHANNELS[self.color_mode])
        name = digest(("keras", files.fingerprint, shape, self.resizer))
        return PixelCache(Path(self.cache.directory), name, len(files), shape, self.cache.limit_bytes)


@dataclass(frozen=True)
class ResizedAugmentation(Augmentation):
    """An augmentation, or none, with a resize behind it."""

    plan: Plan | None
    resizer: Resizer

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Any:
        """Draw what the augmentation draws."""
        return () if self.plan is None else self.plan.draw(sample_keys, shapes)

    def window(self, params: Any, row: int) -> Window | None:
        """Ask for the part that the augmentation needs."""
        return None if self.plan is None else self.plan.window(params, row)

    def apply(self, image: Image, params: Any, row: int, window: Window | None = None) -> Image:
        """Augment and resize one image."""
        if self.plan is not None:
            image = self.plan.apply(image, params, row, window)
        return self.resizer(image)


def _finish(definition: _Definition, classes: int, batch: Batch, epoch: int) -> Batch:  # noqa: ARG001
    """Write the labels as the mode says; other integers than the classes' numbers are as good to Keras."""
    images = channels_first(batch.images) if definition.channels_first else batch.images
    labels = batch.labels
    if definition.label_mode == "categorical":
        labels = (labels[:, np.newaxis] == np.arange(classes)).astype(np.float32)
    elif definition.label_mode == "binary":
        labels = labels.astype(np.float32)[:, np.newaxis]
    return Batch(images.astype(definition.resizer.dtype, copy=False), labels, batch.keys)


def _make_resizer(image_size: Any, interpolation: str, crops: bool, pads: bool) -> Resizer:
    size = (image_size, image_size) if isinstance(image_size, (int, np.integer)) else image_size
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(is_positive_integer(side) for side in size):
        raise OptionError(f"`image_size` must be (height, width) in pixels, or one number; got {image_size!r}")
    if not isinstance(interpolation, str) or interpolation.lower() not in INTERPOLATIONS:
        raise OptionError(f"`interpolation` must be one of {', '.join(INTERPOLATIONS)}; got {interpolation!r}")
    if crops and pads:
        raise OptionError("only one of `pad_to_aspect_ratio` and `crop_to_aspect_ratio` can be True")
    height, width = map(int, size)
    return Resizer(size=(height, width), interpolation=interpolation.lower(), crops=crops, pads=pads)


def is_positive_integer(value: object) -> bool:
    """Tell whether a value is an integer of at least 1."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) > 0
