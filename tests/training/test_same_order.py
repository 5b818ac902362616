"""A checkpoint names what differs in the data of another training, and accepts other pixels in the same order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

from pipeline import Loader
from training import Checkpoints, checkpoint, fit
from training.errors import TrainingError

Make = Callable[..., Any]


def make_loader(folder: Path, **options: Any) -> Loader:
    """Define seven images in batches of four."""
    return Loader(folder, **{"image_size": (8, 8), "batch_size": 4, "augment": A.HorizontalFlip(), **options})


def train(loader: Loader, directory: Path, epochs: int, resume: Any) -> Any:
    """Train a small model; return the images of its last epoch's first batch by the mean."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    checkpoints = Checkpoints(directory=directory, resume=resume)
    return fit(keras.Sequential(layers), loader, epochs=epochs, checkpoints=checkpoints)


def test_a_training_resumes_with_other_pixels(folders: Make, tmp_path: Path) -> None:
    """Exactly it does not, and the message says how; the next checkpoint is of the new data."""
    folder = folders(ants=3, bees=4)
    train(make_loader(folder), tmp_path, 1, False)
    other = make_loader(folder, augment=A.VerticalFlip())
    with pytest.raises(TrainingError) as caught:
        train(other, tmp_path, 2, True)
    assert str(caught.value) == (
        f"{tmp_path / 'checkpoint.npz'} is a checkpoint of another training: the training data (samples, "
        "augmentation, sizes, seed) differ: augment; restore them, or use another directory, or "
        'resume="same-order", which accepts what alters pixels only'
    )
    with pytest.raises(TrainingError, match=r"differ: seed \(0, now 1\); restore them, or use another directory$"):
        train(make_loader(folder, seed=1), tmp_path, 2, "same-order")
    assert len(train(other, tmp_path, 2, "same-order").history["loss"]) == 2
    assert len(train(other, tmp_path, 3, True).history["loss"]) == 3


def test_checkpoints_without_streams_are_compared_by_fingerprint(folders: Make, tmp_path: Path) -> None:
    """As those of before streams had a version; a fingerprint that differs in what no name tells is refused, too."""
    stream = make_loader(folders(ants=3, bees=4)).identity
    path, variables = tmp_path / "checkpoint.npz", [np.zeros(3)]
    checkpoint.write(path, variables, checkpoint.State(), {"the data": "a"}, {})  # type: ignore[arg-type]  # no variables

    def read(data: str, resume: str) -> checkpoint.State:
        return checkpoint.read(path, [], {"the data": data}, {"the data": stream}, resume)

    for resume in ("exact", "same-order"):
        with pytest.raises(TrainingError, match=r"training: the data differ; restore them, or use another directory$"):
            read("b", resume)
        with pytest.raises(TrainingError, match=r"the weights' shapes differ"):
            read("a", resume)
    checkpoint.write(path, [], checkpoint.State(), {"the data": "a"}, {"the data": stream})
    assert read("a", "exact").epoch == 0
    with pytest.raises(TrainingError, match="the data differ; restore"):
        read("b", "exact")


def test_resume_is_one_of_three() -> None:
    """Another value is refused."""
    with pytest.raises(TrainingError, match="resume must be True, False or \"same-order\"; got 'pixels'"):
        Checkpoints(directory="x", resume="pixels")  # type: ignore[arg-type]  # the point of the test
