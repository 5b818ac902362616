"""Augmentations in files: JSON and YAML, as `albumentations.save` writes them."""

import os
from collections.abc import Iterator
from numbers import Integral
from typing import Any, cast

from augment.errors import TransformError

MAX_PIXELS = 89_478_485
"""Largest size of an image that a loaded transform may make, the default of a Loader's `max_pixels`."""

_MAX_COUNT = 4096
_COUNTS = (
    *("num_holes_range", "holes_number_xy", "num_steps", "num_grid_xy", "grid", "n_segments"),
    *("num_masks_x", "num_masks_y"),
)
"""Numbers of holes, cells and the like, for each of which a transform allocates memory."""

_SIDES = ("height", "width", "size", "max_size", "max_size_hw", "min_height", "min_width")
_MAX_SIDE = 2**15 - 1
"""Longest side of an image that OpenCV warps."""


def load(path: str | os.PathLike[str]) -> Any:
    """Read an augmentation that `albumentations.save` wrote.

    Args:
        path: a file, `.yaml` or `.yml` for YAML, anything else for JSON.

    Returns:
        An Albumentations transform or composition.

    Raises:
        TransformError: the file cannot be read, does not contain an Albumentations transform, or asks for more holes,
            cells or pixels than any image has use for.
    """
    import albumentations

    # Importing Caudal's own transforms registers them with Albumentations.
    import augment.backgrounds
    import augment.policies.aug_mix_transform
    import augment.policies.pillow
    import augment.policies.sharpness  # noqa: F401

    name = os.fspath(path)
    data_format = "yaml" if name.endswith((".yaml", ".yml")) else "json"
    try:
        transform = albumentations.load(name, data_format=cast(Any, data_format))
    except Exception as error:  # Albumentations raises different errors for different faults of a file
        raise TransformError(
            f"cannot load a transform from {name} ({type(error).__name__}: {error}); write the file with "
            f"albumentations.save(transform, path, data_format={data_format!r})"
        ) from error
    _check_bounds(name, transform)
    return transform


def _check_bounds(name: str, transform: Any) -> None:
    """Check what a transform would allocate: a file is input, and may ask for a grid of 10^10 cells."""
    for option, largest in (*dict.fromkeys(_COUNTS, _MAX_COUNT).items(), *dict.fromkeys(_SIDES, _MAX_SIDE).items()):
        numbers = list(_iter_integers(getattr(transform, option, None)))
        if max(numbers, default=0) > largest:
            raise TransformError(
                f"{name}: {type(transform).__name__}: {option} must be at most {largest}, got {max(numbers)}"
            )
    sides = [list(_iter_integers(getattr(transform, option, None))) for option in ("height", "width")]
    size = list(_iter_integers(getattr(transform, "size", None))) if not all(sides) else [sides[0][0], sides[1][0]]
    if len(size) == 2 and size[0] * size[1] > MAX_PIXELS:
        raise TransformError(
            f"{name}: {type(transform).__name__} makes images of {size[0]} x {size[1]} pixels, more than {MAX_PIXELS}"
        )
    for child in getattr(transform, "transforms", ()):
        _check_bounds(name, child)


def _iter_integers(value: Any) -> Iterator[int]:
    if isinstance(value, Integral):
        yield int(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _iter_integers(item)
