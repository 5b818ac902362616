"""Tests of the decoders alone: each decodes every image of a workload once."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

import pipeline
from benchmarks.contenders import decoders
from benchmarks.workloads import Workload

SHAPES = Counter({(60 + number, 80, 3): 1 for number in range(10)})


@pytest.fixture(params=["files", "records"])
def workload(tmp_path: Path, folders: Callable[..., Path], request: pytest.FixtureRequest) -> Workload:
    """Return a workload of ten JPEGs of ten sizes, in files or records."""
    folder = folders(ants=10, height=100, width=80, extension=".jpg")
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
        cv2.imwrite(str(path), cv2.imread(str(path))[: 60 + number])
    if request.param == "records":
        pipeline.convert(folder, tmp_path / "records", shards=2)
    records = str(tmp_path / "records") if request.param == "records" else None
    return Workload(name="full", folder=str(folder), count=10, policy="full", batch_size=4, parallel=2, records=records)


@pytest.mark.parametrize("name", ["opencv", "tensorflow", "simplejpeg_", "native", "fastest"])
def test_each_decodes_every_image_once(name: str, workload: Workload) -> None:
    """In both epochs, the whole image in color."""
    if name == "simplejpeg_":
        pytest.importorskip("simplejpeg")
    epoch = getattr(decoders, name)(workload)
    for _ in range(2):
        found = Counter(tuple(map(int, shape)) for shapes, _ in epoch() for shape in shapes)
        assert found == SHAPES


def test_fastest_is_tried_in_turns_and_needs_no_simplejpeg(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that is not installed is not tried; a slow one is not chosen."""
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert [name for name, _ in decoders._iter_decoders()] == ["opencv", "tensorflow"]
    tried: list[str] = []

    def make(name: str, seconds: float) -> Callable[[Workload], decoders.Epoch]:
        def epoch() -> list[str]:
            tried.append(name)
            decoders.time.sleep(seconds)
            return [name]

        return lambda _: epoch

    monkeypatch.setattr(
        decoders, "_iter_decoders", lambda: iter([("slow", make("slow", 0.05)), ("quick", make("quick", 0.0))])
    )
    assert list(decoders.fastest(workload)()) == ["quick"]
    assert tried[:-1] == ["slow", "quick"] * 4
