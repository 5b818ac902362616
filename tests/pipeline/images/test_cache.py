"""Caches: each sample is read or decoded once, whatever is cut short or damaged; what does not fit is refused."""

import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  # the name that its users give it
import numpy as np
import pytest

from pipeline import Loader
from pipeline.errors import CacheError, OptionError
from pipeline.images.cache import Cache, PixelCache, RamCache
from pipeline.sources import open_source

Make = Callable[..., Any]
SHAPE = (4, 5, 3)


def stream(loader: Loader, epochs: int = 1, steps: int | None = None) -> list[tuple[bytes, list[int]]]:
    """List the pixels and labels of all batches of some epochs, or of some steps of one."""
    dataset = loader.dataset() if steps is None else loader.dataset().take(steps)
    return [(images.numpy().tobytes(), labels.numpy().tolist()) for _ in range(epochs) for images, labels in dataset]


def spoil(folder: Path) -> None:
    """Make every image unreadable, so that the files still look the same from outside."""
    for path in folder.glob("*/*"):
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def slots(cache: Path) -> Path:
    """Find the file that holds the pixels."""
    (found,) = cache.glob("*/pixels.u8")
    return found


@pytest.fixture
def folder(folders: Make) -> Path:
    """Write class-folders of nine pictures, 8 x 10."""
    return folders(ants=4, bees=5)


@pytest.fixture
def options() -> dict[str, Any]:
    """Give the options of the loaders below: nothing is read ahead of what is asked for."""
    return {"image_size": (4, 5), "batch_size": 2, "num_parallel_calls": 1, "prefetch": 0}


def test_from_memory_nothing_is_read_twice(folder: Path, options: dict[str, Any]) -> None:
    """With `cache="ram"` the files may be deleted after the first epoch; without a cache they are missed."""
    uncached, cached = Loader(folder, **options), Loader(folder, cache="ram", **options)
    wanted = stream(uncached, epochs=3)
    dataset = cached.dataset()
    seen = [(images.numpy().tobytes(), labels.numpy().tolist()) for images, labels in dataset]
    shutil.rmtree(folder)
    seen += [(images.numpy().tobytes(), labels.numpy().tolist()) for _ in range(2) for images, labels in dataset]
    assert seen == wanted
    with pytest.raises(Exception, match="No such file"):
        stream(uncached)


def test_a_ram_cache_reads_each_sample_once(folder: Path) -> None:
    """Nine samples that are asked for from many threads again and again give what the source gives."""
    source = open_source(folder)
    wanted = [source.read(index) for index in range(9)]
    cache = RamCache(source)
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(cache.read, list(range(9)) * 20))
    assert given == wanted * 20
    shutil.rmtree(folder)
    assert [cache.read(index) for index in range(9)] == wanted


def test_a_ram_cache_says_of_itself_what_the_source_says(folder: Path) -> None:
    """Length, labels, names, keys, size, fingerprint and ignored files are the source's."""
    (folder / "ants" / "notes.txt").touch()
    source = open_source(folder)
    cache = RamCache(source)
    assert len(cache) == len(source)
    assert cache.labels().tolist() == source.labels().tolist()
    assert cache.class_names == source.class_names
    assert cache.sizes().tolist() == source.sizes().tolist()
    assert cache.fingerprint == source.fingerprint
    assert cache.ignored_files == source.ignored_files == {"not an image: .txt": 1}
    assert cache.peek(3).key == source.peek(3).key == "ants/3.png"


def test_what_does_not_fit_into_memory_is_refused_beforehand(folder: Path) -> None:
    """The error says how much it would take and how much may be taken; one byte more passes."""
    needed = int(open_source(folder).sizes().sum())
    with pytest.raises(CacheError) as caught:
        Loader(folder, cache=Cache("ram", limit_bytes=needed - 1))
    assert str(caught.value) == (
        f"caching 9 samples needs {needed:,} bytes, more than limit_bytes={needed - 1:,}; raise limit_bytes"
    )
    assert Loader(folder, cache=Cache("ram", limit_bytes=needed)).num_examples == 9


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3,), {}, 'Cache: directory must be "ram" or a path, got 3'),
        (("",), {}, "Cache: directory must be \"ram\" or a path, got ''"),
        (("DIR",), {"size": "big"}, "Cache: size must be (height, width) in pixels, or None; got 'big'"),
        (("DIR",), {"limit_bytes": -1}, "Cache: limit_bytes must be an integer of at least 0, or None; got -1"),
        (
            ("ram",),
            {"size": (4, 5)},
            'Cache("ram") keeps encoded images, which have no common size; got size=(4, 5); use a directory',
        ),
    ],
)
def test_a_cache_that_makes_no_sense_is_refused(
    arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    """When it is made, and before there is a loader."""
    with pytest.raises(OptionError) as caught:
        Cache(*arguments, **options)
    assert str(caught.value) == message


def test_a_cache_is_a_value(folder: Path, tmp_path: Path) -> None:
    """A string or path stands for the cache with its defaults; equal caches make equal fingerprints."""
    assert Cache.from_option("ram") == Cache("ram")
    assert Cache("DIR", size=[np.int64(4), 5]) == Cache("DIR", size=(4, 5))  # type: ignore[arg-type]
    alike = [tmp_path, Cache(tmp_path), Cache(tmp_path, size=(4, 5)), Cache(tmp_path, limit_bytes=10**6)]
    assert len({Loader(folder, image_size=(4, 5), cache=cache).fingerprint for cache in alike}) == 1
    loader = Loader(folder, image_size=(4, 5), cache=Cache(tmp_path, size=(6, 7)))
    assert pickle.loads(pickle.dumps(loader)).cache == loader.cache  # noqa: S301  # what was just made


def test_what_memory_cannot_hold_is_refused_without_a_limit(tmp_path: Path) -> None:
    """A dataset of 8 TiB is refused by what the machine has to spare."""
    (tmp_path / "a").mkdir()
    with open(tmp_path / "a" / "1.png", "wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(CacheError, match=rf"^caching 1 samples needs {1 << 43:,} bytes, but only [\d,]+ bytes of "):
        RamCache(open_source(tmp_path))


def test_what_does_not_fit_onto_the_disk_is_refused_beforehand(
    folder: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Before any image is decoded, the error says how much the cache would take and how much it may."""
    spoil(folder)
    loader = Loader(folder, cache=Cache(tmp_path / "cache", limit_bytes=539), **options)
    with pytest.raises(CacheError) as caught:
        loader.dataset()
    assert (
        str(caught.value)
        == "caching 9 images of (4, 5, 3) needs 540 bytes, more than limit_bytes=539; raise limit_bytes"
    )
    assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file()) == 0


def test_what_the_disk_cannot_hold_is_refused_without_a_limit(tmp_path: Path) -> None:
    """More than is free is refused, naming the directory."""
    with pytest.raises(CacheError) as caught:
        PixelCache(tmp_path, "name", 10**9, (10_000, 10_000, 3))
    assert str(caught.value).startswith(
        f"caching {10**9} images of (10000, 10000, 3) needs {3 * 10**17:,} bytes, but only "
    )
    assert str(caught.value).endswith(f" bytes are free in {tmp_path}")


def test_a_cache_where_no_directory_can_be_is_refused(folder: Path, options: dict[str, Any], tmp_path: Path) -> None:
    """A path below a file is an error that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(CacheError) as caught:
        Loader(folder, cache=tmp_path / "file" / "cache", **options).dataset()
    assert str(caught.value) == f"cannot create the cache in {tmp_path / 'file' / 'cache'}: Not a directory"


def test_a_cache_directory_changes_no_stream(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """In the first epoch, in later ones and in another loader the images are those without a cache."""
    wanted = stream(Loader(folder, **options), epochs=2)
    assert stream(Loader(folder, cache=tmp_path / "cache", **options), epochs=2) == wanted
    assert stream(Loader(folder, cache=tmp_path / "cache", **options), epochs=2) == wanted


def test_a_cache_directory_outlives_its_loader(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """After one epoch no image is decoded any more, in this loader or the next."""
    wanted = stream(Loader(folder, **options), epochs=2)
    first = Loader(folder, cache=tmp_path / "cache", **options)
    dataset = first.dataset()
    seen = [(images.numpy().tobytes(), labels.numpy().tolist()) for images, labels in dataset]
    spoil(folder)
    seen += [(images.numpy().tobytes(), labels.numpy().tolist()) for images, labels in dataset]
    assert seen == wanted
    assert stream(Loader(folder, cache=tmp_path / "cache", **options), epochs=2) == wanted


def test_another_process_uses_the_cache(
    folder: Path, tmp_path: Path, options: dict[str, Any], run_python: Make
) -> None:
    """What one process decoded, another need not."""
    wanted = stream(Loader(folder, cache=tmp_path / "cache", **options))
    spoil(folder)
    code = (
        "import pipeline\n"
        f"loader = pipeline.Loader({str(folder)!r}, cache={str(tmp_path / 'cache')!r}, **{options!r})\n"
        "print([(images.numpy().tobytes(), labels.numpy().tolist()) for images, labels in loader.dataset()] )"
    )
    assert run_python(code).strip() == repr(wanted)


def test_an_interrupted_epoch_loses_nothing(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """What was decoded before the interruption is in the cache, and the rest is decoded later."""
    wanted = stream(Loader(folder, **options))
    assert stream(Loader(folder, cache=tmp_path / "cache", **options), steps=2) == wanted[:2]
    after = Loader(folder, cache=tmp_path / "cache", **options)
    held = folder.rename(tmp_path / "held")
    shutil.copytree(held, folder)
    spoil(folder)
    assert stream(after, steps=2) == wanted[:2]
    shutil.rmtree(folder)
    held.rename(folder)
    assert stream(Loader(folder, cache=tmp_path / "cache", **options)) == wanted


@pytest.mark.parametrize("byte", [0, 59, 300, 539])
def test_a_damaged_slot_is_decoded_again(folder: Path, tmp_path: Path, options: dict[str, Any], byte: int) -> None:
    """A flipped byte in the cache is found by its checksum, and decoded again."""
    loader = Loader(folder, cache=tmp_path / "cache", **options)
    wanted = stream(loader)
    pixels = bytearray(slots(tmp_path / "cache").read_bytes())
    assert len(pixels) == 540
    whole = bytes(pixels)
    pixels[byte] ^= 1
    slots(tmp_path / "cache").write_bytes(pixels)
    assert stream(Loader(folder, cache=tmp_path / "cache", **options)) == wanted
    assert slots(tmp_path / "cache").read_bytes() == whole


def test_a_cache_that_was_cut_off_is_filled_again(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """Files that are too short, or empty, are completed."""
    wanted = stream(Loader(folder, cache=tmp_path / "cache", **options))
    for name, size in (("pixels.u8", 100), ("checksums.u64", 5), ("pixels.u8", 0)):
        os.truncate(slots(tmp_path / "cache").with_name(name), size)
        assert stream(Loader(folder, cache=tmp_path / "cache", **options)) == wanted


@pytest.mark.filterwarnings("ignore:Using lambda")
def test_images_are_augmented_from_the_size_that_is_cached(
    folder: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    """With a size, the augmentation sees images of that size, and draws anew in each epoch."""
    sizes = []
    note = A.Lambda(image=lambda image, **_: sizes.append(image.shape) or image, name="note", p=1)
    cache = Cache(tmp_path / "cache", size=(6, 7))
    loader = Loader(folder, cache=cache, augment=[note, A.HorizontalFlip()], **options)
    sizes.clear()  # the transform has been tried out
    first, second = stream(loader), stream(loader)
    assert set(sizes) == {(6, 7, 3)}
    assert first == second
    assert stream(loader, epochs=2)[5:] != first


def test_a_changed_file_is_not_served_from_the_cache(
    folder: Path, tmp_path: Path, options: dict[str, Any], picture: Make, encode: Make
) -> None:
    """An image that was replaced changes the fingerprint, and so the place in the cache."""
    before = Loader(folder, cache=tmp_path / "cache", **options)
    stream(before)
    (folder / "ants" / "0.png").write_bytes(encode(picture(99)))
    after = Loader(folder, cache=tmp_path / "cache", **options)
    assert after.fingerprint != before.fingerprint
    assert stream(after) == stream(Loader(folder, **options)) != stream(before)


@pytest.mark.parametrize(
    "other", [{"image_size": (3, 5)}, {"color_mode": "grayscale"}, {"interpolation": "nearest"}, {"size": (2, 2)}]
)
def test_images_that_were_decoded_otherwise_do_not_mix(
    folder: Path, tmp_path: Path, options: dict[str, Any], other: dict[str, Any]
) -> None:
    """Another size, color mode or interpolation has a file of its own in the same directory."""
    stream(Loader(folder, cache=tmp_path / "cache", **options))
    size = other.pop("size", None)
    spoilt = {**options, **other}
    given = stream(Loader(folder, cache=Cache(tmp_path / "cache", size=size), **spoilt))
    assert given == stream(Loader(folder, cache=Cache(tmp_path / "fresh", size=size), **spoilt))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_arrays_have_no_cache_directory(tmp_path: Path) -> None:
    """Their pixels are in memory already, and may be floating point: there is nothing to keep."""
    array = np.zeros((6, 4, 5, 3), np.float32)
    with pytest.raises(OptionError, match="arrays are already decoded and in memory"):
        Loader((array, [0] * 6), image_size=(4, 5), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_the_samples_of_a_part_count_against_the_memory(folder: Path) -> None:
    """The training part of a split needs the memory of its own files."""
    whole = int(open_source(folder).sizes().sum())
    cache = Cache("ram", limit_bytes=whole * 2 // 3)
    assert Loader(folder, cache=cache, validation_split=0.5, subset="training").num_examples < 9


def test_a_slot_that_was_never_written_is_empty(tmp_path: Path, picture: Make) -> None:
    """Each image is stored and found by itself; an image of zeros is not taken for an empty slot."""
    cache = PixelCache(tmp_path, "name", 3, SHAPE)
    assert [cache.get(index) for index in range(3)] == [None] * 3
    cache.put(1, picture(0, 4, 5))
    cache.put(2, np.zeros(SHAPE, np.uint8))
    assert cache.get(0) is None
    np.testing.assert_array_equal(cache.get(1), picture(0, 4, 5))
    np.testing.assert_array_equal(cache.get(2), np.zeros(SHAPE))
    cache.get(1)[:] = 0
    np.testing.assert_array_equal(cache.get(1), picture(0, 4, 5))


def test_many_writers_share_a_cache(tmp_path: Path, picture: Make) -> None:
    """Two caches on one directory, eight threads, 64 slots: each slot holds its image."""
    caches = [PixelCache(tmp_path, "name", 64, SHAPE) for _ in range(2)]

    def write_and_read(number: int) -> bool:
        caches[number % 2].put(number % 64, picture(number % 64, 4, 5))
        found = caches[1 - number % 2].get(number % 64)
        return found is None or np.array_equal(found, picture(number % 64, 4, 5))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(write_and_read, range(640)))
    for number in range(64):
        np.testing.assert_array_equal(caches[0].get(number), picture(number, 4, 5))


def test_a_cache_closes_its_files(tmp_path: Path) -> None:
    """A hundred caches that came and went leave no file open."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        PixelCache(tmp_path, "name", 3, SHAPE)
    assert len(os.listdir("/proc/self/fd")) <= before + 2
