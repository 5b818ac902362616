"""Check the arguments of `ImageDataGenerator`, and set the arguments that they imply."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any

import numpy as np

from pipeline.errors import OptionError
from pipeline.keras.checks import check_flags, check_number, is_number
from pipeline.keras.transform import Ranges
from pipeline.keras.warp import FILL_MODES, SplineWarp

_GEOMETRY = ("theta", "tx", "ty", "shear", "zx", "zy")
_LEVEL_SHIFTS = ("channel_shift_intensity", "brightness")


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
        names = [field.name for field in fields(self) if isinstance(field.default, bool)]
        check_flags(**{name: getattr(self, name) for name in names})
        if self.rescale is not None:
            check_number("rescale", self.rescale)
        check_number("zca_epsilon", self.zca_epsilon, 0)

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
    if is_number(zoom_range):
        return [1 - zoom_range, 1 + zoom_range]
    if _is_pair(zoom_range):
        return list(zoom_range)
    raise OptionError(f"`zoom_range` must be a number, or two numbers; got {zoom_range!r}")


def parse_ranges(ranges: Mapping[str, Any]) -> Ranges:
    """Return the ranges of the random parameters.

    Raises:
        OptionError: a value is not a range.
    """
    brightness = ranges["brightness_range"]
    if brightness is not None and (isinstance(brightness, np.ndarray) or not _is_pair(brightness)):
        raise OptionError(f"`brightness_range` must be a tuple or list of two numbers; got {brightness!r}")
    for name in ("rotation_range", "shear_range", "channel_shift_range"):
        check_number(name, ranges[name])
    for name in ("width_shift_range", "height_shift_range"):
        check_shift(name, ranges[name])
    if not _is_pair(ranges["zoom_range"]):
        raise OptionError(f"`zoom_range` must be a number, or two numbers; got {ranges['zoom_range']!r}")
    check_flags(horizontal_flip=ranges["horizontal_flip"], vertical_flip=ranges["vertical_flip"])
    return Ranges(**{**ranges, "brightness_range": brightness and tuple(brightness)})


def check_shift(name: str, limits: Any) -> None:
    """Refuse what is not a limit of shifts, or a list of shifts.

    Raises:
        OptionError: it is neither a finite number above -1 nor a list of finite numbers.
    """
    if isinstance(limits, (list, tuple, np.ndarray)):
        if np.ndim(limits) != 1 or not all(map(is_number, limits)):
            raise OptionError(f"`{name}` must be a number, or a list of numbers; got {limits!r}")
    elif not is_number(limits) or limits <= -1:
        raise OptionError(f"`{name}` must be a finite number of at least 0, or a list of numbers; got {limits!r}")


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters of `apply_transform` that are not finite numbers. Unknown names are a subclass's own.

    Raises:
        OptionError: a parameter is not a finite number.
    """
    for name, value in parameters.items():
        scalar = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
        if name in _GEOMETRY or (name in _LEVEL_SHIFTS and value is not None):
            check_number(name, scalar)


def make_warp(fill_mode: str, cval: float, interpolation_order: int) -> SplineWarp:
    """Return the warp, and refuse now what SciPy would refuse at the first image.

    Raises:
        OptionError: the fill mode, the value or the order is invalid.
    """
    if fill_mode not in tuple(FILL_MODES):
        raise OptionError(f"`fill_mode` must be one of {', '.join(map(repr, FILL_MODES))}; got {fill_mode!r}")
    if not isinstance(interpolation_order, Integral) or interpolation_order not in range(6):
        raise OptionError(f"`interpolation_order` must be an integer from 0 to 5, got {interpolation_order!r}")
    check_number("cval", cval)
    return SplineWarp(fill_mode=fill_mode, cval=float(cval), order=int(interpolation_order))


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


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list, np.ndarray)) and len(value) == 2 and all(map(is_number, value))


def _override(settings: Normalization, argument: str, **implied: Any) -> Normalization:
    (name,) = implied
    warnings.warn(f"This ImageDataGenerator specifies `{argument}`, which overrides setting of `{name}`.", stacklevel=5)
    return replace(settings, **implied)
