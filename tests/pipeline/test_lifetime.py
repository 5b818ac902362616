"""A dataset keeps what it needs as long as anything made of it is in use, and no longer."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline import Loader, image_dataset

STEPS = 5


def make_dataset() -> tf.data.Dataset:
    """Make a dataset of five batches that nobody else holds."""
    return image_dataset((np.zeros((40, 8, 8, 3), np.uint8), np.zeros(40, int)), image_size=None, batch_size=8)


@pytest.mark.parametrize(
    ("derive", "steps"),
    [
        (lambda: make_dataset(), STEPS),
        (lambda: make_dataset().as_numpy_iterator(), STEPS),
        (lambda: make_dataset().map(lambda images, _: images), STEPS),
        (lambda: tf.data.Dataset.zip((make_dataset(), make_dataset())), STEPS),
        (lambda: make_dataset().concatenate(make_dataset()), 2 * STEPS),
        (lambda: make_dataset().unbatch().batch(4).prefetch(1), 2 * STEPS),
        (lambda: tf.data.Dataset.sample_from_datasets([make_dataset(), make_dataset()]), 2 * STEPS),
        (lambda: tf.data.Dataset.range(2).interleave(lambda _: make_dataset()), 2 * STEPS),
        (lambda: tf.distribute.MirroredStrategy(["CPU:0"]).experimental_distribute_dataset(make_dataset()), STEPS),
    ],
    ids=["plain", "numpy", "map", "zip", "concatenate", "rebatch", "sample", "interleave", "distribute"],
)
def test_what_is_made_of_a_dataset_keeps_it(derive: Callable[[], Any], steps: int) -> None:
    """Nothing but the last thing in a chain has to be held."""
    iterator = iter(derive())
    gc.collect()
    assert sum(1 for _ in iterator) == steps


def test_what_a_loader_holds_is_freed_with_it() -> None:
    """Many loaders, one after the other, do not fill the memory: TensorFlow keeps its functions for ever."""
    loader = Loader((np.zeros((8, 8, 8, 3), np.uint8), np.zeros(8, int)), image_size=None)
    held = weakref.ref(loader._stages)
    for _ in loader.dataset():
        pass
    del loader
    gc.collect()
    assert held() is None


def test_a_dataset_of_files_is_built_within_a_mapped_function(folders: Callable[..., Path]) -> None:
    """The first sample, which tells the shape, is decoded by a kernel of TensorFlow."""
    loader = Loader(folders(ants=3, bees=4), image_size=(8, 8), batch_size=4)
    assert sum(1 for _ in tf.data.Dataset.range(2).flat_map(lambda _: loader.dataset())) == 4
