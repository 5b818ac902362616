"""Conversions in several processes and on several machines write the same bytes, even if some die."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.errors import ConvertError, DecodeError, OptionError, TooManyErrorsError


@pytest.fixture(autouse=True)
def _forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork workers although the tests imported TensorFlow: a new interpreter would take seconds."""
    monkeypatch.setattr("pipeline.conversion.process_executor._NOT_TO_FORK", ())


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("options", [{}, {"resize_short": 6, "format": "png"}, {"to": "folder", "shard_size": 1000}])
def test_processes_write_the_same_bytes(folders: Callable[..., Path], tmp_path: Path, options: dict[str, Any]) -> None:
    """Two worker processes and this process alone write the same bytes."""
    source = folders(ants=9, bees=8)
    if options.get("to") != "folder":
        options = options | {"shards": 5}
    pipeline.convert(source, tmp_path / "one" / "out", workers=1, **options)
    reports: list[tuple[int, int]] = []
    pipeline.convert(
        source, tmp_path / "two" / "out", workers=2, progress=lambda *report: reports.append(report), **options
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert reports[-1] == (17, 17)


def test_threads_write_the_same_bytes(folders: Callable[..., Path], tmp_path: Path) -> None:
    """Several threads re-encode a single shard in order."""
    source = folders(ants=20, bees=20)
    for workers in (1, 3):
        pipeline.convert(source, tmp_path / str(workers) / "out", shards=1, workers=workers, resize_short=5)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def children() -> list[int]:
    """Return the process ids of the workers."""
    return [child.pid for child in multiprocessing.active_children() if child.name == "caudal-convert" and child.pid]


def test_a_worker_that_dies_is_replaced(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The shard of a killed worker is written again, and the result is the same."""
    source = folders(ants=30, bees=30)
    pipeline.convert(source, tmp_path / "one" / "out", shards=6, workers=1)
    killed: list[int] = []

    def kill(*_: int) -> None:
        if not killed:
            killed.append(children()[0])
            os.kill(killed[0], signal.SIGKILL)

    pipeline.convert(source, tmp_path / "two" / "out", shards=6, workers=2, progress=kill)
    assert killed
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_shard_that_ends_every_process_is_named(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three deaths over one shard the conversion fails and names the signal."""
    here = os.getpid()

    def die(*_: Any) -> Any:
        assert os.getpid() != here
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("pipeline.conversion.records.ImageRecords.make", die)
    with pytest.raises(
        ConvertError, match=r"out-0000[01]-of-00002.tfrecord: 3 worker processes ended: signal 9 \(Killed\)"
    ):
        pipeline.convert(folders(ants=4), tmp_path / "out", shards=2, workers=2)
    assert children() == []
    assert not (tmp_path / "out").exists()


def test_a_bad_sample_in_a_worker_is_the_same_error(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The error keeps its class, sample and reason; no process remains."""
    source = folders(ants=6)
    (source / "ants" / "4.png").write_bytes(b"no image")
    with pytest.raises(DecodeError, match=r"ants/4.png: not a JPEG") as caught:
        pipeline.convert(source, tmp_path / "out", shards=3, workers=2)
    assert (caught.value.sample, caught.value.stage) == ("ants/4.png", "decode")
    assert children() == []


def test_bad_samples_of_all_workers_count_together(folders: Callable[..., Path], tmp_path: Path) -> None:
    """`max_errors` limits their sum; `skipped.jsonl` is in the order of the records."""
    source = folders(ants=8)
    for number in (1, 6):
        (source / "ants" / f"{number}.png").write_bytes(b"")
    with pytest.raises(TooManyErrorsError, match="2 of 8 samples are bad, more than max_errors=1"):
        pipeline.convert(source, tmp_path / "out", shards=4, workers=2, on_error="skip", max_errors=1)
    manifest = pipeline.convert(source, tmp_path / "out", shards=4, workers=2, on_error="skip", max_errors=2)
    assert (manifest["num_examples"], manifest["num_skipped"]) == (6, 2)
    assert [line.split('"')[3] for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()] == [
        "ants/1.png",
        "ants/6.png",
    ]


FORKING = """
import os, sys
from multiprocessing import active_children
import pipeline

forked, ours = [], []

def fork(*_):
    if not forked:
        ours.extend(sorted(child.pid for child in active_children()))
        sockets = [os.readlink(f"/proc/self/fd/{number}") for number in range(3, 60) if is_socket(number)]
        forked.append(os.fork())
        if not forked[0]:
            print(len(sockets) > 1, [number for number in range(3, 60) if is_socket(number)], flush=True)
            sys.exit(7)  # in the middle of the conversion, with all exit handlers
        print(os.waitstatus_to_exitcode(os.waitpid(forked[0], 0)[1]), flush=True)
        print(ours == sorted(child.pid for child in active_children()), flush=True)

def is_socket(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
    except FileNotFoundError:
        return False

manifest = pipeline.convert(os.environ["SOURCE"], os.environ["TARGET"], shards=4, workers=2, progress=fork)
print(manifest["num_examples"], len(ours) > 0, flush=True)
"""


def test_a_fork_neither_keeps_nor_ends_the_workers(
    folders: Callable[..., Path], tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """A fork of a converting program closes its copies of their connections, and ends without ending them."""
    source = folders(ants=20, bees=20)
    found = run_python(FORKING, SOURCE=str(source), TARGET=str(tmp_path / "out"))
    assert found.splitlines() == ["True []", "7", "True", "40 True"]


def test_ray_is_asked_for_by_name(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Ray the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(OptionError, match=r'pip install "caudal\[ray\]"'):
        pipeline.convert(folders(ants=2), tmp_path / "out", executor="ray")


def test_a_lost_ray_node_costs_its_running_shards_only(folders: Callable[..., Path], tmp_path: Path) -> None:
    """One of two nodes is killed after some shards: these stay unchanged, and all bytes are the same."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    source = folders(height=400, width=400, ants=12, bees=12)
    options: dict[str, Any] = {"shards": 12, "image_size": (300, 300), "format": "png"}
    pipeline.convert(source, tmp_path / "one" / "out", **options)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    kept: dict[str, int] = {}

    def kill(node: Any) -> None:
        data = tmp_path / "two" / ".out.partial"
        while len(finished := list((data / "receipts").glob("*.json"))) < 2:
            time.sleep(0.01)
        for receipt in finished:
            name = receipt.read_text().split('"')[3]
            kept[name] = (data / "data" / name).stat().st_ino
        cluster.remove_node(node, allow_graceful=False)

    try:
        killer = threading.Thread(target=kill, args=(cluster.add_node(num_cpus=1),))
        killer.start()
        pipeline.convert(source, tmp_path / "two" / "out", executor="ray", address=cluster.address, **options)
        killer.join(60)
    finally:
        cluster.shutdown()
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(kept) >= 2
    assert {name: (tmp_path / "two" / "out" / name).stat().st_ino for name in kept} == kept
