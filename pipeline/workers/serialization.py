"""A loader as data from which another process can build it: JSON, and the loader's arrays beside it.

No code travels: Albumentations serializes transforms; mixers and views are sent as class names and fields.
"""

import dataclasses
import importlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.transform import to_transform
from pipeline.base_loader import BaseLoader
from pipeline.errors import OptionError

_OWN = ("augment.", "pipeline.")
"""The packages whose dataclasses are sent as class names and fields."""


def to_json(loader: BaseLoader) -> tuple[str, list[NDArray[Any]]]:
    """Serialize a loader, with `workers` 0.

    Returns:
        JSON, and the arrays that it refers to by their indices.

    Raises:
        OptionError: an option cannot be sent to a worker process.
    """
    arrays: list[NDArray[Any]] = []
    fields = {field.name: getattr(loader, field.name) for field in dataclasses.fields(loader)}
    fields["workers"] = 0
    data = {name: _encode(value, name, arrays) for name, value in fields.items()}
    return json.dumps({"loader": _qualified_name(type(loader)), "options": data}), arrays


def from_json(description: str, arrays: Sequence[NDArray[Any]]) -> BaseLoader:
    """Build the loader that `to_json` has serialized."""
    data = json.loads(description)
    options = {name: _decode(value, arrays) for name, value in data["options"].items()}
    loader: BaseLoader = _import_class(data["loader"])(options.pop("source"), **options)
    return loader


def _encode(value: Any, option: str, arrays: list[NDArray[Any]]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return {"path": os.fspath(value)}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if option == "augment":
        return _encode_transform(value)
    if isinstance(value, (tuple, list)):
        items = [_encode(item, option, arrays) for item in value]
        return {"tuple": items} if isinstance(value, tuple) else items
    if dataclasses.is_dataclass(value) and _qualified_name(type(value)).startswith(_OWN):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {
            "object": _qualified_name(type(value)),
            "fields": {key: _encode(own, option, arrays) for key, own in fields.items()},
        }
    raise _make_error(option, f"type {type(value).__name__}")


def _encode_transform(transform: Any) -> Any:
    import albumentations as A  # noqa: N812  # its users know it by this name

    try:
        data = to_transform(transform).to_dict()
        modules = sorted({name.rpartition(".")[0] for name in _iter_class_names(data) if "." in name})
        if A.from_dict(data).to_dict() != data:
            raise ValueError("Albumentations does not restore it unchanged")
    except Exception as error:  # Albumentations raises different errors for what it cannot serialize
        raise _make_error("augment", f"{type(error).__name__}: {error}") from None
    if "__main__" in modules:
        raise _make_error("augment", "a transform is defined in the script; move it to a module")
    return {"transform": json.loads(json.dumps(data)), "modules": modules}


def _decode(value: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    match value:
        case {"path": path}:
            return Path(path)
        case {"array": index}:
            return arrays[index]
        case {"tuple": items}:
            return tuple(_decode(item, arrays) for item in items)
        case {"object": name, "fields": fields}:
            return _import_class(name)(**{key: _decode(own, arrays) for key, own in fields.items()})
        case {"transform": data, "modules": modules}:
            import albumentations as A  # noqa: N812  # its users know it by this name

            for module in modules:
                importlib.import_module(module)  # Albumentations then knows its transforms
            return A.from_dict(data)
    return value


def _iter_class_names(data: Any) -> Iterator[str]:
    """Yield the class names in what Albumentations has serialized; those of its own have no dots."""
    if isinstance(data, dict):
        if "__class_fullname__" in data:
            yield data["__class_fullname__"]
        data = list(data.values())
    if isinstance(data, (list, tuple)):
        for item in data:
            yield from _iter_class_names(item)


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _import_class(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def _make_error(option: str, reason: str) -> OptionError:
    remedy = "a module-level class, or workers=0" if option == "augment" else "workers=0"
    return OptionError(f"workers: option {option!r} cannot be sent to a worker process ({reason}); use {remedy}")
