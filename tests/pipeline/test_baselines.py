"""Tests of the loaders that Caudal is measured against: they must do the same work."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import albumentations as A  # noqa: N812
import numpy as np
import pytest

from pipeline.baselines import ImageSequence, naive_generator

RESIZE = A.Resize(6, 6)


@pytest.fixture
def root(folders: Callable[..., Path]) -> Path:
    """Give seven images in two classes."""
    return folders(ants=3, bees=4)


def test_generator_delivers_each_image_once_an_epoch_and_never_ends(root: Path) -> None:
    """Three batches are an epoch of seven images with their labels; then the next begins."""
    batches = list(islice(naive_generator(root, 3, RESIZE), 6))
    for epoch in (batches[:3], batches[3:]):
        assert Counter(np.concatenate([labels for _, labels in epoch]).tolist()) == {0: 3, 1: 4}
        assert len(np.unique(np.concatenate([images for images, _ in epoch]), axis=0)) == 7


def test_sequence_delivers_each_image_once_an_epoch(root: Path) -> None:
    """The batches by number make up an epoch, the last one smaller."""
    sequence = ImageSequence(root, 3, RESIZE)
    batches = [sequence[step] for step in range(len(sequence))]
    assert [len(images) for images, _ in batches] == [3, 3, 1]
    assert len(np.unique(np.concatenate([images for images, _ in batches]), axis=0)) == 7


def test_pixels_are_those_that_caudal_delivers(root: Path) -> None:
    """Without augmentation the same file has the same pixels in both, up to the order."""
    import pipeline

    sequence = ImageSequence(root, 7, A.NoOp())
    dataset = pipeline.image_dataset(root, image_size=None, batch_size=7)
    ours, labels = next(dataset.as_numpy_iterator())
    theirs, their_labels = sequence[0]
    assert {(image.tobytes(), label) for image, label in zip(ours, labels, strict=True)} == {
        (image.tobytes(), label) for image, label in zip(theirs, their_labels, strict=True)
    }
