"""tf.data with Python functions."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.workloads import Workload
from pipeline.baselines import naive_generator


def numpy_function(workload: Workload) -> Callable[[], Iterable[Any]]:
    """tf.data with `A.Compose` in a `tf.numpy_function` per image, as in Albumentations' documentation."""
    transform = workload.transform()

    def augment(image: Any) -> Any:
        return transform(image=image)["image"]

    def example(image: Any, label: Any) -> tuple[Any, Any]:
        augmented = tf.numpy_function(augment, [image], tf.uint8)
        augmented.set_shape((*workload.size, 3))
        return augmented, label

    dataset = images(workload).map(example, num_parallel_calls=workload.parallel)
    dataset = make_batches(dataset, workload)
    return lambda: dataset


def from_generator(workload: Workload) -> Callable[[], Iterable[Any]]:
    """tf.data around a Python generator of batches."""
    signature = (tf.TensorSpec((None, *workload.size, 3), tf.uint8), tf.TensorSpec((None,), tf.int64))
    dataset = tf.data.Dataset.from_generator(
        lambda: naive_generator(workload.folder, workload.batch_size, workload.transform()), output_signature=signature
    )
    dataset = dataset.take(workload.steps).prefetch(2).with_options(disable_autotuner())
    return lambda: dataset


def images(workload: Workload) -> tf.data.Dataset:
    """Return the shuffled images of a workload, decoded by TensorFlow: (uint8 [H, W, 3], label)."""
    if workload.pixels is not None:
        arrays = np.load(workload.pixels), np.load(Path(workload.pixels).with_name("labels.npy"))
        return tf.data.Dataset.from_tensor_slices(arrays).shuffle(1000)
    return read_encoded(workload).map(
        lambda content, label: (tf.io.decode_jpeg(content, channels=3), label), num_parallel_calls=workload.parallel
    )


def read_encoded(workload: Workload) -> tf.data.Dataset:
    """Return the shuffled encoded images of a workload: (bytes, label)."""
    if workload.records is not None:
        features = {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/class/label": tf.io.FixedLenFeature([], tf.int64),
        }

        def parse(record: Any) -> tuple[Any, Any]:
            example = tf.io.parse_single_example(record, features)
            return example["image/encoded"], example["image/class/label"]

        files = tf.data.Dataset.list_files(f"{workload.records}/*.tfrecord", shuffle=True)
        dataset = files.interleave(tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=workload.parallel)
        return dataset.shuffle(1000).map(parse, num_parallel_calls=workload.parallel)
    paths, labels = zip(*workload.files(), strict=True)
    dataset = tf.data.Dataset.from_tensor_slices((list(paths), list(labels))).shuffle(workload.count)
    return dataset.map(lambda path, label: (tf.io.read_file(path), label), num_parallel_calls=workload.parallel)


def make_batches(dataset: tf.data.Dataset, workload: Workload) -> tf.data.Dataset:
    """Batch samples, and prefetch two batches."""
    return dataset.batch(workload.batch_size).prefetch(2).with_options(disable_autotuner())


def disable_autotuner() -> tf.data.Options:
    """Disable the autotuner: it delays the end of an epoch by up to 10 s (tf.data 2.21)."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
