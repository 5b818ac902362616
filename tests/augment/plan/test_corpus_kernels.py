"""The compiled module changes odd and hostile images of other projects' test suites as OpenCV and NumPy do.

`make sanitize` runs these tests with a module that reports each access outside an object.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.augment.plan.test_hostile_kernels import FLAGS, IDENTITY, Target, load_kernels


@pytest.fixture(scope="module")
def images(caudal_data: Path) -> list[np.ndarray]:
    """Decode what can be decoded of the corpus, uint8 [H, W, 3]; sides are at most 2,000 pixels."""
    paths = sorted((caudal_data / "robustness").glob("[abc]/*"))
    if not paths:
        pytest.skip("CAUDAL_DATA has no robustness corpus")
    found = [decode(path) for path in paths if path.stat().st_size < 200_000]
    return [image for image in found if image is not None and max(image.shape) <= 2000]


def decode(path: Path) -> np.ndarray | None:
    """Decode an image, uint8 [H, W, 3]; None if OpenCV cannot."""
    try:
        return cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:
        return None


def test_images_of_the_corpus_are_changed_exactly(images: list[np.ndarray]) -> None:
    """A warp, a lookup table and a fill of each image, whatever its size."""
    kernels: Any = load_kernels()
    inverse, fill = np.arange(255, -1, -1, dtype=np.uint8), bytes([1, 2, 3])
    assert len(images) > 50
    for number, image in enumerate(images):
        height, width = image.shape[:2]
        rng = np.random.default_rng(number)
        matrix = IDENTITY + rng.uniform(-0.3, 0.3, (2, 3)) * [1, 1, max(height, width)]
        border = int(
            rng.choice([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_REFLECT_101])
        )
        target = Target(max(1, height // 2), width + 3)
        kernels.run(
            [(image, target.image, [(kernels.WARP, matrix, border, fill), inverse, (kernels.FILL, 0, 0, 5, 5, fill)])]
        )
        size = (target.image.shape[1], target.image.shape[0])
        expected = cv2.warpAffine(image, matrix, size, flags=FLAGS, borderMode=border, borderValue=tuple(fill))
        expected = inverse[expected]
        expected[:5, :5] = tuple(fill)
        np.testing.assert_array_equal(target.image, expected)
        assert target.is_kept_within
