"""`ImageDataGenerator`, with every argument of the class that Keras has retired."""

import os
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.keras.flow import Flow, make_files
from pipeline.keras.image_processor import ImageProcessor
from pipeline.keras.overridden import OverriddenNormalizer
from pipeline.keras.saving import SaveOptions

if TYPE_CHECKING:
    from pipeline.keras.flow_arrays import ArrayIterator
    from pipeline.keras.flow_dataframe import DataFrameIterator
    from pipeline.keras.flow_directory import DirectoryIterator


class ImageDataGenerator(ImageProcessor):
    """Yield batches of randomly transformed images: Keras's class of this name, reproducible and faster.

    The arguments before the star, and their defaults, are those of
    `keras.src.legacy.preprocessing.image.ImageDataGenerator` in Keras 3.15. docs/keras.md lists the differences for
    each argument. Images are [H, W, C], or [C, H, W] with `data_format="channels_first"`, with levels as read from
    files: 0 to 255 in most.

    Args:
        featurewise_center: subtract the training set's mean per channel; see `fit`.
        samplewise_center: subtract each image's own mean.
        featurewise_std_normalization: divide by the training set's standard deviation per channel; see `fit`.
        samplewise_std_normalization: divide by each image's own standard deviation.
        zca_whitening: apply ZCA whitening; see `fit`.
        zca_epsilon: number added to the singular values of the ZCA.
        rotation_range: largest rotation in degrees, in both directions.
        width_shift_range: largest shift in both directions: a fraction of the width (float below 1), pixels (float from
            1), whole pixels below this number (int), or a list of shifts to choose from.
        height_shift_range: the same for the height.
        brightness_range: range of the brightness factor, (low, high).
        shear_range: largest shear in degrees, in both directions.
        zoom_range: range of the zoom factor per axis: (low, high), or z for (1 - z, 1 + z).
        channel_shift_range: largest number added to the levels of all channels, in both directions.
        fill_mode: border mode of the warp: "nearest", "constant", "reflect" or "wrap".
        cval: level outside the image for `fill_mode="constant"`.
        horizontal_flip: mirror half of the images.
        vertical_flip: turn half of the images upside down.
        rescale: factor of all levels, after the random transforms.
        preprocessing_function: function that is called with each image after the random transforms and before
            `rescale`; it returns an image of the same shape.
        data_format: "channels_last", "channels_first", or None for Keras's setting.
        validation_split: fraction of the samples in `subset="validation"`: the first files of each class, or the first
            images.
        interpolation_order: order of the interpolating spline, 0 to 5; 0 and 1 are fast, SciPy computes the others.
        dtype: dtype of the batches; None for Keras's setting.
        exact: interpolate at exact coordinates in `flow*`, not at 1/32 of a pixel; slower. `apply_transform` is always
            exact.

    Raises:
        OptionError: Keras would refuse an argument, or fail with it at the first image.
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
            x: images [N, H, W, C], or (images, further inputs); uint8 images stay uint8 until they are normalized.
            y: targets [N, ...].
            batch_size: number of images per batch.
            shuffle: draw a new order in each epoch.
            sample_weight: weights [N].
            seed: seed of the order and the transforms; None draws one.
            save_to_dir: directory for pictures of the images in each returned batch.
            save_prefix: prefix of those pictures' file names.
            save_format: file format of those pictures.
            ignore_class_split: tolerate different classes in the training and the validation subset.
            subset: "training", "validation" (the first `validation_split` of the images), or None for all.

        Returns:
            An endless iterator over arrays, which `model.fit` takes; its `.dataset()` is a `tf.data.Dataset`.

        Raises:
            OptionError: Keras would refuse an argument, or fail with it later.
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
            directory: class-folder directory: one subfolder per class.
            target_size: (height, width) in pixels; every image is resized to it before it is transformed.
            color_mode: "rgb", "grayscale" or "rgba".
            classes: class names in the order of their labels; by default all subfolders, sorted.
            class_mode: "categorical" (one-hot), "binary" or "sparse" (class indices), "input" (the image), or None.
            batch_size: see `flow`.
            shuffle: see `flow`.
            seed: see `flow`.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            follow_links: enter folders that are symbolic links.
            subset: "training", "validation" (the first `validation_split` of each class), or None for all.
            interpolation: Pillow's filter: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
            keep_aspect_ratio: crop the center first, so that nothing is stretched.
            on_error: what happens at a bad file: "raise", "skip" (the batch is smaller) or "replace" (by the next good
                sample). The iterator's `errors` lists the bad samples.

        Returns:
            An endless iterator over arrays, which `model.fit` takes; its `.dataset()` is a `tf.data.Dataset`.

        Raises:
            OptionError: Keras would refuse an argument, or fail with it later.
            SourceError: the directory cannot be listed.
        """
        from pipeline.keras.flow_directory import DirectoryIterator

        saving = SaveOptions(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving, on_error)
        files = make_files(target_size, color_mode, interpolation, keep_aspect_ratio)
        part = (subset, self.validation_split)
        return DirectoryIterator(flow, files, directory, classes, class_mode, part, follow_links)

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
        """Iterate over images that a data frame lists.

        Args:
            dataframe: pandas or Polars data frame, dict of lists, or another object with columns by name.
            directory: directory that the file names are relative to; None if they are whole paths.
            x_col: column of the file names.
            y_col: column of the targets; a list for several columns.
            weight_col: column of the sample weights, or None.
            target_size: see `flow_from_directory`.
            color_mode: see `flow_from_directory`.
            classes: class names in the order of their labels; by default all, sorted. Rows of other classes are dropped
                with a warning.
            class_mode: as in `flow_from_directory` ("categorical" also takes lists of classes); or "raw" (the columns'
                values), or "multi_output" (a list of columns, one per output of the model).
            batch_size: see `flow`.
            shuffle: see `flow`.
            seed: see `flow`.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            subset: "training", "validation" (the first `validation_split` of the rows), or None for all.
            interpolation: see `flow_from_directory`.
            validate_filenames: drop rows whose file does not exist or has no image extension, with a warning.
            on_error: see `flow_from_directory`.
            **kwargs: arguments of older versions of Keras, without effect: has_ext, sort, drop_duplicates.

        Returns:
            An endless iterator over arrays, which `model.fit` takes; its `.dataset()` is a `tf.data.Dataset`.

        Raises:
            OptionError: Keras would refuse an argument, or fail with it later.
            ColumnTypeError: a column has values of the wrong type; a `TypeError`, too.
        """
        from pipeline.keras.flow_dataframe import ColumnRoles, DataFrameIterator

        if unknown := set(kwargs) - {"has_ext", "sort", "drop_duplicates"}:
            raise TypeError(f"flow_from_dataframe() got unexpected arguments: {sorted(unknown)}")
        for name in kwargs:
            warnings.warn(f"{name} is deprecated and has no effect", DeprecationWarning, stacklevel=2)
        if class_mode == "other":
            warnings.warn('class_mode="other" is deprecated, use "raw"', DeprecationWarning, stacklevel=2)
            class_mode = "raw"
        saving = SaveOptions(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving, on_error)
        files = make_files(target_size, color_mode, interpolation)
        roles = ColumnRoles(x_col, y_col, weight_col, class_mode, classes)
        part = (subset, self.validation_split)
        return DataFrameIterator(flow, files, dataframe, directory, roles, part, validate_filenames)

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
