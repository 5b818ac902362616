"""`ImageDataGenerator`, with every argument of the class that Keras gave up."""

import os
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.augmentation import Augmentation
from pipeline.errors import OptionError
from pipeline.keras import arguments
from pipeline.keras.fitting import Fitting, opened
from pipeline.keras.flow import Files, Flow, Saving
from pipeline.keras.image_directory import drawn_seed
from pipeline.keras.normaliser import Normaliser, rounded_into
from pipeline.keras.overridden import OverriddenNormaliser, OverriddenTransform
from pipeline.keras.statistics import Statistics, Whitening
from pipeline.keras.transform import RandomTransform, Ranges

if TYPE_CHECKING:
    from pipeline.keras.flow_arrays import ArrayIterator
    from pipeline.keras.flow_dataframe import DataFrameIterator
    from pipeline.keras.flow_directory import DirectoryIterator


class ImageDataGenerator:
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

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Any], Any] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
        *,
        exact: bool = False,
    ) -> None:
        settings = arguments.Normalisation(
            featurewise_center=featurewise_center,
            samplewise_center=samplewise_center,
            featurewise_std_normalization=featurewise_std_normalization,
            samplewise_std_normalization=samplewise_std_normalization,
            zca_whitening=zca_whitening,
            zca_epsilon=zca_epsilon,
            rescale=rescale,
            preprocessing_function=preprocessing_function,
        ).completed()
        self.featurewise_center = settings.featurewise_center
        self.samplewise_center = settings.samplewise_center
        self.featurewise_std_normalization = settings.featurewise_std_normalization
        self.samplewise_std_normalization = settings.samplewise_std_normalization
        self.zca_whitening = settings.zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.brightness_range = brightness_range
        self.shear_range = shear_range
        self.zoom_range = arguments.checked_zoom(zoom_range)
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.data_format = arguments.checked_data_format(data_format)
        self.validation_split = arguments.checked_split(validation_split)
        self.interpolation_order = interpolation_order
        self.dtype = arguments.checked_dtype(dtype).name
        self.exact = exact
        self.mean: Any = None
        self.std: Any = None
        self.statistics: Statistics | None = None
        self._whitening: Whitening | NDArray[Any] | None = None
        self._compiled(exact)  # what is wrong is refused now

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
            x: images [N, H, W, C]; uint8 stays uint8 until it is normalised. Or (images, further inputs).
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
        from pipeline.keras.flow_arrays import ArrayIterator, Part

        saving = Saving(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving)
        return ArrayIterator(flow, x, y, sample_weight, Part(subset, self.validation_split, ignore_class_split))

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

        saving = Saving(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving, on_error)
        files = _files(target_size, color_mode, interpolation, keep_aspect_ratio)
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
        from pipeline.keras.flow_dataframe import DataFrameIterator, Roles

        if unknown := set(kwargs) - {"has_ext", "sort", "drop_duplicates"}:
            raise TypeError(f"flow_from_dataframe() got unexpected arguments: {sorted(unknown)}")
        for name in kwargs:
            warnings.warn(f"{name} is deprecated, and does nothing", DeprecationWarning, stacklevel=2)
        if class_mode == "other":
            warnings.warn('class_mode="other" is deprecated, use "raw"', DeprecationWarning, stacklevel=2)
            class_mode = "raw"
        saving = Saving(save_to_dir=save_to_dir, save_prefix=save_prefix, save_format=save_format)
        flow = self._flow(batch_size, shuffle, seed, saving, on_error)
        files = _files(target_size, color_mode, interpolation)
        roles = Roles(x_col, y_col, weight_col, class_mode, classes)
        share = (subset, self.validation_split)
        return DataFrameIterator(flow, files, dataframe, directory, roles, share, validate_filenames)

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Normalise one image: `preprocessing_function`, `rescale`, samplewise, featurewise, ZCA.

        Args:
            x: of a floating dtype, it is written to, as by Keras; integers are copied.

        Returns:
            The normalised image, of the same shape.
        """
        normaliser = self._normaliser
        normaliser.warn_of_missing()
        return normaliser.standardize(x)

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """Draw the parameters of one transform.

        Args:
            img_shape: of the image, [H, W, C] or as `data_format` says.
            seed: of the draw; None draws one.

        Returns:
            What `apply_transform` takes: "theta" and "shear" (degrees), "tx" and "ty" (pixels), "zx" and "zy"
            (factors), "flip_horizontal", "flip_vertical", "channel_shift_intensity" (levels, or None), "brightness"
            (a factor, or None).
        """
        key = keys.root(secrets.randbits(63) if seed is None else seed).reshape(1)
        size = img_shape[1:3] if self.data_format == "channels_first" else img_shape[:2]
        drawn = {name: column[0].item() for name, column in self._compiled(True).draw(key, [size]).items()}
        return {name: None if value != value else value for name, value in drawn.items()}  # NaN

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """Transform one image by given parameters: those of `get_random_transform`; what is missing does nothing.

        Args:
            x: one image; it is not written to.
            transform_parameters: by name.

        Returns:
            An image of the same shape and dtype; of float32 where integer levels are shifted or made brighter.
        """
        if not isinstance(x, np.ndarray) or x.ndim != 3 or x.dtype.kind not in "buif":
            kind = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
            raise OptionError(f"an image must be an array of numbers with three dimensions, got {kind}")
        is_first = self.data_format == "channels_first"
        image = np.moveaxis(x, 0, -1) if is_first else x
        image = np.ascontiguousarray(image, np.uint8 if x.dtype == np.uint8 else np.float32)
        transformed = self._compiled(True).run(image, transform_parameters)
        changes_levels = any(
            transform_parameters.get(name) is not None for name in ("channel_shift_intensity", "brightness")
        )
        if np.issubdtype(x.dtype, np.floating) or not changes_levels:
            transformed = rounded_into(transformed, x.dtype)
        return np.moveaxis(transformed, -1, 0) if is_first else transformed

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Transform one image at random; see `get_random_transform` and `apply_transform`."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def fit(
        self,
        x: Any,
        augment: bool = False,
        rounds: int = 1,
        seed: int | None = None,
        *,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        interpolation: str = "nearest",
        zca_rank: int | None = None,
    ) -> None:
        """Learn the training set's mean, standard deviation and ZCA whitening, as far as they are asked for.

        Nothing is held but 64 images at once: mean and standard deviation take one pass, ZCA one or three more.

        Args:
            x: images [N, H, W, C]; a directory (all images below it); a `pipeline.Loader` or a `tf.data.Dataset` (one
                epoch of it).
            augment: sees images as the random transforms make them.
            rounds: how often it sees each image, where it does.
            seed: of those transforms; None draws one.
            target_size: of images from a directory, as `flow_from_directory` reads them.
            color_mode: likewise.
            interpolation: likewise.
            zca_rank: makes a low-rank ZCA of this rank. None makes the exact one where memory has room for four
                covariances (8 bytes x (H x W x C)^2 each), else one of rank 512.

        Raises:
            OptionError: an argument is wrong.
            SourceError: there is no image.
        """
        if isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)) or rounds < 1:
            raise OptionError(f"`rounds` must be an integer of at least 1, got {rounds!r}")
        is_first = self.data_format == "channels_first"
        fitting = Fitting(
            normalisation=self._normalisation,
            channels_first=is_first,
            augment=partial(self._transform, exact=True) if augment else None,
            rounds=int(rounds),
            seed=drawn_seed(seed),
            zca_rank=zca_rank,
        )
        statistics = fitting(opened(x, _files(target_size, color_mode, interpolation), is_first))
        self._use(replace(statistics, settings=self._described))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what `fit` learned: `.json` (mean and standard deviation) or `.npz` (ZCA too).

        Raises:
            OptionError: there is nothing to write, or the extension is another one.
        """
        if self.statistics is None:
            raise OptionError("there are no statistics to save: call fit first")
        self.statistics.save(path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what `save` wrote, for the images of another set: those of the training set are applied to the test set.

        Raises:
            SourceError: the file cannot be read, or holds no statistics.
            OptionError: they are of images with another `rescale` or `data_format`, or lack what is needed here.
        """
        statistics = Statistics.load(path)
        if statistics.settings != self._described:
            raise OptionError(
                f"{os.fspath(path)} holds the statistics of images with {statistics.settings}, and this generator has "
                f"{self._described}"
            )
        needed = {
            "mean": self.featurewise_center,
            "std": self.featurewise_std_normalization,
            "whitening": self.zca_whitening,
        }
        missing = [name for name, is_needed in needed.items() if is_needed and getattr(statistics, name) is None]
        if missing:
            raise OptionError(f"{os.fspath(path)} lacks what this generator needs: {', '.join(missing)}")
        self._use(statistics)

    @property
    def zca_whitening_matrix(self) -> NDArray[Any] | None:
        """The matrix [D, D] that flattened images are multiplied by; None before `fit`. Can be set."""
        return self._whitening.matrix if isinstance(self._whitening, Whitening) else self._whitening

    @zca_whitening_matrix.setter
    def zca_whitening_matrix(self, matrix: Any) -> None:
        self._whitening = None if matrix is None else np.asarray(matrix)

    def _use(self, statistics: Statistics) -> None:
        shape = (-1, 1, 1) if self.data_format == "channels_first" else (1, 1, -1)
        self.statistics = statistics
        self.mean = None if statistics.mean is None else statistics.mean.reshape(shape)
        self.std = None if statistics.std is None else statistics.std.reshape(shape)
        self._whitening = statistics.whitening

    @property
    def _described(self) -> dict[str, Any]:
        return {"rescale": self.rescale and float(self.rescale), "data_format": self.data_format}

    @property
    def _normalisation(self) -> arguments.Normalisation:
        names = [field.name for field in fields(arguments.Normalisation)]
        return arguments.Normalisation(**{name: getattr(self, name) for name in names})

    @property
    def _normaliser(self) -> Normaliser:
        return Normaliser(
            settings=self._normalisation,
            mean=None if self.mean is None else np.asarray(self.mean),
            std=None if self.std is None else np.asarray(self.std),
            whitening=self._whitening,
            dtype=np.dtype(self.dtype),
            channels_first=self.data_format == "channels_first",
        )

    def _compiled(self, exact: bool) -> RandomTransform:
        """Make the transform that the attributes describe now: as with Keras they can be changed."""
        ranges = arguments.checked_ranges({field.name: getattr(self, field.name) for field in fields(Ranges)})
        warp = arguments.checked_warp(self.fill_mode, self.cval, self.interpolation_order)
        return RandomTransform(ranges=ranges, warp=warp, exact=exact)

    def _flow(self, batch_size: int, shuffle: bool, seed: int | None, saving: Saving, on_error: str = "raise") -> Flow:
        normaliser = self._normaliser
        normaliser.warn_of_missing()
        if self._overrides("standardize"):
            normaliser = OverriddenNormaliser(**vars(normaliser), own=self.standardize)
        return Flow(
            transform=partial(self._transform, exact=self.exact),
            normaliser=normaliser,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            saving=saving,
            on_error=on_error,
        )

    def _transform(self, channels: int, *, exact: bool) -> Augmentation:
        if self._overrides("get_random_transform") or self._overrides("apply_transform"):
            is_first = self.data_format == "channels_first"
            return OverriddenTransform(self.get_random_transform, self.apply_transform, channels, is_first)
        return self._compiled(exact)

    def _overrides(self, method: str) -> bool:
        """Tell whether a subclass, or somebody from outside, has put another method in the place of ours."""
        return getattr(getattr(self, method), "__func__", None) is not getattr(ImageDataGenerator, method)


def _files(target_size: Any, color_mode: str, interpolation: str, keep_aspect_ratio: bool = False) -> Files:
    return Files(
        target_size=tuple(target_size) if isinstance(target_size, (tuple, list)) else target_size,
        color_mode=color_mode,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
    )
