"""`ImageDataGenerator`, with every argument of the class that Keras gave up."""

import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.keras.flow import Flow, SaveOptions, make_files
from pipeline.keras.image_processor import ImageProcessor
from pipeline.keras.overridden import OverriddenNormalizer

if TYPE_CHECKING:
    from pipeline.keras.flow_arrays import ArrayIterator
    from pipeline.keras.flow_dataframe import DataFrameIterator
    from pipeline.keras.flow_directory import DirectoryIterator


class ImageDataGenerator(ImageProcessor):
    """Batches of images with random transforms: Keras's class of this name, keyed, streaming, and faster.

    All arguments before the star are those of `keras.src.legacy.preprocessing.image.ImageDataGenerator` in Keras 3.15,
    with its defaults; docs/keras.md lists, argument by argument, what differs. Images are [H, W, C], or [C, H, W] where
    `data_format` says so, with levels from 0 to 255 as read from files.

    Args:
        featurewise_center: subtracts the training set's mean of each channel; see `fit`.
        samplewise_center: subtracts each image's own mean.
        featurewise_std_normalization: divides by the training set's standard deviation of each channel; see `fit`.
        samplewise_std_normalization: divides by each image's own.
        zca_whitening: applies ZCA whitening; see `fit`.
        zca_epsilon: added to the singular values there.
        rotation_range: degrees to either side.
        width_shift_range: a fraction of the width (float below 1), a number of pixels (float from 1 on), a whole number
            below this (int), or a list to choose from, to either side.
        height_shift_range: likewise.
        brightness_range: two factors, between which one is drawn.
        shear_range: degrees to either side.
        zoom_range: two factors, or z for [1 - z, 1 + z], between which one is drawn for each axis.
        channel_shift_range: levels to either side, added to all channels alike.
        fill_mode: what stands outside the image: "nearest", "constant", "reflect" or "wrap".
        cval: the value outside, under "constant".
        horizontal_flip: mirrors half of the images.
        vertical_flip: turns half of the images upside down.
        rescale: multiplies all levels, behind the random transforms.
        preprocessing_function: called with each image behind the random transforms, before `rescale`; gives one of the
            same shape.
        data_format: "channels_last", "channels_first", or None for Keras's setting.
        validation_split: the share that `subset="validation"` gets: the first files of each class, or the first images.
        interpolation_order: of the spline that interpolates, 0 to 5; 0 and 1 are fast, SciPy runs the others.
        dtype: of the batches; None for Keras's setting.
        exact: makes `flow*` interpolate at exact places, as `apply_transform` does in any case, instead of at 1/32 of a
            pixel; slower.

    Raises:
        OptionError: an argument is wrong, for Keras's reasons.
    """

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> "ArrayIterator":
        """Iterate over images in memory.

        Args:
            x: images [N, H, W, C]; uint8 stays uint8 until it is normalized. Or (images, further inputs).
            y: targets [N, ...].
            batch_size: images in a batch.
            shuffle: a new order in each epoch.
            sample_weight: [N].
            seed: of the order and the transforms; None draws one.
            save_to_dir: a directory into which every image that is delivered is written, to be looked at.
            save_prefix: of those files' names.
            save_format: their extension.
            ignore_class_split: bears that training and validation part have different classes.
            subset: "training", "validation" (the first `validation_split` of the images), or None for all.

        Returns:
            An endless iterator over arrays, for `model.fit` too; its `.dataset()` is a `tf.data.Dataset`.

        Raises:
            OptionError: an argument is wrong, for Keras's reasons.
        """
        from pipeline.keras.flow_arrays import ArrayIterator, ArraySubset

        saving = SaveOptions(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving)
        return ArrayIterator(flow, x, y, sample_weight, ArraySubset(subset, self.validation_split, ignore_class_split))

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        *,
        on_error: str = "raise",
    ) -> "DirectoryIterator":
        """Iterate over images in class-folders.

        Args:
            directory: one subfolder a class.
            target_size: (height, width) that every image is resized to before it is transformed.
            color_mode: "rgb", "grayscale" or "rgba".
            classes: the subfolders in the order of their numbers; by default all, sorted.
            class_mode: "categorical" (one-hot), "binary" or "sparse" (numbers), "input" (the image itself), or None.
            batch_size: see `flow`; so are the five arguments behind it.
            shuffle: see `flow`.
            seed: see `flow`.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            follow_links: enters folders that are symbolic links.
            subset: "training", "validation" (the first `validation_split` of each class), or None for all.
            interpolation: Pillow's: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
            keep_aspect_ratio: cuts out the middle first, so that nothing is stretched.
            on_error: what a bad file does: "raise", "skip" (batches become smaller) or "replace" (the next good one
                takes its place); `errors` of what is returned lists them.

        Returns:
            An endless iterator over arrays, for `model.fit` too; its `.dataset()` is a `tf.data.Dataset`.

        Raises:
            OptionError: an argument is wrong, for Keras's reasons.
            SourceError: the directory cannot be listed.
        """
        from pipeline.keras.flow_directory import DirectoryIterator

        saving = SaveOptions(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving, on_error)
        files = make_files(target_size, color_mode, interpolation, keep_aspect_ratio)
        share = (subset, self.validation_split)
        return DirectoryIterator(flow, files, directory, classes, class_mode, share, follow_links)

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        *,
        on_error: str = "raise",
        **kwargs: Any,
    ) -> "DataFrameIterator":
        """Iterate over images that a table names.

        Args:
            dataframe: gives columns by their names: a pandas or Polars data frame, or a dict of lists.
            directory: to which the file names are relative; None where they are whole paths.
            x_col: the column of the file names.
            y_col: the column of the targets; a list of columns for several.
            weight_col: the column of the samples' weights, or None.
            target_size: see `flow_from_directory`.
            color_mode: see `flow_from_directory`.
            classes: the classes in the order of their numbers, others are left out; by default all, sorted.
            class_mode: those of `flow_from_directory` ("categorical" takes lists of classes too); "raw" (the columns as
                they are), or "multi_output" (a list of columns, one a model's output).
            batch_size: see `flow`; so are the five arguments behind it.
            shuffle: see `flow`.
            seed: see `flow`.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            subset: "training", "validation" (the first `validation_split` of the rows), or None for all.
            interpolation: see `flow_from_directory`.
            validate_filenames: leaves out rows whose file does not exist or is no image by its extension, and warns.
            on_error: see `flow_from_directory`.
            **kwargs: what older versions of Keras took: has_ext, sort, drop_duplicates.

        Returns:
            An endless iterator over arrays, for `model.fit` too; its `.dataset()` is a `tf.data.Dataset`.

        Raises:
            OptionError: an argument is wrong, for Keras's reasons.
            ColumnTypeError: a column holds the wrong kind of value; it is a `TypeError` as well.
        """
        from pipeline.keras.flow_dataframe import ColumnRoles, DataFrameIterator

        if unknown := set(kwargs) - {"has_ext", "sort", "drop_duplicates"}:
            raise TypeError(f"flow_from_dataframe() got unexpected arguments: {sorted(unknown)}")
        for name in kwargs:
            warnings.warn(f"{name} is deprecated, and does nothing", DeprecationWarning, stacklevel=2)
        if class_mode == "other":
            warnings.warn('class_mode="other" is deprecated, use "raw"', DeprecationWarning, stacklevel=2)
            class_mode = "raw"
        saving = SaveOptions(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving, on_error)
        files = make_files(target_size, color_mode, interpolation)
        roles = ColumnRoles(x_col, y_col, weight_col, class_mode, classes)
        share = (subset, self.validation_split)
        return DataFrameIterator(flow, files, dataframe, directory, roles, share, validate_filenames)

    def _flow(
        self, batch_size: int, shuffle: bool, seed: int | None, saving: SaveOptions, on_error: str = "raise"
    ) -> Flow:
        normalizer = self._normalizer
        normalizer.warn_missing()
        if self._overrides("standardize"):
            normalizer = OverriddenNormalizer(**vars(normalizer), own=self.standardize)
        return Flow(
            transform=partial(self._transform, exact=self.exact),
            normalizer=normalizer,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            saving=saving,
            on_error=on_error,
        )
