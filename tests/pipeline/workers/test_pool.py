"""Processes that make batches deliver what threads do."""

import os
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import cv2
import numpy as np
import pytest

from augment import MixUp
from augment.views import Flip
from pipeline import Cache, Loader
from pipeline.errors import DecodeError, OptionError
from tests.augment.own_transforms import Reverse, Shift, make_pipeline
from tests.pipeline.workers.processes import fail, grandchildren, is_in_slot, iterate_until_served, slots, until

CROP_AND_COLOR = A.Compose([A.RandomCrop(12, 12), A.HorizontalFlip(), A.ColorJitter(p=1)])
MIXED = {"mix": MixUp(), "label_mode": "categorical"}


class Own(Flip):
    """Views that a user has defined."""


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Give 40 noisy images and their labels."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (40, 16, 16, 3), np.uint8), np.arange(40) % 3


def folder(tmp_path: Path, extension: str = ".bmp", growth: int = 0) -> Path:
    """Make nine images in two class-folders, each larger than the one before by some pixels.

    For a PNG each server imports TensorFlow, which takes seconds: one test does that, the others need not.
    """
    random = np.random.default_rng(0)
    for number in range(9):
        path = tmp_path / "data" / ("even", "odd")[number % 2] / f"{number}{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        side = 16 + growth * number
        cv2.imwrite(str(path), random.integers(0, 256, (side, 2 * side, 3), np.uint8))
    return tmp_path / "data"


def bad_folder(tmp_path: Path, extension: str = ".bmp") -> Path:
    """Make a folder with one file that is no image."""
    made = folder(tmp_path, extension)
    (made / "odd" / "bad.png").write_bytes(b"no image")
    return made


def stream(loader: Loader, epochs: int = 2) -> list[tuple[bytes, list[Any], list[bytes]]]:
    """Give the batches of some epochs."""
    dataset = loader.dataset(with_keys=True)
    return [
        (images.tobytes(), np.asarray(labels).tolist(), np.asarray(keys).tolist())
        for _ in range(epochs)
        for images, labels, keys in dataset.as_numpy_iterator()
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"augment": CROP_AND_COLOR}, {"augment": A.Normalize(), "batch_size": None}, MIXED],
    ids=["plain", "augmented", "float32", "mixed"],
)
def test_workers_deliver_what_threads_do(arrays: Any, options: dict[str, Any]) -> None:
    """The stream does not depend on who makes it: pixels, labels, keys and their order."""
    options = {"image_size": (12, 12), "batch_size": 7, "seed": 3} | options
    assert stream(iterate_until_served(Loader(arrays, workers=2, **options))) == stream(Loader(arrays, **options))


def test_images_of_different_sizes_are_delivered(tmp_path: Path) -> None:
    """Memory that a smaller image has left is no measure for the next one."""
    options: dict[str, Any] = {"image_size": None, "batch_size": None, "workers": 1, "num_parallel_calls": 1}
    data = folder(tmp_path, growth=9)
    alone = Loader(data, image_size=None, batch_size=None)
    assert stream(iterate_until_served(Loader(data, **options)), epochs=4) == stream(alone, epochs=4)


def test_workers_fill_a_cache_of_the_size_that_it_has(tmp_path: Path) -> None:
    """The value of `cache` reaches them as it is."""
    data = folder(tmp_path)
    options: dict[str, Any] = {"image_size": (8, 8), "cache": Cache(tmp_path / "cache", size=(12, 12))}
    assert stream(iterate_until_served(Loader(data, workers=1, **options))) == stream(Loader(data, **options))


def test_workers_can_be_waited_for(arrays: Any) -> None:
    """Once they have been started, they make every batch; without workers there is nothing to wait for."""
    loader = Loader(arrays, image_size=(16, 16), batch_size=7, workers=2)
    loader.start_workers()
    ours = len(grandchildren())
    assert ours >= 2
    for images, _ in loader.dataset():
        assert is_in_slot(np.asarray(memoryview(images)).ctypes.data)
    Loader(arrays).start_workers()
    assert len(grandchildren()) == ours


def test_any_step_can_be_resumed(arrays: Any) -> None:
    """Workers begin wherever they are asked to."""
    loader = iterate_until_served(Loader(arrays, image_size=None, batch_size=7, workers=2))
    whole = [images.tobytes() for images, _ in loader.dataset(epoch=1).as_numpy_iterator()]
    assert [images.tobytes() for images, _ in loader.dataset(epoch=1, step=2).as_numpy_iterator()] == whole[2:]


def test_batches_do_not_wait_for_workers(arrays: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While workers still start, threads of this process make the stream, and it is the same."""
    gate = tmp_path / "gate"
    (tmp_path / "slow.py").write_text(
        "import os, time, albumentations as A\n"
        f"while os.environ.get('OMP_NUM_THREADS') == '1' and not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "class Slow(A.InvertImg): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    import slow

    options: dict[str, Any] = {"image_size": None, "batch_size": 7, "augment": slow.Slow()}
    loader, before = Loader(arrays, workers=2, **options), len(grandchildren())
    expected = stream(Loader(arrays, **options))
    assert stream(loader) == expected
    until(lambda: len(grandchildren()) == before + 2)
    assert stream(loader) == expected
    gate.touch()
    assert stream(iterate_until_served(loader)) == expected


@pytest.mark.parametrize("on_error", ["skip", "replace"])
@pytest.mark.parametrize("late", [False, True], ids=["threads", "workers"])
def test_bad_samples_are_written_down_by_the_loader(tmp_path: Path, on_error: Any, late: bool) -> None:
    """What threads or workers find stands in `errors`, once, and the stream is that of threads."""
    options: dict[str, Any] = {"image_size": (16, 16), "batch_size": 4, "on_error": on_error}
    data = bad_folder(tmp_path)
    helped, alone = Loader(data, workers=2, **options), Loader(data, **options)
    assert stream(iterate_until_served(helped) if late else helped) == stream(alone)
    assert helped.errors == alone.errors
    assert len(helped.errors) == 1


def test_bad_samples_are_raised(tmp_path: Path) -> None:
    """An error is that of the sample, with its name, whoever meets it."""
    loader = Loader(bad_folder(tmp_path, ".png"), image_size=(16, 16), workers=1, seed=1, batch_size=1)
    for current in (loader, iterate_until_served(loader)):
        with pytest.raises(Exception, match=r"odd/bad\.png"):
            stream(current)
        assert isinstance(loader.failure, DecodeError)
        assert [row.sample for row in loader.errors] == ["odd/bad.png"]


def test_what_workers_cannot_import_is_said(arrays: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes as soon as it is known."""
    (tmp_path / "local.py").write_text(
        "import os, albumentations as A\n"
        "if os.environ.get('OMP_NUM_THREADS') == '1': raise ImportError('not here')\n"
        "class Local(A.InvertImg): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    import local

    loader = Loader(arrays, image_size=None, augment=local.Local(), workers=2)
    with pytest.raises(Exception, match=r"a worker process cannot build the loader .*not here"):
        fail(loader)
    assert isinstance(loader.failure, OptionError)


def test_memory_is_not_written_over_while_it_is_referred_to(arrays: Any) -> None:
    """Batches that are kept stay what they were, however many; the open files are bounded."""
    options: dict[str, Any] = {"image_size": None, "batch_size": 1}
    loader = iterate_until_served(Loader(arrays, workers=2, **options))
    files = len(os.listdir("/proc/self/fd"))
    kept, parted, alone = loader.dataset(), loader.dataset(), Loader(arrays, **options).dataset()
    tensors = [images for _ in range(5) for images, _ in kept]
    assert len(os.listdir("/proc/self/fd")) - files < 160
    parts = [images[0, 3:] for _ in range(5) for images, _ in parted.as_numpy_iterator()]
    for _ in range(3):
        for _ in loader.dataset():
            pass
    expected = [images for _ in range(5) for images, _ in alone.as_numpy_iterator()]
    assert all((tensor.numpy() == image).all() for tensor, image in zip(tensors, expected, strict=True))
    assert all((part == image[0, 3:]).all() for part, image in zip(parts, expected, strict=True))


def test_batches_are_not_copied(arrays: Any) -> None:
    """What TensorFlow delivers is the memory that a worker has written to."""
    loader = iterate_until_served(Loader(arrays, image_size=None, workers=1))
    (images, _), *_ = loader.dataset()
    assert is_in_slot(np.asarray(memoryview(images)).ctypes.data)


def test_memory_is_used_again(arrays: Any) -> None:
    """An epoch needs no more memory than some batches."""
    before = len(slots())
    loader = iterate_until_served(Loader(arrays, image_size=None, batch_size=1, workers=2))
    for _ in range(5):
        for _ in loader.dataset():
            pass
    assert len(slots()) - before <= 20


def test_what_no_other_process_can_be_told_is_refused(arrays: Any) -> None:
    """A lambda has no name in another process: the loader says so when it is made."""
    transform = A.Lambda(image=lambda image, **_: image, p=1)
    message = (
        r"^workers: option 'augment' cannot be sent to a worker process \(.*\); use a module-level class, or workers=0$"
    )
    with pytest.raises(OptionError, match=message):
        Loader(arrays, augment=transform, workers=2)


def test_what_a_user_has_defined_is_sent(arrays: Any) -> None:
    """Views, mixers and transforms of the user's modules, with all that they contain."""
    options: dict[str, Any] = {"image_size": (12, 12), "batch_size": 7, "label_mode": "categorical"}
    options |= {"augment": make_pipeline(), "views": Own(), "mix": Reverse()}
    assert stream(iterate_until_served(Loader(arrays, workers=2, **options))) == stream(Loader(arrays, **options))


def test_a_worker_that_would_make_other_pixels_says_so(arrays: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that this process has changed after its import is another one in a new process."""
    monkeypatch.setattr(Shift, "scale", 3)
    loader = Loader(arrays, image_size=None, augment=Shift(), workers=1)
    with pytest.raises(Exception, match=r"cannot build the loader \(TransformError: .* has other attributes: .*global"):
        fail(loader)


def test_memory_of_one_process_is_refused(arrays: Any) -> None:
    """A cache in memory would be filled by each worker."""
    with pytest.raises(OptionError, match="cache='ram'"):
        Loader(arrays, cache="ram", workers=2)
