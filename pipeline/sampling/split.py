"""Splitting a dataset into a training and a validation subset, and choosing some of its samples."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.sampling.order import Indices, permute
from pipeline.sources.base import Labels

SUBSETS = ("training", "validation")


def choose_subset(size: int, fraction: float, subset: str, key: keys.Key, labels: Labels | None = None) -> Indices:
    """Choose the samples of one subset at random by the key; the two subsets of a key are complements.

    Args:
        size: the number of samples.
        fraction: the fraction of the validation subset, between 0 and 1.
        subset: "training" or "validation".
        key: the dataset's root key, shape [].
        labels: int64 [size], to split each class separately (a stratified split); None for a split of all samples.

    Returns:
        Indices, int64, in the order of the source.

    Raises:
        OptionError: the subset would be empty.
    """
    groups = [np.arange(size)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    validation = np.zeros(size, bool)
    for number, group in enumerate(groups):
        count = round(fraction * len(group))
        validation[group[_draw_indices(len(group), count, keys.fold_in(key, "split", number))]] = True
    chosen = np.flatnonzero(validation if subset == "validation" else ~validation)
    if not len(chosen):
        raise OptionError(
            f"validation_split={fraction} leaves the {subset} subset empty: the dataset has {size} samples; "
            "use another fraction"
        )
    return chosen


def limit_samples(labels: Labels, limit: float, key: keys.Key) -> Indices:
    """Choose some of the samples, so that each class keeps its fraction.

    The key orders the samples of each class, and their ranks are spread evenly over the interval from 0 to 1; the
    samples with the smallest values are chosen. So a larger limit chooses all that a smaller one does.

    Args:
        labels: int64 [N].
        limit: the number of samples: a count (int), or a fraction of them (float).
        key: the dataset's root key, shape [].

    Returns:
        Indices into `labels`, int64, ascending.

    Raises:
        OptionError: there are fewer samples, or the fraction is less than one sample.
    """
    count = round(limit * len(labels)) if isinstance(limit, float) else int(limit)
    if not 0 < count <= len(labels):
        raise OptionError(
            f"limit={limit} is out of range for {len(labels)} samples; use 1 to {len(labels)}, or a fraction in (0, 1]"
        )
    class_ranks = np.empty(len(labels))
    for label in np.unique(labels):
        group = np.flatnonzero(labels == label)
        ranks = permute(np.arange(len(group)), len(group), keys.fold_in(key, "limit", int(label) + 1))
        class_ranks[group] = (ranks + 0.5) / len(group)
    ties = keys.fold_in(key, "limit ties", labels + 1)  # else classes of one size would always have the same order
    return np.sort(np.lexsort((ties, class_ranks))[:count])


def _draw_indices(size: int, count: int, key: keys.Key) -> NDArray[np.int64]:
    return permute(np.arange(count), size, key)


def partition(
    size: int, fractions: Mapping[str, float], key: keys.Key, labels: Labels | None = None
) -> dict[str, Indices]:
    """Divide samples among splits at random by the key; each sample is in one split.

    Args:
        size: the number of samples.
        fractions: the fraction of each split; they add up to 1.
        key: the dataset's root key, shape [].
        labels: int64 [size], to divide each class separately; None to divide all samples together.

    Returns:
        The indices of each split, int64, in the order of the source.

    Raises:
        OptionError: a split would be empty.
    """
    groups = [np.arange(size)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    owner = np.zeros(size, np.int64)
    ends = np.cumsum(list(fractions.values()))[:-1]
    for number, group in enumerate(groups):
        ranks = permute(np.arange(len(group)), len(group), keys.fold_in(key, "partition", number))
        owner[group[ranks]] = np.searchsorted(np.rint(ends * len(group)), np.arange(len(group)), side="right")
    splits = {name: np.flatnonzero(owner == number) for number, name in enumerate(fractions)}
    if empty := [name for name, indices in splits.items() if not len(indices)]:
        raise OptionError(
            f"split={dict(fractions)} leaves {empty[0]!r} empty: the dataset has {size} samples; use other fractions"
        )
    return splits
