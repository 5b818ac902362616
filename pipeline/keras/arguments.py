"""Check the arguments of `ImageDataGenerator`, and set the arguments that they imply."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.errors import OptionError
from pipeline.keras.transform import Ranges
from pipeline.keras.warp import FILL_MODES, SplineWarp


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """How levels are normalized after the random transforms: Keras's arguments of these names."""

    featurewise_center: bool = False
    samplewise_center: bool = False
    featurewise_std_normalization: bool = False
    samplewise_std_normalization: bool = False
    zca_whitening: bool = False
    zca_epsilon: float = 1e-6
    rescale: float | None = None
    preprocessing_function: Callable[[Any], Any] | None = None

    @property
    def needs_statistics(self) -> bool:
        """Whether `fit` is needed first."""
        return self.featurewise_center or self.featurewise_std_normalization or self.zca_whitening

    def __post_init__(self) -> None:
        if self.preprocessing_function is not None and not callable(self.preprocessing_function):
            raise OptionError(f"`preprocessing_function` must be a function, got {self.preprocessing_function!r}")
        for name in ("rescale", "zca_epsilon"):
            if getattr(self, name) is not None and not _is_finite(getattr(self, name)):
                raise OptionError(f"`{name}` must be a finite number, got {getattr(self, name)!r}")

    def resolve_conflicts(self) -> "Normalization":
        """Set the arguments that others imply, with Keras's warnings."""
        settings = self
        if settings.zca_whitening and not settings.featurewise_center:
            settings = _override(settings, "zca_whitening", featurewise_center=True)
        if settings.zca_whitening and settings.featurewise_std_normalization:
            settings = _override(settings, "zca_whitening", featurewise_std_normalization=False)
        if settings.featurewise_std_normalization and not settings.featurewise_center:
            settings = _override(settings, "featurewise_std_normalization", featurewise_center=True)
        if settings.samplewise_std_normalization and not settings.samplewise_center:
            settings = _override(settings, "samplewise_std_normalization", samplewise_center=True)
        return settings


def parse_zoom(zoom_range: Any) -> list[float]:
    """Return the range of the zoom factor, [low, high].

    Raises:
        OptionError: it is neither a number nor two numbers.
    """
    if isinstance(zoom_range, (int, float)):
        return [1 - zoom_range, 1 + zoom_range]
    is_pair = isinstance(zoom_range, (tuple, list, np.ndarray)) and len(zoom_range) == 2
    if is_pair and all(isinstance(value, (int, float)) for value in zoom_range):
        return list(zoom_range)
    raise OptionError(f"`zoom_range` should be a float or a tuple or list of two floats; got {zoom_range!r}")


def parse_ranges(ranges: Mapping[str, Any]) -> Ranges:
    """Return the ranges of the random parameters.

    Raises:
        OptionError: a value is not a range.
    """
    brightness = ranges["brightness_range"]
    if brightness is not None and (not isinstance(brightness, (tuple, list)) or len(brightness) != 2):
        raise OptionError(f"`brightness_range` should be a tuple or list of two floats; got {brightness!r}")
    for name, value in ranges.items():
        if value is not None and not _is_finite(value):
            raise OptionError(f"`{name}` must consist of finite numbers, got {value!r}")
    return Ranges(**{**ranges, "brightness_range": brightness and tuple(brightness)})


def make_warp(fill_mode: str, cval: float, interpolation_order: int) -> SplineWarp:
    """Return the warp, and refuse now what SciPy would refuse at the first image.

    Raises:
        OptionError: the fill mode, the value or the order is invalid.
    """
    if fill_mode not in FILL_MODES:
        raise OptionError(f"`fill_mode` must be one of {', '.join(map(repr, FILL_MODES))}; got {fill_mode!r}")
    if interpolation_order not in range(6):
        raise OptionError(f"`interpolation_order` must be an integer from 0 to 5, got {interpolation_order!r}")
    if not _is_finite(cval):
        raise OptionError(f"`cval` must be a finite number, got {cval!r}")
    return SplineWarp(fill_mode=fill_mode, cval=float(cval), order=int(interpolation_order))


def parse_validation_split(validation_split: float) -> float:
    """Return the fraction of the validation subset.

    Raises:
        OptionError: it is not between 0 and 1.
    """
    if validation_split and not 0 < validation_split < 1:
        raise OptionError(f"`validation_split` must be strictly between 0 and 1, got {validation_split}")
    return float(validation_split or 0)


def parse_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype of the batches; None is Keras's setting.

    Raises:
        OptionError: it is not a floating-point dtype.
    """
    if dtype is None:
        import keras

        dtype = keras.config.floatx()
    try:
        parsed: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        parsed = np.dtype(object)
    if not np.issubdtype(parsed, np.floating):
        raise OptionError(f"`dtype` must be a floating-point dtype, got {dtype!r}")
    return parsed


def parse_data_format(data_format: str | None) -> str:
    """Return the axis order of images; None is Keras's setting.

    Raises:
        OptionError: the value is invalid.
    """
    if data_format is None:
        import keras

        data_format = str(keras.config.image_data_format())
    if data_format not in ("channels_last", "channels_first"):
        raise OptionError(f'`data_format` should be "channels_last" or "channels_first"; got {data_format!r}')
    return data_format


def _is_finite(value: Any) -> bool:
    try:
        return bool(np.isfinite(np.asarray(value, np.float64)).all())
    except (TypeError, ValueError):
        return False


def _override(settings: Normalization, argument: str, **implied: Any) -> Normalization:
    (name,) = implied
    warnings.warn(f"This ImageDataGenerator specifies `{argument}`, which overrides setting of `{name}`.", stacklevel=5)
    return replace(settings, **implied)
