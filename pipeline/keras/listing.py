"""List, label and split the files of a directory as Keras does, with messages in Keras's words.

The order of the files, and the split for a seed, are Keras's: a model trained on Keras's training subset has the same
validation subset here. Keras shuffles the list with its own generator, `numpy.random.RandomState(seed)`, and takes the
validation subset from the end.
"""

import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OptionError, SourceError
from pipeline.images.formats import DECODED_EXTENSIONS, UNDECODED_EXTENSIONS
from pipeline.keras.checks import check_class_names, check_validation_split, read_path
from pipeline.sources.base import warn_once
from pipeline.sources.folder_report import (
    describe_ignored,
    describe_level,
    get_extension,
    get_ignored_reason,
    is_hidden,
    join_facts,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabeledFiles:
    """Files and their labels.

    Attributes:
        root: path of the directory.
        keys: paths of the files relative to the directory.
        labels: one label per file, an array [N] of any type; None without labels.
        class_names: class names in the order of their labels; None without labels.
    """

    root: str
    keys: list[str]
    labels: NDArray[Any] | None
    class_names: list[str] | None

    @property
    def paths(self) -> list[str]:
        """The paths of the files, as in Keras."""
        return [os.path.join(self.root, key) for key in self.keys]

    def slice(self, start: int, stop: int) -> "LabeledFiles":
        """Return a range of the files."""
        labels = None if self.labels is None else self.labels[start:stop]
        return LabeledFiles(self.root, self.keys[start:stop], labels, self.class_names)


@dataclass(frozen=True, kw_only=True)
class Labeling:
    """The labels and their form: Keras's arguments of these names."""

    labels: Any
    label_mode: Any
    class_names: Any

    def __post_init__(self) -> None:
        if not (self.labels is None or isinstance(self.labels, (list, tuple)) or _is_inferred(self.labels)):
            raise OptionError(
                '`labels` argument should be "inferred" (from the subfolders), None, or a list or tuple with one label '
                f"per file; got {self.labels!r}"
            )
        check_class_names("class_names", self.class_names)
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
        """The label mode; None without labels."""
        return None if self.labels is None else self.label_mode

    @property
    def is_inferred(self) -> bool:
        """Whether the subdirectories are the classes."""
        return self.mode is not None and _is_inferred(self.labels)


def check_split(validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    """Refuse a split that Keras refuses.

    Raises:
        OptionError: Keras refuses it.
    """
    validation_split = check_validation_split(validation_split)
    if bool(validation_split) != bool(subset):
        raise OptionError(
            f"if `subset` is set, `validation_split` must be set, and vice versa; got {validation_split=}, {subset=}"
        )
    if subset not in ("training", "validation", "both", None):
        raise OptionError(f'`subset` must be either "training", "validation" or "both"; got {subset!r}')
    if validation_split and shuffle and seed is None:
        raise OptionError(
            "to split a shuffled dataset you must provide a `seed`, or the subsets would overlap; got seed=None"
        )


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
        directory: class-folder directory if labels are inferred; else any directory, listed with all its subfolders.
        labeling: labels and their form.
        extensions: extensions of the files in lower case, with dots.
        follow_links: enter folders that are symbolic links.
        verbose: print the number of files and classes, as Keras does.

    Raises:
        OptionError: the labels or class names do not match the directory.
        SourceError: the directory cannot be listed.
    """
    root = read_path("directory", directory)
    if not os.path.isdir(root):
        raise SourceError(f"{root} is not a directory")
    if not labeling.is_inferred:
        return _list_without_folders(root, labeling, extensions, follow_links, verbose)
    ignored: Counter[str] = Counter()
    folders = list_class_folders(root, ignored)
    if labeling.class_names is not None and (unknown := set(labeling.class_names) - set(folders)):
        raise OptionError(
            f"the `class_names` passed did not match the subfolders of {root}: {sorted(unknown)} not in {folders}"
        )
    class_names = folders if labeling.class_names is None else list(labeling.class_names)
    keys: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = [f"{name}/{key}" for key in walk_files(os.path.join(root, name), extensions, follow_links, ignored)]
        keys += found
        labels += [label] * len(found)
    _print(verbose, f"Found {len(keys)} files belonging to {len(class_names)} classes.")
    used = set(labels)
    warn_empty_classes(root, [name for label, name in enumerate(class_names) if label not in used])
    warn_of_directory(root, ignored, keys, None if labeling.class_names else class_names)
    return LabeledFiles(root, keys, np.array(labels, np.int32), class_names)


def _list_without_folders(
    root: str, labeling: Labeling, extensions: tuple[str, ...], follow_links: bool, verbose: bool
) -> LabeledFiles:
    if labeling.class_names is not None:
        raise OptionError(
            f'`class_names` needs labels="inferred" and a label_mode; got labels={labeling.labels!r}, '
            f"label_mode={labeling.label_mode!r}"
        )
    ignored: Counter[str] = Counter()
    keys = list(walk_files(root, extensions, follow_links, ignored))
    warn_of_directory(root, ignored, keys, None)
    if labeling.mode is None:
        _print(verbose, f"Found {len(keys)} files.")
        return LabeledFiles(root, keys, None, None)
    if len(labeling.labels) != len(keys):
        raise OptionError(
            f"Expected the lengths of `labels` to match the number of files: {root} has {len(keys)} files that are not "
            f"hidden, got {len(labeling.labels)} labels"
        )
    labels = _read_labels(labeling.labels, labeling.mode)
    class_names = [str(label) for label in sorted(set(labeling.labels))]
    _print(verbose, f"Found {len(keys)} files belonging to {len(class_names)} classes.")
    return LabeledFiles(root, keys, labels, class_names)


def list_class_folders(root: str, ignored: Counter[str]) -> list[str]:
    """List the class folders of a directory, sorted; count in `ignored` what else it holds."""
    folders = []
    with os.scandir(root) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                ignored["hidden"] += 1
            elif entry.is_dir():
                folders.append(entry.name)
            else:
                ignored["outside the class folders"] += 1
    return sorted(folders)


def walk_files(
    folder: str, extensions: tuple[str, ...], follow_links: bool, ignored: Counter[str] | None = None
) -> Iterator[str]:
    """Yield the paths of a folder's files in Keras's order, relative to the folder, with "/" as separator.

    Unlike Keras, hidden files and folders are skipped.

    Args:
        folder: the folder.
        extensions: extensions of the files in lower case, with dots.
        follow_links: enter folders that are symbolic links.
        ignored: counts the ignored files by reason; None counts none.
    """
    ignored = Counter() if ignored is None else ignored
    for path, _, names in sorted(_walk_visible(folder, follow_links, ignored)):
        relative = Path(path).relative_to(folder).as_posix()
        for name in sorted(names):
            if is_hidden(name):
                ignored["hidden"] += 1
            elif name.lower().endswith(extensions):
                yield name if relative == "." else f"{relative}/{name}"
            else:
                ignored[_get_reason(name, extensions)] += 1


def _get_reason(name: str, extensions: tuple[str, ...]) -> str:
    """Say why Keras does not read a file: another extension of an image is no fault of the file."""
    if ".txt" in extensions:
        return get_ignored_reason(name, "a text")
    extension = get_extension(name)
    is_image = extension in DECODED_EXTENSIONS or extension in UNDECODED_EXTENSIONS
    return f"not read as in Keras: {extension}" if is_image else get_ignored_reason(name, "an image")


def warn_of_directory(root: str, ignored: Counter[str], keys: Sequence[str], class_names: Sequence[str] | None) -> None:
    """Log one warning about ignored files, and about a directory that looks one level too high.

    Args:
        root: path of the directory.
        ignored: the number of ignored files by reason.
        keys: paths of the files relative to the directory, by class.
        class_names: the classes, if they are the subfolders; None for chosen classes or none.
    """
    facts = [describe_ignored(ignored)]
    if class_names is not None and keys:
        facts.append(describe_level(root, class_names, keys[0].partition("/")[0], keys))
    warn_once(_log, join_facts(root, facts))


def warn_empty_classes(root: str, class_names: Sequence[str]) -> None:
    """Warn of classes without files, which shift no label and have no sample."""
    if class_names:
        warnings.warn(f"classes without files in {root}: {', '.join(class_names)}", stacklevel=4)


def shuffle_files(listing: LabeledFiles, seed: int) -> LabeledFiles:
    """Shuffle the files as Keras does before it splits them."""
    order = list(range(len(listing.keys)))
    np.random.RandomState(seed % 2**32).shuffle(order)
    labels = None if listing.labels is None else listing.labels[order]
    return LabeledFiles(listing.root, [listing.keys[index] for index in order], labels, listing.class_names)


def split_listing(
    listing: LabeledFiles, validation_split: float | None, subset: str | None, verbose: bool
) -> list[LabeledFiles]:
    """Return the requested subset; for "both", the training and the validation subset."""
    size = len(listing.keys)
    if not validation_split:
        return [listing]
    first = size - int(validation_split * size)
    bounds = {"training": (0, first), "validation": (first, size)}
    subsets: Sequence[str] = ("training", "validation") if subset == "both" else (subset or "",)
    for name in subsets:
        start, stop = bounds[name]
        _print(verbose, f"Using {stop - start} files for {name}.")
    return [listing.slice(*bounds[name]) for name in subsets]


def _walk_visible(folder: str, follow_links: bool, ignored: Counter[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    for path, folders, names in os.walk(folder, followlinks=follow_links):
        visible = [name for name in folders if not is_hidden(name)]
        if len(visible) < len(folders):
            ignored["hidden"] += len(folders) - len(visible)
        folders[:] = visible
        yield path, folders, names


def _read_labels(labels: Sequence[Any], label_mode: str | None) -> NDArray[Any]:
    """Return an explicit list of labels as an array of the type that Keras yields.

    Raises:
        OptionError: the labels have different types, or do not suit the label mode.
    """
    import tensorflow as tf

    try:
        array: NDArray[Any] = tf.convert_to_tensor(list(labels)).numpy()
        sorted(set(labels))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"`labels` must be hashable values of one type, got {list(labels)[:3]!r}, ...: {error}"
        ) from None
    kinds = {"categorical": "ui", "binary": "buif"}.get(label_mode or "")
    if kinds and (array.dtype.kind not in kinds or (label_mode == "categorical" and array.ndim > 1)):
        allowed = "integer" if label_mode == "categorical" else "numeric"
        raise OptionError(
            f'label_mode="{label_mode}" needs {allowed} labels, got {array.dtype} of shape {array.shape}; '
            'use label_mode="int", which yields the values of `labels`'
        )
    return array


def _is_inferred(labels: object) -> bool:
    return isinstance(labels, str) and labels == "inferred"


def _print(verbose: bool, message: str) -> None:
    if verbose:  # as in Keras, on standard output
        sys.stdout.write(f"{message}\n")
