"""Fixtures for the tests of the Keras-shaped functions: the legacy class as an oracle, and class-folders."""

import contextlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def legacy() -> Callable[..., Any]:
    """Return `legacy(**arguments)`: the `ImageDataGenerator` that Keras still installs, without its warnings."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    def make(**arguments: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ImageDataGenerator(**arguments)

    return make


@pytest.fixture(scope="session")
def quietly() -> Callable[..., Any]:
    """Return `quietly(function, ...)`, which returns the function's result and suppresses its output."""

    def call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return function(*arguments, **options)

    return call


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return class-folders of images of several sizes: JPEG in color and gray, PNG; one folder is nested."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    sizes = [(40, 60), (61, 47), (33, 33), (80, 50), (50, 81), (44, 70), (70, 44)]
    for name, folder in (("ants", "ants"), ("ants", "ants/deep"), ("bees", "bees")):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number, (height, width) in enumerate(sizes):
            noise = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
            image = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
            extension = (".jpg", ".jpg", ".png", ".jpeg", ".png", ".jpg", ".png")[number]
            cv2.imwrite(str(root / folder / f"{name}{number}{extension}"), image[..., 0] if number == 5 else image)
    return root
