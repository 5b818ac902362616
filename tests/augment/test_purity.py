"""Users' transforms that depend on more than their image and key are refused before the first batch."""

import random
import threading
import time
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest

from augment import TransformError
from augment.plan.plan import compile_for_images
from augment.transform import Image
from tests.augment.own_transforms import Shift

pytestmark = pytest.mark.filterwarnings("ignore:Using lambda")


class Own(A.ImageOnlyTransform):
    """A user's transform."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.kept: Any = None

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Leave the image as it is."""
        return img


class GlobalNumpy(Own):
    """Adds noise from NumPy's global generator."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Add noise."""
        return img + np.random.randint(0, 9, img.shape).astype(np.uint8)  # noqa: NPY002  # the point of the test


class RareCoin(Own):
    """Inverts few images, by Python's global generator."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Invert."""
        return 255 - img if random.random() < 0.001 else img  # noqa: S311  # no secret


class Alternating(Own):
    """Inverts every second image."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Invert."""
        self.kept = not self.kept
        return 255 - img if self.kept else img


class First(Own):
    """Blends with the first image that it gets."""

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Blend."""
        self.kept = img if self.kept is None else self.kept
        return img // 2 + self.kept[: len(img)] // 2


class WithPipeline(Own):
    """Holds a pipeline, whose generators no key replaces."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.inner = A.Compose([A.RandomBrightnessContrast(p=1)])

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """Augment."""
        return self.inner(image=img)["image"]  # type: ignore[no-any-return]


class WithTable(Own):
    """Keeps what depends on nothing."""

    def get_params(self) -> dict[str, Any]:
        """Draw from both generators that a key replaces."""
        return {"summand": self.py_random.randint(0, 9) + self.random_generator.integers(9)}

    def apply(self, img: Image, summand: int, **params: Any) -> Image:  # noqa: ARG002
        """Map the levels."""
        self.kept = np.arange(256, dtype=np.uint8)[::-1] if self.kept is None else self.kept
        return (self.kept[img] + summand).astype(np.uint8)


class WithLock(Own):
    """Cannot be copied."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.kept = threading.Lock()


counted = [0]


def count(image: Image, **params: Any) -> Image:  # noqa: ARG001
    """Add the number of calls, which a global variable holds."""
    counted[0] += 1
    return image + np.uint8(counted[0] % 256)


@pytest.mark.parametrize("transform", [GlobalNumpy(), RareCoin(), Alternating(), First(), WithPipeline()], ids=repr)
@pytest.mark.parametrize("nest", [lambda one: one, lambda one: A.OneOf([A.Blur(), A.Compose([one])])])
def test_what_depends_on_more_is_refused(transform: Any, nest: Any) -> None:
    """Wherever it stands in the composition; the message says what to do."""
    with pytest.raises(TransformError, match=f"{type(transform).__name__}: the same image becomes other.*get_p"):
        compile_for_images(nest(transform))


def test_functions_are_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """And compositions that are not compiled; a function that counts its calls in a global variable."""
    for transform in (A.Lambda(image=count), A.SelectiveChannelTransform([A.Lambda(image=count, p=1)], p=1)):
        with pytest.raises(TransformError, match="the same image becomes other pixels"):
            compile_for_images(transform)
    monkeypatch.setattr("augment.plan.purity.check_pure", lambda transform: pytest.fail(repr(transform)))
    compile_for_images(A.Compose([A.HorizontalFlip(), A.Resize(8, 8)]))


def test_what_depends_on_image_and_key_is_compiled() -> None:
    """Also where it keeps what it computed, or rejects the images that are tried."""
    for transform in (WithTable(), Shift(2), A.Lambda(image=lambda image, **_: 255 - image), A.GaussNoise()):
        compile_for_images(transform)
    compile_for_images(A.Lambda(image=lambda image, **_: image // 0 if image.ndim == 2 else image.missing))


def test_draws_of_other_threads_are_no_draws() -> None:
    """Unless there are some whenever the transform runs."""
    ends = threading.Event()

    def draw() -> None:
        while not ends.wait(0.003):
            random.random()  # noqa: S311

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for _ in range(5):
            compile_for_images(WithTable())
    finally:
        ends.set()
        thread.join()


def test_what_cannot_be_copied_is_refused() -> None:
    """Each thread needs its own copy."""
    with pytest.raises(TransformError, match="WithLock cannot be copied, and each thread needs its own: TypeError"):
        compile_for_images(WithLock())


def test_slow_transforms_are_tried_less() -> None:
    """A transform of 0.1 s per image does not take seconds."""
    begin = time.perf_counter()
    compile_for_images(A.Lambda(image=lambda image, **_: time.sleep(0.1) or image))
    assert time.perf_counter() - begin < 1.5
