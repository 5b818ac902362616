"""Processes that make batches deliver what threads do, whatever happens to them."""

import gc
import os
import signal
import time
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest

from pipeline import Loader
from pipeline.errors import DecodeError, OptionError, WorkerError

CROP_AND_COLOUR = A.Compose([A.RandomCrop(12, 12), A.HorizontalFlip(), A.ColorJitter(p=1)])


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Give 40 noisy images and their labels."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (40, 16, 16, 3), np.uint8), np.arange(40) % 3


def bad_folder(tmp_path: Path, extension: str = ".bmp") -> Path:
    """Make nine images in two class-folders, and one file that is none.

    For a PNG each worker imports TensorFlow, which takes seconds: one test does that, the others need not.
    """
    random = np.random.default_rng(0)
    for number in range(9):
        path = tmp_path / "data" / ("even", "odd")[number % 2] / f"{number}{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), random.integers(0, 256, (16, 16, 3), np.uint8))
    (tmp_path / "data" / "odd" / "bad.png").write_bytes(b"no image")
    return tmp_path / "data"


def stream(loader: Loader, epochs: int = 2) -> list[tuple[bytes, list[int], list[bytes]]]:
    """Give the batches of some epochs."""
    dataset = loader.dataset(with_keys=True)
    return [
        (images.tobytes(), np.asarray(labels).tolist(), np.asarray(keys).tolist())
        for _ in range(epochs)
        for images, labels, keys in dataset.as_numpy_iterator()
    ]


def children() -> set[int]:
    """Find the processes that this one has started and that have not ended."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(process) for process in (task / "children").read_text().split()}
    return found


@pytest.mark.parametrize("options", [{}, {"augment": CROP_AND_COLOUR}, {"augment": A.Normalize(), "batch_size": None}])
def test_workers_deliver_what_threads_do(arrays: Any, options: dict[str, Any]) -> None:
    """The stream does not depend on who makes it: pixels, labels, keys and their order."""
    options = {"image_size": (12, 12), "batch_size": 7, "seed": 3} | options
    assert stream(Loader(arrays, workers=2, **options)) == stream(Loader(arrays, **options))


def test_any_step_can_be_resumed(arrays: Any) -> None:
    """Workers begin wherever they are asked to."""
    loader = Loader(arrays, image_size=None, batch_size=7, workers=2)
    whole = [images.tobytes() for images, _ in loader.dataset(epoch=1).as_numpy_iterator()]
    assert [images.tobytes() for images, _ in loader.dataset(epoch=1, step=2).as_numpy_iterator()] == whole[2:]


@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_bad_samples_are_written_down_by_the_loader(tmp_path: Path, on_error: Any) -> None:
    """What a worker finds stands in `errors`, once, and the stream is that of threads."""
    options: dict[str, Any] = {"image_size": (16, 16), "batch_size": 4, "on_error": on_error}
    folder = bad_folder(tmp_path)
    helped, alone = Loader(folder, workers=2, **options), Loader(folder, **options)
    assert stream(helped) == stream(alone)
    assert helped.errors == alone.errors
    assert len(helped.errors) == 1


def test_bad_samples_are_raised(tmp_path: Path) -> None:
    """An error is that of the sample, with its name."""
    loader = Loader(bad_folder(tmp_path, ".png"), image_size=(16, 16), workers=1, seed=1)
    with pytest.raises(Exception, match=r"odd/bad\.png"):
        stream(loader)
    assert isinstance(loader.failure, DecodeError)
    assert [row.sample for row in loader.errors] == ["odd/bad.png"]


def test_dead_workers_are_replaced(arrays: Any) -> None:
    """A process that is killed costs a batch made twice, and nothing else."""
    before = children()
    loader = Loader(arrays, image_size=None, batch_size=4, workers=2, parallel_calls=1, prefetch=0)
    batches = iter(loader.dataset().as_numpy_iterator())
    made = [next(batches)[0].tobytes()]
    for process in children() - before:
        os.kill(process, signal.SIGKILL)
    made += [images.tobytes() for images, _ in batches]
    alone = Loader(arrays, image_size=None, batch_size=4)
    assert made == [images.tobytes() for images, _ in alone.dataset().as_numpy_iterator()]


def test_workers_that_keep_dying_are_given_up(arrays: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transform that ends the process is not tried for ever; the error says where it happened."""
    (tmp_path / "deadly.py").write_text(
        "import os, albumentations as A\n"
        "HOME = os.getpid()\n"
        "class Deadly(A.ImageOnlyTransform):\n"
        "    home = HOME\n"
        "    def apply(self, img, **params):\n"
        "        if os.environ.get('CUDA_VISIBLE_DEVICES') == '-1': os._exit(7)\n"
        "        return img\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    import deadly

    loader = Loader(arrays, image_size=None, augment=deadly.Deadly(p=1), workers=1)
    with pytest.raises(Exception, match=r"ended, with the statuses \[7, 7, 7\]"):
        stream(loader)
    assert isinstance(loader.failure, WorkerError)


def test_what_no_other_process_can_be_told_is_refused(arrays: Any) -> None:
    """A lambda has no name in another process: the loader says so when it is made."""
    transform = A.Lambda(image=lambda image, **_: image, p=1)
    with pytest.raises(OptionError, match="workers=0"):
        Loader(arrays, augment=transform, workers=2)


def test_memory_of_one_process_is_refused(arrays: Any) -> None:
    """A cache in memory would be filled by each worker."""
    with pytest.raises(OptionError, match="cache='ram'"):
        Loader(arrays, cache="ram", workers=2)


def test_workers_end_with_the_loader(arrays: Any) -> None:
    """No process is left behind."""
    before = children()
    loader = Loader(arrays, image_size=None, workers=2)
    stream(loader, epochs=1)
    assert children() - before
    del loader
    deadline = time.monotonic() + 10
    while children() - before and time.monotonic() < deadline:
        gc.collect()
    assert not children() - before
