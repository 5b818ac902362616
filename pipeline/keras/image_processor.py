"""The part of `ImageDataGenerator` that works on images: transform, normalize, and compute statistics."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.keras import arguments
from pipeline.keras.checks import check_flags, check_seed, check_validation_split, is_positive_integer, resolve_seed
from pipeline.keras.fitting import StatisticsFitter, open_batches
from pipeline.keras.flow import make_files
from pipeline.keras.normalizer import Normalizer, round_to_dtype
from pipeline.keras.overridden import OverriddenTransform
from pipeline.keras.statistics import Statistics, Whitening
from pipeline.keras.transform import FlowTransform, RandomTransform, Ranges


class ImageProcessor:
    """Transform and normalize images from any source; `ImageDataGenerator` describes the arguments.

    Raises:
        OptionError: Keras would refuse an argument, or fail with it at the first image.
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
        settings = arguments.Normalization(
            featurewise_center=featurewise_center,
            samplewise_center=samplewise_center,
            featurewise_std_normalization=featurewise_std_normalization,
            samplewise_std_normalization=samplewise_std_normalization,
            zca_whitening=zca_whitening,
            zca_epsilon=zca_epsilon,
            rescale=rescale,
            preprocessing_function=preprocessing_function,
        ).resolve_conflicts()
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
        self.zoom_range = arguments.parse_zoom(zoom_range)
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.data_format = arguments.parse_data_format(data_format)
        self.validation_split = check_validation_split(validation_split)
        self.interpolation_order = interpolation_order
        self.dtype = arguments.parse_dtype(dtype).name
        self.exact = exact
        check_flags(exact=exact)
        self.mean: Any = None
        self.std: Any = None
        self.statistics: Statistics | None = None
        self._whitening: Whitening | NDArray[Any] | None = None
        self._compile(exact)  # refuse wrong arguments now

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Normalize one image: `preprocessing_function`, `rescale`, samplewise, featurewise, ZCA.

        Args:
            x: image; a floating-point array is changed in place, as in Keras; an integer array is copied.

        Returns:
            The normalized image of the same shape.
        """
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "buif":
            kind = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
            raise OptionError(f"`x` must be an array of numbers, got {kind}")
        normalizer = self._normalizer
        normalizer.warn_missing()
        return normalizer.standardize(x)

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """Draw the parameters of one transform.

        Args:
            img_shape: shape of the image: (H, W, C), or (C, H, W) with `data_format="channels_first"`.
            seed: seed of the draw; None draws one.

        Returns:
            Parameters for `apply_transform`: "theta" and "shear" (degrees), "tx" and "ty" (pixels), "zx" and "zy"
            (factors), "flip_horizontal", "flip_vertical", "channel_shift_intensity" (levels or None), "brightness"
            (factor or None).
        """
        if not isinstance(img_shape, Sequence) or len(img_shape) != 3 or not all(map(is_positive_integer, img_shape)):
            raise OptionError(f"`img_shape` must be the shape of one image, such as (H, W, C); got {img_shape!r}")
        key = keys.root(secrets.randbits(63) if seed is None else check_seed(seed)).reshape(1)
        size = img_shape[1:3] if self.data_format == "channels_first" else img_shape[:2]
        drawn = {name: column[0].item() for name, column in self._compile(True).draw(key, [size]).items()}
        return {name: None if value != value else value for name, value in drawn.items()}  # NaN

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """Transform one image with parameters of `get_random_transform`; a missing parameter has no effect.

        Args:
            x: one image; it is not changed.
            transform_parameters: values by name.

        Returns:
            An image of the same shape and dtype; float32 if a channel shift or brightness changes integer levels.
        """
        if not isinstance(x, np.ndarray) or x.ndim != 3 or x.dtype.kind not in "buif":
            kind = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
            raise OptionError(f"an image must be an array of numbers with three dimensions, got {kind}")
        arguments.check_parameters(transform_parameters)
        is_first = self.data_format == "channels_first"
        image = np.moveaxis(x, 0, -1) if is_first else x
        image = np.ascontiguousarray(image, np.uint8 if x.dtype == np.uint8 else np.float32)
        transformed = self._compile(True).run(image, transform_parameters)
        changes_levels = any(
            transform_parameters.get(name) is not None for name in ("channel_shift_intensity", "brightness")
        )
        if np.issubdtype(x.dtype, np.floating) or not changes_levels:
            transformed = round_to_dtype(transformed, x.dtype)
        return np.moveaxis(transformed, -1, 0) if is_first else transformed

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Transform one image randomly; see `get_random_transform` and `apply_transform`."""
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
        """Compute the training set's mean, standard deviation and ZCA whitening, as far as this generator needs them.

        Memory holds 64 images at a time. Mean and standard deviation take one pass; ZCA takes one or three more.

        Args:
            x: images [N, H, W, C]; a directory (all images below it); a `pipeline.Loader` or a `tf.data.Dataset` (one
                epoch).
            augment: compute the statistics of randomly transformed images.
            rounds: number of random transforms per image, with `augment`.
            seed: seed of those transforms; None draws one.
            target_size: size of images from a directory; see `flow_from_directory`.
            color_mode: see `flow_from_directory`.
            interpolation: see `flow_from_directory`.
            zca_rank: rank of a low-rank ZCA. None computes the exact ZCA if memory has room for four covariances
                (8 bytes x (H x W x C)^2 each), and else one of rank 512.

        Raises:
            OptionError: an argument is wrong.
            SourceError: there are no images.
        """
        check_flags(augment=augment)
        if not is_positive_integer(rounds):
            raise OptionError(f"`rounds` must be an integer of at least 1, got {rounds!r}")
        is_first = self.data_format == "channels_first"
        fitter = StatisticsFitter(
            normalization=self._normalization,
            channels_first=is_first,
            augment=partial(self._transform, exact=True) if augment else None,
            rounds=int(rounds),
            seed=resolve_seed(seed),
            zca_rank=zca_rank,
        )
        statistics = fitter(open_batches(x, make_files(target_size, color_mode, interpolation), is_first))
        self._use_statistics(replace(statistics, settings=self._settings))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the statistics that `fit` computed: `.json` (mean and standard deviation) or `.npz` (ZCA, too).

        Raises:
            OptionError: `fit` was not called, or the extension is neither.
        """
        if self.statistics is None:
            raise OptionError("no statistics to save; call fit first")
        self.statistics.save(path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read statistics that `save` wrote, such as those of the training set to normalize the test set.

        Raises:
            SourceError: the file cannot be read, or is not a statistics file.
            OptionError: the statistics were computed with another `rescale` or `data_format`, or lack a needed one.
        """
        statistics = Statistics.load(path)
        if statistics.settings != self._settings:
            raise OptionError(
                f"{os.fspath(path)}: the statistics were computed with {statistics.settings}, but this generator has "
                f"{self._settings}; call fit again"
            )
        needed = {
            "mean": self.featurewise_center,
            "std": self.featurewise_std_normalization,
            "whitening": self.zca_whitening,
        }
        missing = [name for name, is_needed in needed.items() if is_needed and getattr(statistics, name) is None]
        if missing:
            raise OptionError(
                f"{os.fspath(path)} lacks {', '.join(missing)}, which this generator needs; call fit again"
            )
        self._use_statistics(statistics)

    @property
    def zca_whitening_matrix(self) -> NDArray[Any] | None:
        """The matrix [D, D] that multiplies flattened images; None before `fit`. It can be set."""
        return self._whitening.matrix if isinstance(self._whitening, Whitening) else self._whitening

    @zca_whitening_matrix.setter
    def zca_whitening_matrix(self, matrix: Any) -> None:
        self._whitening = None if matrix is None else np.asarray(matrix)

    def _use_statistics(self, statistics: Statistics) -> None:
        shape = (-1, 1, 1) if self.data_format == "channels_first" else (1, 1, -1)
        self.statistics = statistics
        self.mean = None if statistics.mean is None else statistics.mean.reshape(shape)
        self.std = None if statistics.std is None else statistics.std.reshape(shape)
        self._whitening = statistics.whitening

    @property
    def _settings(self) -> dict[str, Any]:
        return {"rescale": self.rescale and float(self.rescale), "data_format": self.data_format}

    @property
    def _normalization(self) -> arguments.Normalization:
        names = [field.name for field in fields(arguments.Normalization)]
        return arguments.Normalization(**{name: getattr(self, name) for name in names})

    @property
    def _normalizer(self) -> Normalizer:
        return Normalizer(
            settings=self._normalization,
            mean=None if self.mean is None else np.asarray(self.mean),
            std=None if self.std is None else np.asarray(self.std),
            whitening=self._whitening,
            dtype=np.dtype(self.dtype),
            channels_first=self.data_format == "channels_first",
        )

    def _compile(self, exact: bool) -> RandomTransform:
        """Return the transform that the attributes describe now: users may change them, as in Keras."""
        ranges = arguments.parse_ranges({field.name: getattr(self, field.name) for field in fields(Ranges)})
        warp = arguments.make_warp(self.fill_mode, self.cval, self.interpolation_order)
        return RandomTransform(ranges=ranges, warp=warp, exact=exact)

    def _transform(self, channels: int, *, exact: bool) -> FlowTransform:
        if self._overrides("get_random_transform") or self._overrides("apply_transform"):
            is_first = self.data_format == "channels_first"
            return OverriddenTransform(self.get_random_transform, self.apply_transform, channels, is_first)
        return self._compile(exact)

    def _overrides(self, method: str) -> bool:
        """Return whether a subclass, or an assignment, has replaced one of our methods."""
        return getattr(getattr(self, method), "__func__", None) is not getattr(ImageProcessor, method)
