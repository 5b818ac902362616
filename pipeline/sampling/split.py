"""Which samples belong to the training part of a dataset, and which to the validation part."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.sampling.order import Indices, permute
from pipeline.sources.base import Labels

SUBSETS = ("training", "validation")


def choose_subset(size: int, fraction: float, subset: str, key: keys.Key, labels: Labels | None = None) -> Indices:
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
        validation[group[_draw_indices(len(group), count, keys.fold_in(key, "split", number))]] = True
    chosen = np.flatnonzero(validation if subset == "validation" else ~validation)
    if not len(chosen):
        raise OptionError(f"validation_split={fraction} of {size} samples leaves the {subset} part empty")
    return chosen


def limit_samples(labels: Labels, limit: float, key: keys.Key) -> Indices:
    """Choose some of the samples, so that each class keeps its share of them.

    The samples of each class are put in an order by the key and spread evenly over the interval from 0 to 1; the
    first of all that stand there are chosen. So what a smaller limit chooses is part of what a larger one does.

    Args:
        labels: int64 [N].
        limit: how many: a count (int), or a fraction of them (float).
        key: the dataset's root key, shape [].

    Returns:
        Places in `labels`, int64, ascending.

    Raises:
        OptionError: there are fewer samples, or the fraction is less than one sample.
    """
    count = round(limit * len(labels)) if isinstance(limit, float) else int(limit)
    if not 0 < count <= len(labels):
        raise OptionError(
            f"limit={limit} is out of range for {len(labels)} samples; use 1 to {len(labels)}, or a fraction in (0, 1]"
        )
    places = np.empty(len(labels))
    for label in np.unique(labels):
        group = np.flatnonzero(labels == label)
        ranks = permute(np.arange(len(group)), len(group), keys.fold_in(key, "limit", int(label) + 1))
        places[group] = (ranks + 0.5) / len(group)
    ties = keys.fold_in(key, "limit ties", labels + 1)  # or classes of one size would always come in the same order
    return np.sort(np.lexsort((ties, places))[:count])


def _draw_indices(size: int, count: int, key: keys.Key) -> NDArray[np.int64]:
    return permute(np.arange(count), size, key)


def partition(
    size: int, shares: Mapping[str, float], key: keys.Key, labels: Labels | None = None
) -> dict[str, Indices]:
    """Share samples out among parts, at random by the key; each sample is in one part.

    Args:
        size: the number of samples.
        shares: of the parts, which add up to 1.
        key: the dataset's root key, shape [].
        labels: int64 [size]; where given, each class is shared out by itself.

    Returns:
        For each part int64, ascending: the order of the source is kept.

    Raises:
        OptionError: a part would be empty.
    """
    groups = [np.arange(size)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    owner = np.zeros(size, np.int64)
    ends = np.cumsum(list(shares.values()))[:-1]
    for number, group in enumerate(groups):
        ranks = permute(np.arange(len(group)), len(group), keys.fold_in(key, "partition", number))
        owner[group[ranks]] = np.searchsorted(np.rint(ends * len(group)), np.arange(len(group)), side="right")
    parts = {name: np.flatnonzero(owner == place) for place, name in enumerate(shares)}
    if empty := [name for name, choose_subset in parts.items() if not len(choose_subset)]:
        raise OptionError(f"a split of {size} samples into {dict(shares)} leaves {empty[0]!r} empty")
    return parts
