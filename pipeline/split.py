"""Which samples belong to the training part of a dataset, and which to the validation part."""

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.order import Indices, permute
from pipeline.sources.base import Labels

SUBSETS = ("training", "validation")


def members(size: int, fraction: float, subset: str, key: keys.Key, labels: Labels | None = None) -> Indices:
    """Choose the samples of one part, at random by the key; the two parts of a key are complements.

    Args:
        size: the number of samples.
        fraction: the validation part's share, between 0 and 1.
        subset: "training" or "validation".
        key: the dataset's root key, shape [].
        labels: int64 [size]; where given, each class is split by itself (a stratified split).

    Returns:
        int64, ascending: the order of the source is kept.

    Raises:
        OptionError: a part would be empty.
    """
    groups = [np.arange(size)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    validation = np.zeros(size, bool)
    for number, group in enumerate(groups):
        count = round(fraction * len(group))
        validation[group[_drawn(len(group), count, keys.fold_in(key, "split", number))]] = True
    chosen = np.flatnonzero(validation if subset == "validation" else ~validation)
    if not len(chosen):
        raise OptionError(f"validation_split={fraction} of {size} samples leaves the {subset} part empty")
    return chosen


def _drawn(size: int, count: int, key: keys.Key) -> NDArray[np.int64]:
    return permute(np.arange(count), size, key)
