"""What can be wrong with a loader's options, and what to say then."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from augment.errors import AugmentError
from pipeline.decode import CHANNELS
from pipeline.errors import OptionError
from pipeline.resize import INTERPOLATIONS
from pipeline.split import SUBSETS

if TYPE_CHECKING:
    from pipeline.base_loader import BaseLoader
    from pipeline.loader import Loader

_T = TypeVar("_T")

_KNOWN: dict[str, tuple[str | None, ...]] = {
    "label_mode": ("int", "categorical", "binary", None),
    "on_error": ("raise", "skip", "replace"),
    "subset": (*SUBSETS, None),
}
_KNOWN_OF_IMAGES: dict[str, tuple[str | None, ...]] = {
    "color_mode": tuple(CHANNELS),
    "interpolation": tuple(INTERPOLATIONS),
}
_AT_LEAST = {"batch_size": 1, "num_parallel_calls": 1, "prefetch": 0, "seed": 0}
_AT_LEAST_OF_IMAGES = {"copies": 1, "workers": 0, "max_pixels": 1, "cache_limit_bytes": 0}
_NEVER_NONE = ("copies", "prefetch", "max_pixels", "workers")


def check(loader: "Loader") -> None:
    """Check what can be checked without opening the source.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
    """
    check_common(loader)
    for messages in (_values_of_images(loader), _combinations_of_images(loader)):
        for message in messages:
            raise OptionError(message)


def check_common(loader: "BaseLoader") -> None:
    """Check the options that every loader has.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
    """
    for messages in (_values(loader), _combinations(loader)):
        for message in messages:
            raise OptionError(message)


def check_classes(loader: "BaseLoader") -> None:
    """Check what depends on the classes that the source has.

    Raises:
        OptionError: an option does not fit them.
    """
    names = list(loader.class_names or ())
    if loader.label_mode == "binary" and len(names) != 2:
        raise OptionError(f"label_mode='binary' needs 2 classes, got {names}")


def check_integer(name: str, value: Any, least: int, *, may_be_none: bool) -> Iterator[str]:
    """Say what is wrong with an integer option, if anything is."""
    if not (value is None and may_be_none) and not (_is_integer(value) and value >= least):
        yield f"{name} must be an integer of at least {least}{', or None' if may_be_none else ''}; got {value!r}"


def made(option: Any, make: Callable[[Any], _T]) -> _T | None:
    """Make what an option describes; None where it is None.

    Raises:
        OptionError: it describes nothing that can be made.
    """
    try:
        return None if option is None else make(option)
    except AugmentError as error:
        raise OptionError(str(error)) from None


def _listed(
    loader: "BaseLoader", known: Mapping[str, Sequence[str | None]], at_least: Mapping[str, int]
) -> Iterator[str]:
    for name, values in known.items():
        if getattr(loader, name) not in values:
            yield f"{name} must be one of {', '.join(map(repr, values))}; got {getattr(loader, name)!r}"
    for name, least in at_least.items():
        yield from check_integer(name, getattr(loader, name), least, may_be_none=name not in _NEVER_NONE)


def _values_of_images(loader: "Loader") -> Iterator[str]:
    yield from _listed(loader, _KNOWN_OF_IMAGES, _AT_LEAST_OF_IMAGES)
    for name in ("image_size", "cache_size"):
        if not _is_size(getattr(loader, name)):
            yield f"{name} must be (height, width) in pixels, or None; got {getattr(loader, name)!r}"
    if loader.cache is not None and (not isinstance(loader.cache, (str, os.PathLike)) or not os.fspath(loader.cache)):
        yield f"cache must be None, 'ram' or a directory; got {loader.cache!r}"


def _values(loader: "BaseLoader") -> Iterator[str]:
    yield from _listed(loader, _KNOWN, _AT_LEAST)
    if not _is_shard(loader.shard):
        yield f"shard must be (index, count) with 0 <= index < count, got {loader.shard}"
    bound, split = loader.max_errors, loader.validation_split
    if (
        bound is not None
        and not (_is_integer(bound) and bound >= 0)
        and not (isinstance(bound, float) and 0 <= bound <= 1)
    ):
        yield f"max_errors must be a number (int), a share from 0.0 to 1.0 (float), or None; got {bound!r}"
    if split is not None and not (isinstance(split, Real) and 0 < split < 1):
        yield f"validation_split must lie between 0 and 1, got {split!r}"
    limit = loader.limit
    if limit is not None and not ((_is_integer(limit) and limit >= 1) or (isinstance(limit, float) and 0 < limit <= 1)):
        yield f"limit must be a number of samples (int), a share above 0.0 (float), or None; got {limit!r}"
    for name in ("shuffle", "stratify", "drop_remainder"):
        if not isinstance(getattr(loader, name), bool):
            yield f"{name} must be True or False, got {getattr(loader, name)!r}"
    if not _is_integer(loader.label_offset):
        yield f"label_offset must be an integer, got {loader.label_offset!r}"


def _combinations_of_images(loader: "Loader") -> Iterator[str]:
    if loader.image_size is not None and loader.image_size[0] * loader.image_size[1] > loader.max_pixels:
        yield f"image_size={loader.image_size} has more than max_pixels={loader.max_pixels}"
    keeps_pixels = loader.cache is not None and loader.cache != "ram"
    if keeps_pixels and loader.cache_size is None and loader.image_size is None:
        yield "a cache directory keeps images of one size: give cache_size or image_size"
    if loader.workers and loader.cache == "ram":
        yield "cache='ram' keeps images in one process, and workers share none: use a cache directory, or workers=0"
    if loader.mix is not None and loader.batch_size is None:
        yield "mix needs batches, and batch_size=None delivers single samples"
    if loader.mix is not None and loader.label_mode == "int":
        yield (
            'mix gives labels of several classes at once, which label_mode="int" cannot hold: use '
            'label_mode="categorical"'
        )


def _combinations(loader: "BaseLoader") -> Iterator[str]:
    if (loader.validation_split is None) != (loader.subset is None):
        yield "validation_split and subset must be given together"
    if loader.stratify and loader.validation_split is None:
        yield "stratify needs validation_split"
    if loader.drop_remainder and loader.on_error == "skip":
        yield (
            'on_error="skip" makes batches of different sizes, which drop_remainder=True excludes; '
            'use on_error="replace"'
        )


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_shard(shard: object) -> bool:
    is_pair = isinstance(shard, Sequence) and len(shard) == 2 and all(map(_is_integer, shard))
    return is_pair and 0 <= shard[0] < shard[1]  # type: ignore[index]  # a pair of integers


def _is_size(size: object) -> bool:
    return size is None or (
        isinstance(size, Sequence)
        and not isinstance(size, str)
        and len(size) == 2
        and all(_is_integer(side) and side > 0 for side in size)
    )
