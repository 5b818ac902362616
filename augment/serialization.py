"""Augmentations in files: JSON and YAML, as `albumentations.save` writes them."""

import inspect
import json
import os
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import albumentations
import yaml
from albumentations.core.serialization import SERIALIZABLE_REGISTRY, shorten_class_name
from pydantic import ValidationError

from augment.errors import TransformError
from augment.regular_files import read_regular_file
from augment.stored_files import get_value, name_damage

MAX_PIXELS = 89_478_485
"""Largest size of an image that a loaded transform may make, the default of a Loader's `max_pixels`."""

_MAX_COUNT = 4096
_COUNTS = (
    *("num_holes_range", "holes_number_xy", "num_steps", "num_grid_xy", "grid", "n_segments"),
    *("num_masks_x", "num_masks_y"),
)
"""Numbers of holes, cells and the like, for each of which a transform allocates memory."""

_SIDES = ("height", "width", "size", "max_size", "max_size_hw", "min_height", "min_width")
_MAX_VALUES = 100_000
"""Largest number of values in a file, those of nested lists and objects included."""

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
    # Importing Caudal's own transforms registers them with Albumentations.
    import augment.backgrounds
    import augment.policies.aug_mix_transform
    import augment.policies.pillow
    import augment.policies.sharpness  # noqa: F401

    name = os.fspath(path)
    data_format = "yaml" if name.endswith((".yaml", ".yml")) else "json"
    remedy = f"write the file with albumentations.save(transform, path, data_format={data_format!r})"
    with name_damage(name, "an Albumentations transform", TransformError, remedy):
        text = read_regular_file(name).decode()
        values = _read_yaml(text) if data_format == "yaml" else json.loads(text)
        _check_count(values)
        _check_structure(get_value({"the file": values}, "the file", dict)["transform"])
        transform = _build(values)
    _check_bounds(name, transform)
    return transform


def _read_yaml(text: str) -> Any:
    loader = _YamlLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _YamlLoader(yaml.SafeLoader):  # type: ignore[misc]  # it ships no types
    """Reads YAML without merge keys (`<<`), which Albumentations does not write: some of them make any number."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave the key as it is; it has no constructor, and is refused."""


def _check_count(values: Any) -> None:
    """Check how many values a file has: aliases in YAML multiply them, and each transform is built."""
    count, rest = 0, [values]
    while rest:
        value = rest.pop()
        count += 1
        if count > _MAX_VALUES:
            raise ValueError(f"it describes more than {_MAX_VALUES} values")
        rest.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _check_structure(value: Any) -> None:
    """Check that a value describes a transform, and those in it: a known class, and its arguments."""
    if not isinstance(value, dict):
        raise ValueError(f"'transform' must be an object, got {value!r:.60}")
    name = get_value(value, "__class_fullname__", str)
    if (kind := SERIALIZABLE_REGISTRY.get(shorten_class_name(name))) is None:
        raise ValueError(f"{name[:60]!r} is not a transform of this version of Albumentations")
    if "p" not in value and name not in ("Compose", "Sequential"):
        raise ValueError(f"{name} has no 'p', its probability")
    if "InitSchema" in vars(kind):
        _check_arguments(name, kind, value)
        value["strict"] = True  # else it replaces all arguments by its defaults if some are invalid
    for child in get_value(value, "transforms", list, []):
        _check_structure(child)


def _check_arguments(name: str, kind: type, value: dict[str, Any]) -> None:
    """Refuse arguments that no class of a transform has: Albumentations ignores them.

    Those of a base class are removed: Albumentations writes them, too, and ignores them when it reads.
    """
    own = inspect.signature(kind).parameters
    inherited = {
        argument
        for base in kind.__mro__
        if "__init__" in vars(base)
        for argument in inspect.signature(vars(base)["__init__"]).parameters
    }
    for argument in value.keys() - own.keys() - {"__class_fullname__"}:
        if argument not in inherited:
            raise ValueError(f"{name} has no argument {argument[:60]!r}")
        del value[argument]


def _build(values: dict[str, Any]) -> Any:
    """Build a transform.

    Raises:
        ValueError: an argument is invalid.
    """
    try:
        return albumentations.from_dict(values)
    except ValueError as error:
        if not isinstance(error.__context__, ValidationError):
            raise
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}, got {fault['input']!r:.60}"
            for fault in error.__context__.errors()
        ]
        raise ValueError("; ".join(faults[:3])) from None


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
