"""Keys of texts: the forms that a caller may pass, as integers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.checks import is_integer

TextKey: TypeAlias = "tuple[int, ...] | int | np.uint64 | NDArray[np.uint64]"
"""The key of one text: (seed, epoch, index), the key of that sample in a dataset; or a key from `augment.keys`, as an
integer or an array of shape []."""


def to_key(key: TextKey) -> int:
    """Convert the key of one text to an integer.

    Raises:
        ValueError: `key` is neither a path of non-negative integers that begins with a seed, nor a key.
    """
    if type(key) is int and 0 <= key < 2**64:
        return key
    if isinstance(key, (tuple, list)) and key and all(map(_is_count, key[1:])):
        folded = _fold_root(key[0])
        for step in key[1:]:
            folded = keys.fold_one(folded, int(step))
        return folded
    value = np.asarray(key)
    if value.shape == () and value.dtype.kind in "iu" and value >= 0:
        return int(value)
    raise ValueError(f"a text's key must be (seed, epoch, index) or a key from augment.keys, got {key!r}")


def to_keys(given: Sequence[TextKey] | NDArray[np.uint64], count: int) -> list[int]:
    """Convert the keys of several texts to integers.

    Raises:
        ValueError: the numbers of keys and texts differ, or a key is not valid.
    """
    if not isinstance(given, (Sequence, np.ndarray)) or isinstance(given, (str, bytes)):
        raise ValueError(f"keys must be a sequence of keys, one per text, got {given!r}")
    if len(given) != count:
        raise ValueError(f"got {count} texts, but {len(given)} keys: pass one key per text")
    if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype == np.uint64:
        converted: list[int] = given.tolist()
        return converted
    return [to_key(key) for key in given]


def _is_count(step: Any) -> bool:
    return is_integer(step) and bool(step >= 0)


@lru_cache(maxsize=16)
def _fold_root(seed: Any) -> int:
    return int(keys.fold_in(keys.root(seed), "augment"))
