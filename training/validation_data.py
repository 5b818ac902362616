"""The validation data of an experiment, with its classes matched by name, and facts about both data sets."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline import Loader
from pipeline.images.decode import Decoder
from pipeline.sources import AlignedSource, FolderSource, Source, open_source
from training.errors import TrainingError

_log = logging.getLogger(__name__)


def open_validation(source: Any, train: Loader) -> Any:
    """Return validation data whose labels mean the classes of the training data.

    Classes are matched by name. Samples of other classes are dropped, and classes may have no sample; both are logged.
    Data without names of their own (arrays, foreign TFRecords) are matched by number.

    Args:
        source: as in `Loader`.
        train: the loader of the training samples.

    Returns:
        `source`, or an `AlignedSource`.

    Raises:
        TrainingError: no sample belongs to a class of the training data.
    """
    names = tuple(train.class_names or ())
    opened = open_source(source, max_bytes=Decoder(color_mode=train.color_mode, max_pixels=train.max_pixels).max_bytes)
    if opened.class_names == names or (_has_numbers_only(opened) and len(opened.class_names) <= len(names)):
        return source
    aligned = AlignedSource(opened, names)
    if not len(aligned):
        raise TrainingError(
            f"the validation data have none of the training classes: they have {', '.join(opened.class_names)}, "
            f"the training data {', '.join(names)}"
        )
    if aligned.dropped:
        counts = ", ".join(f"{name} ({count})" for name, count in sorted(aligned.dropped.items()))
        _log.warning(
            "dropped %d validation samples of classes that the training data lack: %s", aligned.dropped.total(), counts
        )
    if aligned.empty_classes:
        _log.warning("classes without validation samples: %s", ", ".join(aligned.empty_classes))
    return aligned


def describe_data(loader: Loader) -> dict[str, Any]:
    """Return what a loader's data lack, as JSON.

    Returns:
        "ignored_files": the number of ignored files by reason; "empty_classes": the names of classes without samples;
        "dropped_classes": the number of dropped samples by class.
    """
    names = tuple(loader.class_names or ())
    counts = count_classes(loader)
    return {
        "ignored_files": loader.ignored_files,
        "empty_classes": [name for name, count in zip(names, counts, strict=True) if not count],
        "dropped_classes": dict(loader.source.dropped) if isinstance(loader.source, AlignedSource) else {},
    }


def count_classes(loader: Loader) -> list[int]:
    """Count the samples per class of a loader's subset."""
    classes = len(loader.class_names or ())
    labels = loader.labels
    counts: list[int] = np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes).tolist()
    return counts


def format_ignored(counts: Mapping[str, int], prefix: str = "") -> str:
    """Return counts of ignored files as text, the most frequent first, after a prefix; "" if there are none."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return prefix + ", ".join(f"{count:,} {reason}" for reason, count in ordered) if ordered else ""


def _has_numbers_only(source: Source) -> bool:
    """Return whether a source's class names are merely its labels as text; the names of class-folders never are."""
    names = source.class_names
    return not isinstance(source, FolderSource) and names == tuple(map(str, range(len(names))))
