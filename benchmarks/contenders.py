"""Who is measured: ways to turn a workload into batches of (images, labels)."""

from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

import pipeline
from benchmarks.workloads import BATCH_SIZE, SIZE, Workload
from pipeline.baselines import ImageSequence, naive_generator

Pass = Callable[[], Iterable[tuple[Any, Any]]]
"""Starts one pass over a workload."""


def caudal(workload: Workload) -> Pass:
    """Caudal, as a user writes it."""
    dataset = pipeline.image_dataset(
        workload.source, image_size=SIZE, batch_size=BATCH_SIZE, augment=workload.transform, on_error="replace"
    )
    return lambda: dataset


def numpy_function(workload: Workload) -> Pass:
    """tf.data with `A.Compose` in a `tf.numpy_function` for each image, as Albumentations' documentation shows."""

    def augment(image: Any) -> Any:
        return workload.transform(image=image)["image"]

    def example(image: Any) -> tuple[Any, Any]:
        augmented = tf.numpy_function(augment, [image], tf.uint8)
        augmented.set_shape((*SIZE, 3))
        return augmented, 0

    if workload.name == "cached":
        dataset = tf.data.Dataset.from_tensor_slices(workload.source[0]).shuffle(1000)
    elif workload.name == "tfrecord":
        files = [str(path) for path in sorted(workload.source.glob("*.tfrecord"))]
        feature = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        dataset = tf.data.TFRecordDataset(files).shuffle(1000)
        dataset = dataset.map(lambda record: _decoded(tf.io.parse_single_example(record, feature)["image/encoded"]), 2)
    else:
        dataset = tf.data.Dataset.from_tensor_slices(_files(workload)).shuffle(workload.count)
        dataset = dataset.map(lambda file: _decoded(tf.io.read_file(file)), num_parallel_calls=2)
    return _passes(dataset.map(example, num_parallel_calls=2).batch(BATCH_SIZE).prefetch(2))


def generator(workload: Workload) -> Pass:
    """A Python generator."""
    return lambda: naive_generator(workload.folder, BATCH_SIZE, workload.transform)


def pydataset(workload: Workload) -> Pass:
    """A Keras `PyDataset`, its batches taken one by one."""
    sequence = ImageSequence(workload.folder, BATCH_SIZE, workload.transform)
    return lambda: (sequence[step] for step in range(len(sequence)))


def decode_limit(workload: Workload) -> Pass:
    """Reading and decoding the files whole by TensorFlow in two threads, and nothing else: the limit."""
    dataset = tf.data.Dataset.from_tensor_slices(_files(workload))
    dataset = dataset.map(lambda file: tf.shape(_decoded(tf.io.read_file(file))), num_parallel_calls=2)
    return _passes(dataset.batch(BATCH_SIZE).map(lambda shapes: (shapes, 0)).prefetch(2))


def kernel_limit(workload: Workload) -> Pass:
    """OpenCV's bare kernels for the five transforms, from decoded pixels, in two threads: the limit."""
    from concurrent.futures import ThreadPoolExecutor

    images = workload.source[0]
    random = np.random.default_rng(0)
    matrix = np.array([[0.8, -0.3, 40], [0.3, 0.8, -20]])
    colours = random.uniform(0.2, 0.5, (3, 3)).astype(np.float32)
    hues = np.stack([np.roll(np.arange(256, dtype=np.uint8), 9), *[np.arange(256, dtype=np.uint8)] * 2], axis=-1)

    def batch(start: int) -> tuple[Any, int]:
        out = np.empty((BATCH_SIZE, *SIZE, 3), np.uint8)
        for row, image in enumerate(images[start : start + BATCH_SIZE]):
            cv2.warpAffine(image, matrix, SIZE, dst=out[row], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            cv2.transform(out[row], colours, dst=out[row])
            if row % 5:  # hue is drawn for 80 %
                hsv = cv2.cvtColor(out[row], cv2.COLOR_RGB2HSV)
                cv2.cvtColor(cv2.LUT(hsv, hues[np.newaxis]), cv2.COLOR_HSV2RGB, dst=out[row])
            out[row, 20:40, 20:40] = 0
        return out, 0

    def run() -> Iterable[tuple[Any, Any]]:
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(batch, range(0, len(images), BATCH_SIZE))

    return run


CONTENDERS: dict[str, Callable[[Workload], Pass]] = {
    "caudal": caudal,
    "numpy-function": numpy_function,
    "generator": generator,
    "pydataset": pydataset,
    "decode-limit": decode_limit,
    "kernel-limit": kernel_limit,
}
"""By name."""

APPLICABLE = {
    "full": ("caudal", "numpy-function", "generator", "pydataset", "decode-limit"),
    "light": ("caudal", "numpy-function", "generator", "pydataset", "decode-limit"),
    "tfrecord": ("caudal", "numpy-function", "decode-limit"),
    "cached": ("caudal", "numpy-function", "kernel-limit"),
}
"""Which contenders can run which workload."""


def _files(workload: Workload) -> list[str]:
    return [str(path) for path in sorted(workload.folder.rglob("*.jpg"))]


def _decoded(encoded: Any) -> Any:
    return tf.io.decode_jpeg(encoded, channels=3)


def _passes(dataset: tf.data.Dataset) -> Pass:
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    return lambda: dataset
