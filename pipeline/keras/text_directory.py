"""`text_dataset_from_directory` with Keras's arguments."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.errors import OptionError
from pipeline.feeds import graph
from pipeline.feeds.layout import EpochCounter
from pipeline.keras.checks import check_batch_size, check_flags, is_positive_integer, resolve_seed
from pipeline.keras.image_directory import check_binary, check_not_empty, make_label_column
from pipeline.keras.listing import LabeledFiles, Labeling, check_split, list_files, shuffle_files, split_listing
from pipeline.processors import count_processors
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
    """Build a reproducible dataset of the text files in a directory, as `keras.utils.text_dataset_from_directory`.

    The arguments, their defaults, and the elements are Keras 3.15's; docs/keras.md lists the differences. With the same
    seed, the training and validation subsets are Keras's.

    Args:
        directory: class-folder directory, or any directory if `labels` is None or a list.
        labels: "inferred", None, or a list with one label per file, in alphanumeric order of the paths. Integers,
            floats and booleans keep their type.
        label_mode: "int" (int32 [B], or the values of `labels`), "categorical" (one-hot float32 [B, classes]), "binary"
            (float32 [B, 1]) or None.
        class_names: class names in the order of their labels; by default all subfolders, sorted.
        batch_size: number of texts per batch; None yields single samples.
        max_length: number of bytes that are kept of each text; None keeps all.
        shuffle: draw a new order of all samples in each epoch.
        seed: seed of the split and the order; None draws one.
        validation_split: fraction of the files in the validation subset.
        subset: "training", "validation", or "both" (a list of two datasets).
        follow_links: enter folders that are symbolic links.
        format: "tf", the only supported format.
        verbose: print the number of files and classes.

    Returns:
        A `tf.data.Dataset` of texts, strings [B], and labels, with `class_names`. Each further iteration yields the
        next epoch.

    Raises:
        OptionError: Keras would refuse an argument, or fail with it later.
        SourceError: the directory cannot be listed.
    """
    labeling = Labeling(labels=labels, label_mode=label_mode, class_names=class_names)
    if format != "tf":
        raise OptionError(f'`format` should be "tf"; got {format!r} (Keras itself builds Grain datasets)')
    check_flags(shuffle=shuffle, follow_links=follow_links, verbose=verbose)
    check_split(validation_split, subset, shuffle, seed)
    check_batch_size(batch_size)
    if max_length is not None and not is_positive_integer(max_length):
        raise OptionError(f"`max_length` must be a number of bytes of at least 1, or None; got {max_length!r}")
    seed = resolve_seed(seed)
    listing = list_files(directory, labeling, EXTENSIONS, follow_links=follow_links, verbose=verbose)
    check_binary(labeling, listing)
    if shuffle:
        listing = shuffle_files(listing, seed)
    subsets = split_listing(listing, validation_split, subset, verbose)
    for files in subsets:
        check_not_empty(files, "text files", EXTENSIONS)
    orders = [Order(size=len(files.keys), key=keys.root(seed), shuffle=bool(shuffle)) for files in subsets]
    if subset == "both":
        orders[1] = Order(size=len(subsets[1].keys), key=keys.root(seed), shuffle=False)
    datasets = [
        _build_dataset(files, order, labeling.mode, batch_size, max_length)
        for files, order in zip(subsets, orders, strict=True)
    ]
    return datasets if subset == "both" else datasets[0]


def _build_dataset(
    listing: LabeledFiles, order: Order, label_mode: str | None, batch_size: int | None, max_length: int | None
) -> "tf.data.Dataset":
    """Build `order -> read -> label -> batch`; each iteration yields the next epoch."""
    import tensorflow as tf

    take_epoch = EpochCounter(0, 0)
    paths = tf.constant([os.fsencode(path) for path in listing.paths])
    labels = None if (column := make_label_column(listing, label_mode)) is None else column.make_tensors

    def indices() -> NDArray[np.int64]:
        epoch, _ = take_epoch()
        return order(epoch, np.arange(len(order)))

    @graph.without_autograph
    def example(index: Any) -> Any:
        text = tf.io.read_file(tf.gather(paths, index))
        if max_length is not None:
            text = tf.strings.substr(text, 0, max_length)
        return text if labels is None else (text, labels(index))

    dataset = graph.iterate_rows(indices, [])
    dataset = dataset.map(example, num_parallel_calls=count_processors(), deterministic=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(order)))
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    options = tf.data.Options()
    options.autotune.enabled = False  # see pipeline/feeds/graph.py
    dataset = dataset.prefetch(2).with_options(options)
    dataset.class_names = listing.class_names
    return dataset
