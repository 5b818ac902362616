"""Tests of the diagnosis: it names bottlenecks that were planted, and what it promises comes true.

Nothing here is compared with the clock: the machine may be slow or busy. What is compared are ratios within one run,
and the planted bottlenecks are so large that noise cannot hide them.
"""

import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812
import cv2
import numpy as np
import pytest

from augment.plan import compiled
from pipeline import Loader, image_dataset
from pipeline.diagnosis import Diagnosis, Timing, diagnose
from pipeline.diagnosis.advice import Advice, advise
from pipeline.diagnosis.probe import MemorySource, Probe
from pipeline.images import stacking
from pipeline.images.timer import STAGES
from pipeline.processors import Processors, find_processors
from pipeline.sources import open_source
from pipeline.sources.base import Sample, read_samples
from pipeline.sources.folder import FolderSource

CROP = A.RandomCrop(48, 48)


def diagnose_quickly(loader: Loader, **options: Any) -> Diagnosis:
    """Diagnose with short passes."""
    return diagnose(loader, **{"rounds": 2, "pass_s": 0.2, **options})


def gain(before: Any, after: Any, rounds: int = 3) -> float:
    """Measure how much faster one dataset is than another, in turns, after a round that does not count."""
    rates: tuple[list[float], list[float]] = [], []
    for number in range(rounds + 1):
        for dataset, measured in zip((before, after), rates, strict=True):
            rate = images_per_second(dataset)
            if number:
                measured.append(rate)
    return statistics.median(rates[1]) / statistics.median(rates[0])


def images_per_second(dataset: Any, seconds: float = 0.4) -> float:
    """Consume a dataset for a while, without the batches with which it starts."""
    images, begin = 0, 0.0
    for number, (part, _) in enumerate(dataset):
        if number <= 4:
            begin = time.perf_counter()
        else:
            images += len(part)
        if number > 6 and time.perf_counter() - begin > seconds:
            break
    return images / (time.perf_counter() - begin)


def link_copies(root: Path, copies: int) -> Path:
    """Give every image so many names, so that an epoch is long and its beginning and end do not count."""
    for path in list(root.rglob("*.*")):
        for copy in range(1, copies):
            os.link(path, path.with_name(f"{path.stem}-{copy}{path.suffix}"))
    return root


def is_kept(promised: float, measured: float) -> bool:
    """Allow for noise: within a factor of 1.7; a promise above 10 must only be kept to that."""
    promised, measured = min(promised, 10.0), min(measured, 10.0)
    return promised / 1.7 < measured < promised * 1.7


@pytest.fixture
def photographs(folders: Callable[..., Path]) -> Path:
    """Give 1,600 files, 160 images of 64 x 64 pixels."""
    return link_copies(folders(ants=80, bees=80, height=64, width=64, extension=".jpg"), 10)


@pytest.mark.alone
def test_slow_augmentation_is_named_and_leaving_it_out_helps_as_promised(photographs: Path) -> None:
    """The transform that takes the time is the first advice, and without it the dataset is as fast as promised."""
    options: dict[str, Any] = {"image_size": (48, 48), "batch_size": 8, "num_parallel_calls": 2}
    slow = A.Compose([CROP, A.HorizontalFlip(), A.Superpixels(p_replace=0.5, n_segments=20, p=1)])
    found = diagnose_quickly(Loader(photographs, augment=slow, **options))
    assert found.bottleneck == "augment"
    assert found.advice[0].option == {"leave_out": "Superpixels"}
    assert found.verdict.startswith("augment-bound: ")
    assert "dropping or replacing Superpixels" in found.verdict
    quick = A.Compose([CROP, A.HorizontalFlip()])
    measured = gain(
        image_dataset(photographs, augment=slow, **options), image_dataset(photographs, augment=quick, **options)
    )
    assert is_kept(found.advice[0].factor, measured), (found.advice[0], measured)


def test_what_is_made_of_drafts_is_augmentation(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled kernels work once for several images, and still the time is that of the augmentation."""
    materialize_all = stacking.materialize_all

    def slow(deferred: Any) -> Any:
        time.sleep(0.002 * len(deferred))
        return materialize_all(deferred)

    monkeypatch.setattr(stacking, "materialize_all", slow)
    if compiled.load_kernels() is None:
        pytest.skip("the kernels were not compiled, or are not used on this processor")
    augmented = A.Compose([CROP, A.ColorJitter(p=1)])
    found = diagnose_quickly(
        Loader(photographs, image_size=(48, 48), batch_size=8, num_parallel_calls=2, augment=augmented)
    )
    assert found.bottleneck == "augment"


@pytest.mark.alone
def test_slow_disk_is_named_and_keeping_files_in_memory_helps_as_promised(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that waits for each file is what holds the dataset up; a cache in memory gives what is promised."""
    read = FolderSource.read

    def read_slowly(self: FolderSource, index: int) -> Any:
        time.sleep(0.003)
        return read(self, index)

    monkeypatch.setattr(FolderSource, "read", read_slowly)
    monkeypatch.delattr(FolderSource, "read_samples")
    options: dict[str, Any] = {"image_size": (48, 48), "batch_size": 8, "num_parallel_calls": 2}
    found = diagnose_quickly(Loader(photographs, **options))
    assert found.bottleneck == "read"
    assert found.of_limit > 0.6
    assert found.verdict.startswith("read-bound: ")
    promised = {str(advice.option): advice.factor for advice in found.advice}
    cached = image_dataset(photographs, cache="ram", **options)
    for _ in cached:  # the first epoch fills the cache
        pass
    measured = gain(image_dataset(photographs, **options), cached)
    assert is_kept(promised["{'cache': 'ram'}"], measured), (promised, measured)
    assert promised["{'num_parallel_calls': 8}"] > 1.5  # it waits, and others can wait beside it


@pytest.mark.alone
def test_tiny_batches_are_named_and_larger_ones_help_as_promised(folders: Callable[..., Path]) -> None:
    """With one small image in a batch, what is done once a batch takes the time."""
    root = link_copies(folders(ants=200), 40)
    options: dict[str, Any] = {
        "image_size": (8, 10),
        "num_parallel_calls": 2,
        "augment": A.Compose([A.HorizontalFlip()]),
    }
    found = diagnose_quickly(Loader(root, batch_size=1, **options))
    assert found.bottleneck == "batch"
    (promised,) = (advice.factor for advice in found.advice if advice.option == {"batch_size": 32})
    measured = gain(image_dataset(root, batch_size=1, **options), image_dataset(root, batch_size=32, **options))
    assert is_kept(promised, measured), (promised, measured)


@pytest.mark.alone
def test_calls_that_wait_for_a_slow_one_are_not_taken_for_tiny_batches(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where few reads are slow and many calls wait for their turn, it is the reading that holds the dataset up."""
    read = FolderSource.read

    def read_sometimes_slowly(self: FolderSource, index: int) -> Any:
        time.sleep(0.1 if index % 8 == 0 else 0)
        return read(self, index)

    monkeypatch.setattr(FolderSource, "read", read_sometimes_slowly)
    monkeypatch.delattr(FolderSource, "read_samples")
    loader = Loader(photographs, image_size=(48, 48), batch_size=1, num_parallel_calls=8)
    found = diagnose_quickly(loader)
    assert found.bottleneck == "read", found.stages
    assert "keeping the files in memory" in found.verdict


def test_caches_tell_how_much_they_would_hold(photographs: Path) -> None:
    """In MiB where it is little, of each file once although copies of it are made."""
    probe = Probe(Loader(photographs, image_size=(48, 48), batch_size=8, copies=3, on_error="raise"), pass_s=0.05)
    actions = {str(one.option): one.action for one in advise(probe, ["read", "decode"], probe.sample(), 0.0, rounds=1)}
    files = sum(path.stat().st_size for path in photographs.rglob("*.jpg")) / 2**20
    (told,) = re.findall(r"about ([\d.]+) MiB", actions["{'cache': 'ram'}"])
    assert float(told) == pytest.approx(files, rel=0.2)
    cached = actions["{'cache': {'directory': 'DIR', 'size': [64, 64]}}"]
    assert f"cache=Cache(DIR, size=(64, 64)), {1600 * 64 * 64 * 3 / 2**20:.1f} MiB" in cached


def test_cache_of_small_images_does_not_enlarge_them(folders: Callable[..., Path]) -> None:
    """Images that are no larger than what is delivered are kept as they are."""
    loader = Loader(folders(ants=40, height=32, width=32), image_size=(32, 32), batch_size=8)
    probe = Probe(loader, pass_s=0.05)
    (advice,) = advise(probe, ["decode"], probe.sample(), 0.0, rounds=1)
    assert advice.option == {"cache": {"directory": "DIR", "size": [32, 32]}}


def test_advice_against_another_stage_says_so() -> None:
    """Where nothing helps against the bottleneck itself, the verdict does not pretend that the next best thing does."""
    timing = Timing(images_per_second=100.0, least=90.0, greatest=110.0, seconds_per_image=0.01)
    found = Diagnosis(
        stages=dict.fromkeys(STAGES, timing),
        whole=timing,
        model=None,
        bottleneck="augment",
        of_limit=0.9,
        advice=(Advice("decode", "resizing", 2.0, {"resize_short": 256}),),
        images=64,
        batch_size=32,
        num_parallel_calls=2,
        processors=Processors(2, 8, 1.5),
    )
    assert found.verdict.endswith(
        "; no tried change of augmenting gains 1.1x; of decoding, resizing would gain about 2.0x"
    )


@pytest.mark.alone
def test_large_files_are_decode_bound_and_resizing_helps_as_promised(tmp_path: Path) -> None:
    """Photographs that are much larger than what is asked for: resizing them beforehand gives what is promised."""
    random = np.random.default_rng(0)
    for folder, side in (("large", 800), ("small", 64)):
        (tmp_path / folder / "ants").mkdir(parents=True)
        for number in range(48):
            image = cv2.resize(random.integers(0, 256, (20, 20, 3), np.uint8), (side, side))
            cv2.imwrite(str(tmp_path / folder / "ants" / f"{number}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        link_copies(tmp_path / folder, 200)
    options: dict[str, Any] = {"image_size": (48, 48), "batch_size": 4, "num_parallel_calls": 2}
    found = diagnose_quickly(Loader(tmp_path / "large", **options))
    assert found.bottleneck == "decode"
    advice = found.advice[0]
    assert advice.option == {"resize_short": 64}
    assert "`caudal convert --resize-short 64` would gain about" in found.verdict
    measured = gain(image_dataset(tmp_path / "large", **options), image_dataset(tmp_path / "small", **options))
    assert is_kept(advice.factor, measured), (advice, measured)


def test_samples_in_memory_take_the_place_of_files(folders: Callable[..., Path]) -> None:
    """Also where a source reads many at once."""
    sample = Sample("a", 0, b"encoded")
    source = MemorySource(open_source(folders(ants=2)), [sample])
    assert read_samples(source, [0, 1]) == [sample, sample]


def test_times_of_the_stages_add_up_to_the_whole(photographs: Path) -> None:
    """Measured in place, the stages divide the whole among them; every number is of a median round."""
    found = diagnose_quickly(Loader(photographs, image_size=(48, 48), augment=A.Compose([CROP])), rounds=1)
    total = sum(timing.seconds_per_image for timing in found.stages.values())
    assert total == pytest.approx(found.whole.seconds_per_image, rel=0.01)
    assert list(found.stages) == ["read", "decode", "augment", "batch"]
    assert found.processors == find_processors()
    assert all(timing.least <= timing.images_per_second <= timing.greatest for timing in found.stages.values())


def test_slow_model_is_the_bottleneck_and_nothing_is_advised(photographs: Path) -> None:
    """Where the model takes fewer images than the dataset delivers, a faster dataset would not help."""
    found = diagnose_quickly(Loader(photographs, image_size=(48, 48)), model=lambda: 0.5, rounds=1)
    assert (found.bottleneck, found.advice) == ("model", ())
    assert found.verdict.startswith("model-bound: the model takes 2 images/s, the dataset yields ")


@pytest.mark.alone
def test_promises_are_bounded_by_the_model(folders: Callable[..., Path]) -> None:
    """A faster dataset is worth no more than the model can take."""
    loader = Loader(folders(ants=200), image_size=(8, 8), batch_size=1, num_parallel_calls=2)
    alone = diagnose_quickly(loader, rounds=1).whole.seconds_per_image
    found = diagnose_quickly(loader, model=lambda: alone / 3, rounds=1)
    assert found.model is not None
    assert found.bottleneck == "batch"
    most = found.model.images_per_second / found.whole.images_per_second
    assert 1.5 < found.advice[0].factor <= most * 1.0001
    assert all(advice.factor <= most * 1.0001 for advice in found.advice)


@pytest.mark.parametrize("source", ["arrays", "cache", "single"])
def test_other_kinds_of_datasets_can_be_diagnosed(source: str, photographs: Path, tmp_path: Path) -> None:
    """Arrays and cached pixels are not decoded; single samples are batches of one."""
    if source == "arrays":
        images = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), np.uint8)
        loader = Loader((images, np.zeros(32, int)), image_size=(16, 16), batch_size=8)
    elif source == "cache":
        loader = Loader(photographs, image_size=(48, 48), cache=tmp_path / "cache", batch_size=8)
    else:
        loader = Loader(photographs, image_size=None, batch_size=None)
    found = diagnose_quickly(loader, rounds=1)
    assert found.whole.images_per_second > 0
    if source == "arrays":
        assert found.stages["decode"].seconds_per_image == 0


def test_bad_samples_are_left_out_or_named(photographs: Path) -> None:
    """As in the dataset itself: `on_error` decides."""
    from pipeline.errors import DecodeError

    for path in (photographs / "ants").iterdir():
        path.write_bytes(b"no image")
    assert (
        diagnose_quickly(Loader(photographs, image_size=(48, 48), on_error="skip"), rounds=1).whole.images_per_second
        > 0
    )
    with pytest.raises(DecodeError, match="not a JPEG, PNG"):
        diagnose_quickly(Loader(photographs, image_size=(48, 48), on_error="raise"), rounds=1)
