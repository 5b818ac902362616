"""Stacking: the images of a batch that could be decoded determine its size, whichever decoder finds the damage."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import Loader
from pipeline.errors import CaudalError


def _write(path: Path, size: tuple[int, int], *, is_damaged: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".jpg", np.full((*size, 3), 99, np.uint8))[1].tobytes()
    path.write_bytes(encoded[: -len(encoded) // 8] if is_damaged else encoded)


def test_a_damaged_image_does_not_determine_the_size_of_its_batch(tmp_path: Path) -> None:
    """Its header claims a size, and its damage shows when memory for it has been reserved."""
    for number in range(5):
        _write(tmp_path / "a" / f"{number}.jpg", (9, 11) if number in (0, 3) else (24, 30), is_damaged=number in (0, 3))
    loader = Loader(tmp_path, image_size=None, batch_size=3, shuffle=False, on_error="skip")
    batches = [loader._batches.batch(0, start, stop) for start, stop in ((0, 3), (3, 5))]
    assert [batch[0].shape for batch in batches] == [(2, 24, 30, 3), (1, 24, 30, 3)]
    assert all((batch[0] > 90).all() for batch in batches)
    assert {bad.sample for bad in loader.errors} == {"a/0.jpg", "a/3.jpg"}
    images, _, own_keys = loader._batches.batch(0, 3, 4)
    assert images.shape == (0, 0, 0, 3)
    assert not len(own_keys)


def test_images_of_two_sizes_are_named(tmp_path: Path) -> None:
    """Not the damaged one before them."""
    for number, size in enumerate([(9, 11), (24, 30), (24, 31)]):
        _write(tmp_path / "a" / f"{number}.jpg", size, is_damaged=number == 0)
    loader = Loader(tmp_path, image_size=None, batch_size=3, shuffle=False, on_error="skip")
    with pytest.raises(CaudalError, match=r"a/1.jpg has \(24, 30\), a/2.jpg has \(24, 31\)"):
        loader._batches.batch(0, 0, 3)
