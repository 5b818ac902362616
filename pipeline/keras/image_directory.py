"""`image_dataset_from_directory` with Keras's arguments."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from augment import keys
from augment.plan.plan import Plan, compile_for_images
from augment.plan.window import Window
from augment.transform import Image
from pipeline.error_log import ErrorLog
from pipeline.errors import OptionError
from pipeline.feeds.layout import EpochLayout
from pipeline.images.augmentation import Augmentation
from pipeline.images.cache import Cache, PixelCache, RamCache
from pipeline.images.decode import CHANNELS, Decoder
from pipeline.images.stages import Batch, Stages
from pipeline.keras.arguments import parse_data_format
from pipeline.keras.checks import check_batch_size, check_flags, check_on_error, is_positive_integer, resolve_seed
from pipeline.keras.decoding import Resizer, RoundingDecoder, UnorientedDecoder
from pipeline.keras.files import FileSource
from pipeline.keras.listing import LabeledFiles, Labeling, check_split, list_files, shuffle_files, split_listing
from pipeline.keras.stream import FinishedStages, Stream, to_channels_first
from pipeline.keras.targets import BatchTargets, TargetColumn
from pipeline.options import build_option
from pipeline.processors import count_processors
from pipeline.sampling.order import Order
from pipeline.sources.base import Source, digest

if TYPE_CHECKING:
    import tensorflow as tf

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""The extensions of images, in lower or upper case."""

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
"""The methods of `tf.image.resize`."""


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
    """Build a reproducible dataset of the images in a directory, as `keras.utils.image_dataset_from_directory`.

    The arguments before the star, their defaults, and the elements are Keras 3.15's; docs/keras.md lists the
    differences. With the same seed, the training and validation subsets are Keras's.

    Args:
        directory: class-folder directory, or any directory if `labels` is None or a list.
        labels: "inferred", None, or a list with one label per file, in alphanumeric order of the paths. Integers,
            floats and booleans keep their type.
        label_mode: "int" (int32 [B], or the values of `labels`), "categorical" (one-hot float32 [B, classes]), "binary"
            (float32 [B, 1]) or None.
        class_names: class names in the order of their labels; by default all subfolders, sorted.
        color_mode: "rgb", "grayscale" or "rgba".
        batch_size: number of images per batch; None yields single samples.
        image_size: (height, width) in pixels, or one number for both.
        shuffle: draw a new order of all samples in each epoch.
        seed: seed of the split, the order and the augmentation; None draws one.
        validation_split: fraction of the files in the validation subset.
        subset: "training", "validation", or "both" (a list of two datasets).
        interpolation: one of `INTERPOLATIONS`.
        follow_links: enter folders that are symbolic links.
        crop_to_aspect_ratio: crop the center, so that nothing is stretched.
        pad_to_aspect_ratio: add black borders, so that nothing is stretched.
        data_format: "channels_last", "channels_first", or None for Keras's setting.
        format: "tf", the only supported format.
        verbose: print the number of files and classes.
        augment: Albumentations transform, applied to the decoded uint8 image before the resize; with `subset="both"`,
            to the training subset alone.
        cache: None; "ram" (encoded images in memory); a directory (decoded and resized images, in whole levels); or a
            `pipeline.Cache`, whose size must be None or `image_size`.
        on_error: what happens at a bad image: "raise", "skip" or "replace"; `dataset.loader.errors` lists bad samples.

    Returns:
        A `tf.data.Dataset` of float32 images in 0 to 255 (uint8 for "nearest", as in Keras), with `class_names`,
        `file_paths`, and `loader`: a `Stream`, whose `dataset(epoch, step)` starts at any position.

    Raises:
        OptionError: Keras would refuse an argument, or fail with it later.
        SourceError: the directory cannot be listed.
    """
    labeling = Labeling(labels=labels, label_mode=label_mode, class_names=class_names)
    check_flags(
        shuffle=shuffle,
        follow_links=follow_links,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        verbose=verbose,
    )
    check_split(validation_split, subset, shuffle, seed)
    definition = _Definition(
        label_mode=labeling.mode,
        color_mode=color_mode,
        batch_size=batch_size,
        resizer=_make_resizer(image_size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio),
        channels_first=parse_data_format(data_format) == "channels_first",
        seed=resolve_seed(seed),
        plan=build_option(augment, compile_for_images),
        cache=Cache.from_option(cache),
        on_error=on_error,
    )
    if format != "tf":
        raise OptionError(f'`format` should be "tf"; got {format!r} (Keras itself builds Grain datasets)')
    listing = list_files(directory, labeling, EXTENSIONS, follow_links=follow_links, verbose=verbose)
    check_binary(labeling, listing)
    if shuffle:
        listing = shuffle_files(listing, definition.seed)
    subsets = split_listing(listing, validation_split, subset, verbose)
    for files in subsets:
        check_not_empty(files, "images", EXTENSIONS)
    if subset == "both":
        return [definition.dataset(subsets[0], shuffle), replace(definition, plan=None).dataset(subsets[1], False)]
    return definition.dataset(subsets[0], shuffle)


def check_binary(labeling: Labeling, listing: LabeledFiles) -> None:
    """Refuse binary labels unless there are two classes.

    Raises:
        OptionError: there are more or fewer.
    """
    if labeling.mode == "binary" and len(listing.class_names or ()) != 2:
        raise OptionError(f'with label_mode="binary" there must be exactly 2 classes, got {listing.class_names}')


def check_not_empty(listing: LabeledFiles, what: str, extensions: Sequence[str]) -> None:
    """Refuse a subset without files.

    Raises:
        OptionError: it has none.
    """
    if not listing.keys:
        raise OptionError(
            f"No {what} found in {listing.root}, or none in this subset; extensions: {', '.join(extensions)}"
        )


def make_label_column(listing: LabeledFiles, label_mode: str | None) -> TargetColumn | None:
    """Return the labels of listed files in the form of a label mode; None without labels."""
    if listing.labels is None or label_mode is None:
        return None
    if label_mode == "categorical":
        return TargetColumn(listing.labels, len(listing.class_names or ()))
    return TargetColumn(
        listing.labels.astype(np.float32)[..., np.newaxis] if label_mode == "binary" else listing.labels
    )


@dataclass(frozen=True, kw_only=True)
class _Definition:
    """How listed files become a dataset."""

    label_mode: str | None
    color_mode: str
    batch_size: int | None
    resizer: Resizer
    channels_first: bool
    seed: int
    plan: Plan | None
    cache: Cache | None
    on_error: str

    def __post_init__(self) -> None:
        if self.color_mode not in tuple(CHANNELS):
            raise OptionError(f"`color_mode` must be one of {', '.join(map(repr, CHANNELS))}; got {self.color_mode!r}")
        check_on_error(self.on_error)
        check_batch_size(self.batch_size)
        if self.cache is not None and self.cache.size not in (None, self.resizer.size):
            raise OptionError(f"`cache` keeps images of image_size={self.resizer.size}; got size={self.cache.size}")

    def dataset(self, listing: LabeledFiles, shuffle: bool) -> "tf.data.Dataset":
        targets = BatchTargets(targets=make_label_column(listing, self.label_mode))
        stream = Stream(self._make_stages(listing, shuffle), self._make_layout(len(listing.keys)), self.seed, targets)
        dataset = stream.dataset()
        dataset.class_names = listing.class_names
        dataset.file_paths = listing.paths
        return dataset

    def _make_stages(self, listing: LabeledFiles, shuffle: bool) -> FinishedStages:
        root = keys.root(self.seed)
        decoder = UnorientedDecoder(color_mode=self.color_mode)
        files = FileSource(listing.root, listing.keys, None, listing.class_names or (), decoder.max_bytes)
        pixel_cache = self._open_pixel_cache(files)
        source = files if self.cache is None or not self.cache.is_ram else RamCache(files, None, self.cache.limit_bytes)
        stages = Stages(
            order=Order(size=len(files), key=root, shuffle=bool(shuffle)),
            members=None,
            source=cast(Source, source),
            decoder=decoder if pixel_cache is None else self._make_rounding_decoder(),
            pixel_cache=pixel_cache,
            plan=ResizedAugmentation(self.plan, self.resizer),
            augment_key=keys.fold_in(root, "augment"),
            image_size=None,
            interpolation="bilinear",  # unused: the decoder resizes
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
            finish=partial(_finish, self),
        )

    def _make_layout(self, length: int) -> EpochLayout:
        return EpochLayout(
            length=length,
            batch_size=self.batch_size,
            drop_remainder=False,
            has_variable_batches=self.on_error == "skip",
            num_parallel_calls=count_processors(),
            prefetch=2,
            with_keys=False,
            with_labels=True,
            static_batch=False,  # as in Keras
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
    """An optional augmentation, and a resize after it."""

    plan: Plan | None
    resizer: Resizer

    def draw(self, sample_keys: keys.Key, shapes: Sequence[Sequence[int]]) -> Any:
        """Draw the parameters of the augmentation."""
        return () if self.plan is None else self.plan.draw(sample_keys, shapes)

    def window(self, params: Any, row: int) -> Window | None:
        """Return the window that the augmentation needs."""
        return None if self.plan is None else self.plan.window(params, row)

    def apply(self, image: Image, params: Any, row: int, window: Window | None = None) -> Image:
        """Augment and resize one image."""
        if self.plan is not None:
            image = self.plan.apply(image, params, row, window)
        return self.resizer(image)


def _finish(definition: _Definition, batch: Batch, epoch: int) -> Batch:  # noqa: ARG001
    images = to_channels_first(batch.images) if definition.channels_first else batch.images
    return batch._replace(images=images.astype(definition.resizer.dtype, copy=False))


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
