"""`text_dataset_from_directory` with Keras's arguments."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.feeds import graph
from pipeline.feeds.graph import EpochCounter
from pipeline.keras.image_directory import (
    check_batch_size,
    check_binary,
    check_not_empty,
    is_positive_integer,
    resolve_seed,
)
from pipeline.keras.listing import LabeledFiles, Labeling, check_split, list_files, shuffle_files, split_listing
from pipeline.sampling.order import Order

if TYPE_CHECKING:
    import tensorflow as tf

EXTENSIONS = (".txt",)


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",  # noqa: A002  # Keras's name for it
    verbose: bool = True,
) -> "tf.data.Dataset | list[tf.data.Dataset]":
    """Make a dataset of the text files in a directory: `keras.utils.text_dataset_from_directory`, reproducible.

    All arguments, their defaults, and what is delivered are Keras 3.15's; docs/keras.md lists the differences. With the
    same seed the training and validation parts are Keras's own.

    Args:
        directory: one subfolder a class, or any folder where there are no labels or a list of them.
        labels: "inferred", None, or integers, one a file in alphanumeric order.
        label_mode: "int" (int32 [B]), "categorical" (one-hot float32 [B, classes]), "binary" (float32 [B, 1]) or None.
        class_names: the classes in the order of their labels; by default all subfolders, sorted.
        batch_size: None delivers single samples.
        max_length: bytes of a text that are kept; None keeps all.
        shuffle: a new order of all samples in each epoch.
        seed: of the split and the order; None draws one.
        validation_split: the validation part's share.
        subset: "training", "validation", or "both" (a list of two datasets).
        follow_links: enters folders that are symbolic links.
        format: "tf"; there is no "grain" here.
        verbose: writes what was found to standard output.

    Returns:
        A `tf.data.Dataset` of texts, strings [B], and labels, with `class_names`. Iterating it again gives the next
        epoch.

    Raises:
        OptionError: an argument is wrong, for Keras's reasons and in its words.
        SourceError: the directory cannot be listed.
    """
    labeling = Labeling(labels=labels, label_mode=label_mode, class_names=class_names)
    if format != "tf":
        raise OptionError(f'`format` should be "tf"; got {format!r} (Keras itself makes Grain datasets)')
    check_split(validation_split, subset, shuffle, seed)
    check_batch_size(batch_size)
    if max_length is not None and not is_positive_integer(max_length):
        raise OptionError(f"`max_length` must be a number of bytes of at least 1, or None; got {max_length!r}")
    seed = resolve_seed(seed)
    listing = list_files(directory, labeling, EXTENSIONS, follow_links=follow_links, verbose=verbose)
    check_binary(labeling, listing)
    if shuffle:
        listing = shuffle_files(listing, seed)
    parts = split_listing(listing, validation_split, subset, verbose)
    for part in parts:
        check_not_empty(part, "text files", EXTENSIONS)
    orders = [Order(size=len(part.keys), key=keys.root(seed), shuffle=shuffle) for part in parts]
    if subset == "both":
        orders[1] = Order(size=len(parts[1].keys), key=keys.root(seed), shuffle=False)
    datasets = [
        _build_dataset(part, order, labeling.mode, batch_size, max_length)
        for part, order in zip(parts, orders, strict=True)
    ]
    return datasets if subset == "both" else datasets[0]


def _build_dataset(
    listing: LabeledFiles, order: Order, label_mode: str | None, batch_size: int | None, max_length: int | None
) -> "tf.data.Dataset":
    """Build `order -> read -> label -> batch`; each iteration takes the next epoch."""
    import tensorflow as tf

    take_epoch = EpochCounter(0, 0)
    paths = tf.constant([os.fsencode(path) for path in listing.paths])
    labels = None if label_mode is None else tf.constant(_encode_labels(listing, label_mode))

    def indices() -> NDArray[np.int64]:
        epoch, _ = take_epoch()
        return order(epoch, np.arange(len(order)))

    @graph.without_autograph
    def example(index: Any) -> Any:
        text = tf.io.read_file(tf.gather(paths, index))
        if max_length is not None:
            text = tf.strings.substr(text, 0, max_length)
        return text if labels is None else (text, tf.gather(labels, index))

    dataset = graph.iterate_rows(indices, [])
    dataset = dataset.map(example, num_parallel_calls=len(os.sched_getaffinity(0)), deterministic=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(order)))
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    options = tf.data.Options()
    options.autotune.enabled = False  # see pipeline/feeds/graph.py
    dataset = dataset.prefetch(2).with_options(options)
    dataset.class_names = listing.class_names
    return dataset


def _encode_labels(listing: LabeledFiles, label_mode: str) -> NDArray[Any]:
    labels: NDArray[Any] = np.array(listing.labels, np.int32)
    if label_mode == "categorical":
        one_hot: NDArray[Any] = labels[:, np.newaxis] == np.arange(len(listing.class_names or ()))
        return one_hot.astype(np.float32)
    return labels.astype(np.float32)[:, np.newaxis] if label_mode == "binary" else labels
