"""Keras: `PyDataset`, `ImageDataGenerator`, and preprocessing layers.

The last two lack some of Albumentations' transforms; they use the nearest that they have, as documented below.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import keras
import tensorflow as tf

from benchmarks.contenders.tensorflow import disable_autotuner
from benchmarks.workloads import Workload
from pipeline.baselines import ImageSequence


def pydataset(workload: Workload) -> Callable[[], Iterable[Any]]:
    """A `PyDataset` in the consumer's thread."""
    return _sequence(workload, workers=1)


def pydataset_threads(workload: Workload) -> Callable[[], Iterable[Any]]:
    """A `PyDataset` with threads."""
    return _sequence(workload, workers=workload.parallel)


def pydataset_processes(workload: Workload) -> Callable[[], Iterable[Any]]:
    """A `PyDataset` with processes."""
    return _sequence(workload, workers=workload.parallel, use_multiprocessing=True)


def _sequence(workload: Workload, **workers: Any) -> Callable[[], Iterable[Any]]:
    # Its threads and processes belong to the adapter of `model.fit`, which has no public interface.
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    sequence = ImageSequence(workload.folder, workload.batch_size, workload.transform(), **workers)
    adapter = PyDatasetAdapter(sequence)
    dataset = adapter.get_tf_dataset()

    def epoch() -> Iterator[Any]:
        adapter.on_epoch_begin()
        yield from dataset
        adapter.on_epoch_end()

    return epoch


def image_data_generator(workload: Workload) -> Callable[[], Iterable[Any]]:
    """`ImageDataGenerator`: zoom for the crop; rotation of every image; brightness and channel shift for the jitter.

    There is no occlusion. Images are resized before they are augmented.
    """
    full = {"rotation_range": 30, "brightness_range": (0.8, 1.2), "channel_shift_range": 25.0}
    crop_and_flip = {"zoom_range": (0.55, 1.0), "horizontal_flip": True}
    padded = {"width_shift_range": 4, "height_shift_range": 4, "fill_mode": "constant", "horizontal_flip": True}
    options: dict[str, Any] = {
        "resize": {},
        "crop_flip": crop_and_flip,
        "full": {**crop_and_flip, **full},
        "pad_crop_flip": padded,
    }[workload.policy]
    generator = tf.keras.preprocessing.image.ImageDataGenerator(**options)
    iterator = generator.flow_from_directory(
        workload.folder, workload.size, batch_size=workload.batch_size, class_mode="sparse"
    )

    def epoch() -> Iterator[Any]:
        iterator.reset()
        return islice(iterator, workload.steps)

    return epoch


def layers(workload: Workload) -> Callable[[], Iterable[Any]]:
    """`image_dataset_from_directory`, which resizes, and layers on its batches.

    `RandomZoom` for the crop; rotation of every image.
    """
    dataset = keras.utils.image_dataset_from_directory(
        workload.folder, image_size=workload.size, batch_size=workload.batch_size, shuffle=True, verbose=False
    )
    crop_and_flip = [keras.layers.RandomZoom((-0.45, 0.0)), keras.layers.RandomFlip("horizontal")]
    height, width = workload.size
    shift = keras.layers.RandomTranslation(4 / height, 4 / width, fill_mode="constant")
    full = [
        keras.layers.RandomRotation(30 / 360, fill_mode="constant"),
        keras.layers.RandomColorJitter(
            brightness_factor=0.2, contrast_factor=0.2, saturation_factor=(0.4, 0.6), hue_factor=0.2
        ),
        keras.layers.RandomErasing(0.5),
    ]
    chosen = {
        "resize": [],
        "crop_flip": crop_and_flip,
        "full": [*crop_and_flip, *full],
        "pad_crop_flip": [shift, keras.layers.RandomFlip("horizontal")],
    }[workload.policy]
    if chosen:
        augment = keras.Sequential(chosen)
        dataset = dataset.map(
            lambda images, labels: (augment(images, training=True), labels), num_parallel_calls=workload.parallel
        )
    dataset = dataset.prefetch(2).with_options(disable_autotuner())
    return lambda: dataset
