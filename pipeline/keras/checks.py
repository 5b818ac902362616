"""Check arguments that several Keras-shaped functions have; a message says what, got what, and what to do."""

import logging
import os
import secrets
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError

_log = logging.getLogger(__name__)


def resolve_seed(seed: int | None) -> int:
    """Return the seed, or draw one and log it.

    Raises:
        OptionError: it is not an integer of at least 0.
    """
    if seed is None:
        seed = secrets.randbits(32)
        _log.info("drew seed=%d; pass it to reproduce this stream", seed)
    return check_seed(seed)


def check_seed(seed: object) -> int:
    """Return a seed as an integer.

    Raises:
        OptionError: it is not an integer of at least 0.
    """
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise OptionError(f"`seed` must be an integer of at least 0, or None; got {seed!r}")
    return int(seed)


def check_batch_size(batch_size: object, *, may_be_none: bool = True) -> None:
    """Refuse an invalid batch size.

    Raises:
        OptionError: it is neither None, where that is allowed, nor an integer of at least 1.
    """
    if not (batch_size is None and may_be_none) and not is_positive_integer(batch_size):
        allowed = "an integer of at least 1, or None;" if may_be_none else "an integer of at least 1,"
        raise OptionError(f"`batch_size` must be {allowed} got {batch_size!r}")


def check_on_error(on_error: object) -> None:
    """Refuse an unknown value of `on_error`.

    Raises:
        OptionError: it is unknown.
    """
    if on_error not in ("raise", "skip", "replace"):
        raise OptionError(f'`on_error` must be "raise", "skip" or "replace"; got {on_error!r}')


def check_flags(**flags: object) -> None:
    """Refuse switches that are neither on nor off: Keras would take the string "False" for True.

    Raises:
        OptionError: one is not True, False, None, 0 or 1.
    """
    for name, flag in flags.items():
        if not (flag is None or isinstance(flag, (bool, np.bool_)) or (isinstance(flag, Integral) and flag in (0, 1))):
            raise OptionError(f"`{name}` must be True or False, got {flag!r}")


def check_number(name: str, value: Any, low: float = -np.inf) -> None:
    """Refuse a value that is not one finite number.

    Raises:
        OptionError: it is not a number, not finite, or less than `low`.
    """
    if not is_number(value) or value < low:
        at_least = "" if low == -np.inf else f" of at least {low:g}"
        raise OptionError(f"`{name}` must be a finite number{at_least}, got {value!r}")


def check_validation_split(validation_split: Any) -> float:
    """Return the fraction of the validation subset; 0 for None.

    Raises:
        OptionError: it is not a number between 0 and 1.
    """
    if validation_split is None or (is_number(validation_split) and validation_split == 0):
        return 0.0
    if not is_number(validation_split) or not 0 < validation_split < 1:
        raise OptionError(f"`validation_split` must be between 0 and 1, got {validation_split!r}")
    return float(validation_split)


def check_class_names(name: str, class_names: Any, *, may_repeat: bool = False) -> None:
    """Refuse class names that are not a list of names.

    Raises:
        OptionError: it is a single string, has values that are not strings, or names a class twice.
    """
    if class_names is None:
        return
    is_list = isinstance(class_names, (Sequence, np.ndarray)) and not isinstance(class_names, (str, bytes))
    if not is_list or not all(isinstance(one, str) for one in class_names):
        raise OptionError(f"`{name}` must be a list of class names, got {class_names!r}")
    if len(set(class_names)) != len(class_names) and not may_repeat:
        raise OptionError(f"`{name}` must name each class once, got {list(class_names)}")


def read_path(name: str, path: Any) -> str:
    """Return a path as text.

    Raises:
        OptionError: it is not a path.
    """
    try:
        return os.fsdecode(path)
    except TypeError:
        raise OptionError(f"`{name}` must be a path, got {path!r}") from None


def check_images(name: str, images: NDArray[Any]) -> None:
    """Refuse an array that is not a batch of images.

    Raises:
        OptionError: it has another rank than 4, or a dtype that is not numeric.
    """
    if images.ndim != 4 or images.dtype.kind not in "buif":
        raise OptionError(
            f"{name} must be an array of numbers of rank 4 [N, H, W, C], got {images.dtype} of shape {images.shape}"
        )


def is_positive_integer(value: object) -> bool:
    """Return whether a value is an integer of at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0


def is_number(value: object) -> bool:
    """Return whether a value is a finite number, of Python or NumPy."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and bool(np.isfinite(float(value)))
