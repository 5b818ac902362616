"""Which files a Keras-shaped directory function takes, with which labels, and how it splits them.

The order of the files is Keras's own, and so is the split for a given seed: a model that was trained on Keras's
training part meets the same validation part here. Keras shuffles the list by `numpy.random.RandomState(seed)`, a
generator of its own, and cuts the validation part off the end.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import OptionError, SourceError


@dataclass(frozen=True)
class LabeledFiles:
    """Files and their labels.

    Attributes:
        root: the directory.
        keys: the files' paths relative to it.
        labels: one a file; None where there are none.
        class_names: in the order of their labels; None where there are no labels.
    """

    root: str
    keys: list[str]
    labels: list[int] | None
    class_names: list[str] | None

    @property
    def paths(self) -> list[str]:
        """The files' paths, as Keras gives them."""
        return [os.path.join(self.root, key) for key in self.keys]

    def cut(self, start: int, stop: int) -> "LabeledFiles":
        """Take a part."""
        labels = None if self.labels is None else self.labels[start:stop]
        return LabeledFiles(self.root, self.keys[start:stop], labels, self.class_names)


@dataclass(frozen=True, kw_only=True)
class Labeling:
    """Where labels come from and how they are written; Keras's arguments of these names."""

    labels: Any
    label_mode: Any
    class_names: Any

    def __post_init__(self) -> None:
        if not (self.labels is None or isinstance(self.labels, (list, tuple)) or _is_inferred(self.labels)):
            raise OptionError(
                '`labels` argument should be "inferred" (from the subdirectories), None, or a list or tuple of integer '
                f"labels, one a file; got {self.labels!r}"
            )
        if isinstance(self.labels, (list, tuple)) and self.class_names:
            raise OptionError(
                f'you can only pass `class_names` if `labels="inferred"`; got labels={self.labels!r} and '
                f"class_names={self.class_names!r}"
            )
        if self.label_mode not in ("int", "categorical", "binary", None):
            raise OptionError(
                f'`label_mode` argument must be "int", "categorical", "binary" or None; got {self.label_mode!r}'
            )

    @property
    def mode(self) -> str | None:
        """The label mode; None where there are no labels."""
        return None if self.labels is None else self.label_mode

    @property
    def is_inferred(self) -> bool:
        """Whether the subdirectories are the classes."""
        return self.mode is not None and _is_inferred(self.labels)


def check_split(validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    """Refuse what Keras refuses.

    Raises:
        OptionError: with Keras's reasons.
    """
    if validation_split and not 0 < validation_split < 1:
        raise OptionError(f"`validation_split` must be between 0 and 1, got {validation_split}")
    if bool(validation_split) != bool(subset):
        raise OptionError("if `subset` is set, `validation_split` must be set, and the other way round")
    if subset not in ("training", "validation", "both", None):
        raise OptionError(f'`subset` must be either "training", "validation" or "both"; got {subset!r}')
    if validation_split and shuffle and seed is None:
        raise OptionError("to split a shuffled dataset you must provide a `seed`: without it the parts would overlap")


def list_files(
    directory: str | os.PathLike[str],
    labeling: Labeling,
    extensions: tuple[str, ...],
    *,
    follow_links: bool = False,
    verbose: bool = False,
) -> LabeledFiles:
    """List the files below a directory in Keras's order: by folder, then by name.

    Args:
        directory: holds one subfolder a class where labels are inferred; else everything below it is listed.
        labeling: says which.
        extensions: lower case, with their dots.
        follow_links: enters folders that are symbolic links.
        verbose: writes what was found to standard output, as Keras does.

    Raises:
        OptionError: the labels or class names do not fit the directory.
        SourceError: it cannot be listed.
    """
    root = os.fspath(directory)
    if not os.path.isdir(root):
        raise SourceError(f"{root} is no directory")
    if not labeling.is_inferred:
        return _list_without_folders(root, labeling, extensions, follow_links, verbose)
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    if labeling.class_names is not None and (unknown := set(labeling.class_names) - set(folders)):
        raise OptionError(
            f"the `class_names` passed did not match the subdirectories of {root}: there is no {sorted(unknown)} among "
            f"{folders}"
        )
    class_names = folders if labeling.class_names is None else list(labeling.class_names)
    keys: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = [f"{name}/{key}" for key in walk_files(os.path.join(root, name), extensions, follow_links)]
        keys += found
        labels += [label] * len(found)
    _say(verbose, f"Found {len(keys)} files belonging to {len(class_names)} classes.")
    return LabeledFiles(root, keys, labels, class_names)


def _list_without_folders(
    root: str, labeling: Labeling, extensions: tuple[str, ...], follow_links: bool, verbose: bool
) -> LabeledFiles:
    if labeling.class_names is not None:
        raise OptionError(
            "`class_names` names subdirectories, which are no classes with labels=None or label_mode=None"
        )
    keys = list(walk_files(root, extensions, follow_links))
    if labeling.mode is None:
        _say(verbose, f"Found {len(keys)} files.")
        return LabeledFiles(root, keys, None, None)
    labels = [int(label) for label in labeling.labels]
    if len(labels) != len(keys):
        raise OptionError(
            f"Expected the lengths of `labels` to match the number of files in {root}: there are {len(labels)} labels "
            f"and {len(keys)} files"
        )
    class_names = [str(label) for label in sorted(set(labels))]
    _say(verbose, f"Found {len(keys)} files belonging to {len(class_names)} classes.")
    return LabeledFiles(root, keys, labels, class_names)


def walk_files(folder: str, extensions: tuple[str, ...], follow_links: bool) -> Iterator[str]:
    """Walk a folder: the paths relative to it, with "/" between their parts."""
    for path, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        relative = Path(path).relative_to(folder).as_posix()
        for name in sorted(names):
            if name.lower().endswith(extensions):
                yield name if relative == "." else f"{relative}/{name}"


def shuffle_files(listing: LabeledFiles, seed: int) -> LabeledFiles:
    """Shuffle a list as Keras does before it splits it."""
    order = list(range(len(listing.keys)))
    np.random.RandomState(seed % 2**32).shuffle(order)
    labels = None if listing.labels is None else [listing.labels[place] for place in order]
    return LabeledFiles(listing.root, [listing.keys[place] for place in order], labels, listing.class_names)


def split_listing(
    listing: LabeledFiles, validation_split: float | None, subset: str | None, verbose: bool
) -> list[LabeledFiles]:
    """Cut the parts that were asked for: one, or under "both" the training and the validation part."""
    size = len(listing.keys)
    if not validation_split:
        return [listing]
    first = size - int(validation_split * size)
    parts = {"training": (0, first), "validation": (first, size)}
    wanted: Sequence[str] = ("training", "validation") if subset == "both" else (subset or "",)
    for part in wanted:
        start, stop = parts[part]
        _say(verbose, f"Using {stop - start} files for {part}.")
    return [listing.cut(*parts[part]) for part in wanted]


def _is_inferred(labels: object) -> bool:
    return isinstance(labels, str) and labels == "inferred"


def _say(verbose: bool, message: str) -> None:
    if verbose:  # Keras prints, and has an argument for it
        sys.stdout.write(f"{message}\n")
