"""A worker computes several batches at once, and none of them pays for another."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import Loader
from pipeline.errors import WorkerError
from pipeline.workers import process
from tests.pipeline.workers.processes import grandchildren
from tests.pipeline.workers.test_pool import CROP_AND_COLOR, bad_folder

IMAGES = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), np.uint8)
LABELS = np.arange(40) % 3

MARK = 77
"""The level of images at which transforms do something special."""

TRANSFORMS = """
import os, threading, time
import albumentations as A

def is_marked_in_a_worker(image):
    return os.environ.get("OMP_NUM_THREADS") == "1" and (image == 77).all()

class Meet(A.ImageOnlyTransform):
    def apply(self, img, **params):
        if is_marked_in_a_worker(img):
            folder = os.path.join(os.path.dirname(__file__), "threads")
            os.makedirs(folder, exist_ok=True)
            open(os.path.join(folder, str(threading.get_ident())), "w").close()
            for _ in range(6000):
                if len(os.listdir(folder)) >= 4:
                    return img
                time.sleep(0.01)
            raise RuntimeError("fewer than four threads")
        return img

class Deadly(A.ImageOnlyTransform):
    def apply(self, img, **params):
        if os.environ.get("OMP_NUM_THREADS") == "1":
            time.sleep(0.01)
        if is_marked_in_a_worker(img):
            os._exit(7)
        return img
"""


@pytest.fixture
def transforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module that workers can import, too."""
    (tmp_path / "transforms_of_lanes.py").write_text(TRANSFORMS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    import transforms_of_lanes

    return transforms_of_lanes


def start(source: Any = (IMAGES, LABELS), **options: Any) -> Loader:
    """Return a loader whose workers have started."""
    loader = Loader(source, **{"image_size": (12, 12), "batch_size": 4} | options)
    loader.start_workers()
    return loader


def stream(loader: Loader) -> list[Any]:
    """Give the batches of an epoch; one that raises is its error."""
    iterator, found = iter(loader.numpy(with_keys=True)), []
    while True:
        try:
            images, labels, keys = next(iterator)
            found.append((images.tobytes(), labels.tolist(), keys.tolist()))
        except StopIteration:
            return found
        except WorkerError as error:
            found.append(error)


@pytest.mark.parametrize(("workers", "calls"), [(1, 4), (2, 5)])
def test_a_stream_is_the_same_however_calls_are_divided(tmp_path: Path, workers: int, calls: int) -> None:
    """Threads and processes, with a bad sample, which each reports."""
    options: dict[str, Any] = {"augment": CROP_AND_COLOR, "on_error": "skip", "batch_size": 2}
    data = bad_folder(tmp_path)
    alone, helped = start(data, **options), start(data, workers=workers, num_parallel_calls=calls, **options)
    assert stream(helped) == stream(alone)
    assert helped.errors == alone.errors
    assert len(helped.errors) == 1


def test_one_process_computes_as_many_batches_at_once_as_are_asked_for(transforms: Any) -> None:
    """Four batches wait for each other: fewer threads would never compute them."""
    source = np.full((8, 12, 12, 3), MARK, np.uint8), np.arange(8) % 3
    loader = start(source, augment=transforms.Meet(p=1), batch_size=1, workers=1, num_parallel_calls=4)
    assert stream(loader) == stream(start(source, batch_size=1))


def test_a_batch_that_ends_its_process_fails_alone(transforms: Any) -> None:
    """Those that were computed at the same time are computed again."""
    images = IMAGES.copy()
    images[13] = MARK
    options: dict[str, Any] = {"source": (images, LABELS), "shuffle": False}
    found = stream(start(augment=transforms.Deadly(p=1), workers=1, num_parallel_calls=4, **options))
    assert isinstance(found[3], WorkerError)
    assert "exit statuses [7, 7, 7] on positions 12 to 15" in str(found[3])
    expected = stream(start(**options))
    assert found[:3] + found[4:] == expected[:3] + expected[4:]


def test_a_process_that_is_killed_costs_no_batch() -> None:
    """All its lanes ask another one again."""
    before = grandchildren()
    loader = start(batch_size=1, workers=2, num_parallel_calls=6, prefetch=0)
    iterator = iter(loader.numpy())
    found = [next(iterator)[0].tobytes()]
    for worker in grandchildren() - before:
        os.kill(worker, signal.SIGKILL)
    found += [images.tobytes() for images, _ in iterator]
    assert found == [images for images, *_ in stream(start(batch_size=1))]


def test_an_exception_in_one_lane_costs_the_others_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the process, whose answer nobody would read; threads in other lanes get their own batches."""
    loader, receive, failed = start(workers=1, num_parallel_calls=4), process._receive, []
    expected = [loader._stages.batch(0, start, start + 4) for start in range(0, 40, 4)]

    def fail_sometimes(connection: Any) -> bytes:
        failed.append(len(failed) % 17 == 16)
        if failed[-1]:
            raise MemoryError
        return receive(connection)

    def compute(number: int) -> bool:
        try:
            batch = loader._batches.batch(0, 4 * number, 4 * number + 4)
        except MemoryError:
            return True
        return all(np.array_equal(*pair) for pair in zip(batch, expected[number], strict=True))

    monkeypatch.setattr(process, "_receive", fail_sometimes)
    with ThreadPoolExecutor(6) as pool:  # more than lanes
        assert all(pool.map(compute, [*range(10)] * 3))
    assert any(failed)
