"""Descriptions for fingerprints and manifests: what Albumentations serializes, and what that leaves out."""

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from augment import contents

_log = logging.getLogger(__name__)
_warned: set[str] = set()


def describe(transform: Any) -> dict[str, Any]:
    """Describe a transform or composition: equal descriptions mean equal pixels for equal keys.

    The description is that of Albumentations if the transform can be rebuilt from it exactly. Otherwise it also has a
    digest of the transform's contents, under "contents". It can be written as JSON, and contains no address.

    What has no contents, such as an object of a C extension, is logged once: pipelines that differ in nothing else have
    equal descriptions.
    """
    found = contents.read(transform)
    _warn_of_unknown(found.unknown)
    try:
        data: dict[str, Any] = transform.to_dict()
    except Exception:  # Albumentations raises different errors for what it cannot serialize
        data = {}
    if not data or not _is_plain(data):
        return {"transforms": list(_iter_names(transform)), "contents": found.digest}
    return data if not found.has_code and _restore(data) == found.data else data | {"contents": found.digest}


def identify(value: Any) -> Any:
    """Return what names an object in a fingerprint, by its `repr`: itself, or a digest if its class is the user's."""
    found = contents.read(value)
    _warn_of_unknown(found.unknown)
    return found.digest if found.has_code else value


def digest(value: Any) -> str:
    """Return a digest of an object's contents; log what has none, as `describe` does."""
    found = contents.read(value)
    _warn_of_unknown(found.unknown)
    return found.digest


def _restore(data: dict[str, Any]) -> Any:
    """Return the contents of what Albumentations builds from a description; None if it cannot."""
    import albumentations

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user has seen them when the original was made
            return contents.read(albumentations.from_dict(copy.deepcopy(data))).data
    except Exception:  # as above
        return None


def _is_plain(data: Any) -> bool:
    """Whether JSON and `repr` show the whole of a description, alike in every process."""
    if isinstance(data, dict):
        return all(isinstance(name, str) for name in data) and all(map(_is_plain, data.values()))
    if isinstance(data, (list, tuple)):
        return all(map(_is_plain, data))
    try:
        json.dumps(data)
    except TypeError:
        return False
    return True


def _iter_names(transform: Any) -> Iterator[str]:
    """Yield the class names of a composition and of its parts, parents first."""
    yield type(transform).__name__
    for child in getattr(transform, "transforms", ()):
        yield from _iter_names(child)


def _warn_of_unknown(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in _warned:
            _warned.add(name)
            _log.warning(
                "fingerprint: objects of type %s cannot be told apart: pipelines that differ in nothing else have "
                "equal fingerprints, so that a resumed run does not notice the change",
                name,
            )
