"""`loader.numpy()` yields what `loader.dataset()` does, without TensorFlow."""

import gc
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # its users know it by this name
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.text import EDA
from pipeline import Loader, TextLoader
from pipeline.errors import OptionError, SampleError

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 9, 10, 3), np.uint8)
LABELS = np.arange(11) % 2


def describe(element: Any) -> Any:
    """Describe an element: structure, shapes, dtypes and bytes."""
    if isinstance(element, tuple):
        return tuple(map(describe, element))
    if isinstance(element, bytes):
        return element
    array = np.asarray(element)
    return type(element), array.shape, array.dtype, array.tolist() if array.dtype == object else array.tobytes()


def check_same(loader: Any, *, epochs: int = 2, **options: Any) -> None:
    """Check that both ways yield the same elements over some epochs."""
    arrays, dataset = loader.numpy(**options), loader.dataset(**options)
    assert len(arrays) == len(dataset)
    assert arrays.class_names == dataset.class_names
    for _ in range(epochs):
        found = [describe(element) for element in arrays]
        assert found == [describe(element) for element in dataset.as_numpy_iterator()]


@given(
    batch_size=st.sampled_from([1, 3, 4, 11, 50, None]),
    label_mode=st.sampled_from(["int", "categorical", "binary", None]),
    drop_remainder=st.booleans(),
    calls=st.sampled_from([1, 2, 8]),
    prefetch=st.sampled_from([0, 1, 5]),
    epoch=st.integers(0, 3),
    with_keys=st.booleans(),
    data=st.data(),
)
@settings(max_examples=8)
def test_arrays_are_those_of_the_dataset(
    batch_size: int | None, drop_remainder: bool, calls: int, prefetch: int, epoch: int, with_keys: bool, **rest: Any
) -> None:
    """Whatever the options are, and wherever the stream starts."""
    loader = Loader(
        (IMAGES, LABELS),
        image_size=(8, 8),
        batch_size=batch_size,
        label_mode=rest["label_mode"],
        drop_remainder=drop_remainder and batch_size not in (None, 50),
        num_parallel_calls=calls,
        prefetch=prefetch,
        augment=A.Compose([A.RandomCrop(7, 7), A.HorizontalFlip(), A.RandomBrightnessContrast(p=1)]),
    )
    step = rest["data"].draw(st.integers(0, loader.steps_per_epoch))
    check_same(loader, epoch=epoch, step=step, with_keys=with_keys)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_bad_samples_are_skipped_or_replaced_alike(
    folders: Callable[..., Path], batch_size: int | None, on_error: Any
) -> None:
    """A batch of bad samples alone is not yielded."""
    data = folders(ants=3, bees=3)
    for number in range(2):
        (data / "bees" / f"{number}.png").write_bytes(b"no image")
    loader = Loader(data, image_size=(8, 8), batch_size=batch_size, on_error=on_error, shuffle=False)
    check_same(loader, epoch=1, with_keys=True)
    assert len(loader.errors) == 2


def test_floats_stay_floats() -> None:
    """A pipeline that normalizes ends in float32."""
    check_same(Loader((IMAGES, LABELS), image_size=None, batch_size=4, augment=A.Normalize()))


@pytest.mark.parametrize("batch_size", [None, 3])
def test_texts_are_those_of_the_dataset(tmp_path: Path, batch_size: int | None) -> None:
    """Texts are bytes, as TensorFlow's strings are."""
    path = tmp_path / "texts.tsv"
    path.write_text("text\tlabel\n" + "".join(f"a good film, é number {i}\t{i % 2}\n" for i in range(7)))
    loader = TextLoader(path, batch_size=batch_size, augment=EDA(num_aug=1), num_aug=1, workers=0)
    check_same(loader, with_keys=True, step=1)


def test_two_iterators_take_successive_epochs() -> None:
    """In the order of their first elements, as those of a dataset do."""
    loader = Loader((IMAGES, LABELS), image_size=None, batch_size=11)
    arrays, epochs = loader.numpy(), [next(iter(loader.numpy(epoch)))[0].tobytes() for epoch in range(2)]
    late, early = iter(arrays), iter(arrays)
    assert next(early)[0].tobytes() == epochs[0]
    assert next(late)[0].tobytes() == epochs[1]


def test_an_error_is_raised_in_its_position(folders: Callable[..., Path]) -> None:
    """As itself; the batches before and after it come."""
    data = folders(ants=6)
    (data / "ants" / "2.png").write_bytes(b"no image")
    loader = Loader(data, image_size=(8, 8), batch_size=1, shuffle=False, num_parallel_calls=3)
    iterator = iter(loader.numpy(with_keys=True))
    found: list[Any] = []
    while True:
        try:
            found.append(next(iterator)[2][0])
        except SampleError as error:
            found.append(error)
        except StopIteration:
            break
    assert found == [b"ants/0.png", b"ants/1.png", loader.failure, b"ants/3.png", b"ants/4.png", b"ants/5.png"]
    assert loader.failure.sample == "ants/2.png"  # type: ignore[union-attr]  # it is there


def test_what_no_batch_can_follow_is_refused() -> None:
    """Positions and options as `dataset` checks them; a loader without a good sample."""
    loader = Loader((IMAGES, LABELS), image_size=None, batch_size=4)
    for options in ({"step": 4}, {"epoch": -1}, {"with_keys": 1}):
        with pytest.raises(OptionError):
            loader.numpy(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_a_bad_first_sample_is_told_at_once(folders: Callable[..., Path]) -> None:
    """By the call, as `dataset` does, and in `failure`."""
    data = folders(ants=1)
    (data / "ants" / "0.png").write_bytes(b"no image")
    loader = Loader(data)
    with pytest.raises(SampleError, match=r"ants/0\.png") as caught:
        loader.numpy()
    assert loader.failure is caught.value


def test_arrays_that_are_kept_stay_as_they_are() -> None:
    """Memory is used again only when nothing refers to it."""
    loader = Loader((IMAGES, LABELS), image_size=None, batch_size=2)
    kept = [element for _ in range(5) for element in loader.numpy(epoch=0)]
    assert [describe(element) for element in kept] == 5 * [describe(element) for element in loader.numpy()]


def test_deleting_an_iterator_frees_the_loader_and_ends_the_threads() -> None:
    """An iterator within an epoch keeps nothing alive after it is gone."""
    loader = Loader((IMAGES, LABELS), image_size=None, batch_size=1, num_parallel_calls=3)
    iterator, held = iter(loader.numpy()), weakref.ref(loader._stages)
    next(iterator)
    threads = [thread for thread in threading.enumerate() if thread.name == "caudal-ahead"]
    del iterator, loader
    gc.collect()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
    assert held() is None


def test_a_closed_iterator_has_no_next_batch() -> None:
    """Its threads end at once."""
    iterator = iter(Loader((IMAGES, LABELS), image_size=None, batch_size=1).numpy())
    next(iterator)
    iterator.close()
    assert list(iterator) == []


def test_a_fork_iterates_anew() -> None:
    """A child has none of the threads: it is told so, and does not wait for them."""
    arrays = Loader((IMAGES, LABELS), image_size=None, batch_size=4).numpy()
    iterator = iter(arrays)
    next(iterator)
    child = os.fork()
    if not child:
        status = 1
        try:
            next(iterator)
        except RuntimeError:
            status = len(list(arrays))
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


LIGHT = """
import re, sys
from pathlib import Path
import albumentations as A
from caudal import Loader, TextLoader
from pipeline.images.decode import load_decoder
from tests.pipeline.workers.processes import children, grandchildren

def read_peak_mb(process):
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path(f"/proc/{process}/status").read_text())[1]) / 1024

options = {"image_size": (8, 8), "batch_size": 2, "augment": A.Compose([A.RandomCrop(6, 6), A.ColorJitter()])}
for folder in sys.argv[1:3]:
    assert sum(len(images) for images, _ in Loader(folder, num_parallel_calls=8, **options).numpy()) == 4
assert sum(len(texts) for texts, _ in TextLoader(sys.argv[3]).numpy()) == 4
loader = Loader(sys.argv[1], workers=1, num_parallel_calls=3, **options)
loader.start_workers()
assert sum(len(images) for images, _ in loader.numpy()) == 4
processes = ["self", *children(), *grandchildren()]
print(len(processes), "tensorflow" in sys.modules)
print(load_decoder() is not None, *("tensorflow" in Path(f"/proc/{one}/maps").read_text() for one in processes))
print(*map(read_peak_mb, processes))
"""


def test_neither_the_process_nor_its_workers_import_tensorflow(
    folders: Callable[..., Path], tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """And each takes at most 200 MB at its peak: the program, the fork server and its worker."""
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"{number % 2} some text\n" for number in range(4)))
    arguments = [str(folders(a=2, b=2, extension=extension)) for extension in (".jpg", ".png")] + [str(texts)]
    output = run_python(f"import sys; sys.argv[1:] = {arguments!r}\n{LIGHT}")
    count, decoders, peaks = output.splitlines()
    assert count == "3 False"
    if decoders.startswith("False"):
        pytest.skip("the native decoder is not in use: TensorFlow decodes")
    assert decoders == "True False False False"
    assert max(map(float, peaks.split())) < 200
