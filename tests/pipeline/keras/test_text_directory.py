"""`text_dataset_from_directory`: the files' bytes, Keras's subsets, and reproducible epochs."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import pipeline
from pipeline.errors import OptionError


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Return class-folders of Latin-1 texts."""
    for name in ("neg", "pos"):
        (tmp_path / name).mkdir()
        for number in range(6):
            (tmp_path / name / f"{number}.txt").write_bytes(f"{name} caf\xe9 {number}".encode("latin-1"))
    (tmp_path / "pos" / "notes.md").write_text("no sample")
    return tmp_path


def epoch(dataset: Any) -> list[tuple[bytes, int]]:
    """Collect one epoch of (text, label)."""
    return [
        pair
        for texts, labels in dataset.as_numpy_iterator()
        for pair in zip(texts.tolist(), labels.tolist(), strict=True)
    ]


@pytest.mark.parametrize("arguments", [{}, {"max_length": 5}, {"label_mode": "categorical"}, {"label_mode": "binary"}])
def test_elements_are_keras(arguments: dict[str, Any], texts: Path) -> None:
    """Without shuffling, elements and spec equal Keras's."""
    options = {"shuffle": False, "verbose": False, "batch_size": 5} | arguments
    ours = pipeline.text_dataset_from_directory(texts, **options)
    theirs = keras.utils.text_dataset_from_directory(str(texts), **options)
    assert ours.element_spec == theirs.element_spec
    assert ours.class_names == theirs.class_names
    for one, other in zip(ours.as_numpy_iterator(), theirs.as_numpy_iterator(), strict=True):
        assert all(map(np.array_equal, one, other))


def test_epochs_are_shuffled_and_reproducible(texts: Path) -> None:
    """Every epoch has all texts in its own order; the same seed yields the same orders."""
    one, other = (pipeline.text_dataset_from_directory(texts, seed=4, verbose=False) for _ in range(2))
    epochs = [epoch(one) for _ in range(3)]
    assert epochs == [epoch(other) for _ in range(3)]
    assert len({tuple(order) for order in epochs}) == 3
    assert len({frozenset(order) for order in epochs}) == 1
    assert len(one) == 1


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_subsets_are_keras(subset: str, texts: Path) -> None:
    """For a seed, the training and validation subsets have Keras's texts."""
    options = {"validation_split": 0.25, "subset": subset, "seed": 2, "verbose": False}
    ours = pipeline.text_dataset_from_directory(texts, **options)
    theirs = keras.utils.text_dataset_from_directory(str(texts), **options)
    assert sorted(epoch(ours)) == sorted(epoch(theirs))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"max_length": 0}, "max_length"), ({"format": "grain"}, "format"), ({"batch_size": 2.5}, "batch_size")],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str, texts: Path) -> None:
    """A wrong argument is named when the dataset is created."""
    with pytest.raises(OptionError, match=message):
        pipeline.text_dataset_from_directory(texts, verbose=False, **arguments)
