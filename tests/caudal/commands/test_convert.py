"""Tests of `caudal convert`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_convert_goes_there_and_back(caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path) -> None:
    """Class-folders become TFRecords, other TFRecords, and class-folders again; the text counts what was written."""
    source = folders(ants=5, bees=4)
    outcome = caudal("convert", source, tmp_path / "a", "--shard-size", "1KiB", "--shuffle", "--seed", 3)
    assert outcome.status == 0
    assert outcome.out.startswith("9 images in ")
    assert caudal("convert", tmp_path / "a", tmp_path / "b", "--shards", 1, "--workers", 2).status == 0
    assert caudal("convert", tmp_path / "b", tmp_path / "c", "--to", "folder").out.startswith("9 images, 0 skipped\n")
    for path in source.rglob("*.png"):
        assert (tmp_path / "c" / path.relative_to(source)).read_bytes() == path.read_bytes()


def test_convert_splits_and_augments(caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path) -> None:
    """The result has the counts of each split; copies are counted with their originals."""
    options = ["--split", "train=.8, val=.2", "--stratify", "--augment", "flip", "--copies", 2, "--resize-short", 6]
    outcome = caudal("convert", folders(ants=5, bees=5), tmp_path / "out", *options, "--json")
    parts = json.loads(outcome.out)["splits"]
    assert {part: manifest["num_examples"] for part, manifest in parts.items()} == {"train": 24, "val": 2}
    assert parts["train"]["options"]["copies"] == 2
    assert caudal("verify", tmp_path / "out", "--decode").status == 0
    outcome = caudal("convert", tmp_path / "folders0", tmp_path / "all", *options, "--augment-splits", "train,val")
    assert "val: 6 images in 1 shards" in outcome.out


def test_convert_reports_ignored_files_and_empty_classes(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """The text has a line for each, and the JSON object counts them."""
    source = folders(ants=2, bees=0)
    (source / "ants" / "notes.txt").write_text("two ants")
    lines = caudal("convert", source, tmp_path / "out").out.splitlines()
    assert lines[0].startswith("2 images in 1 shards")
    assert lines[1].startswith("ignored files: 1 ")
    assert lines[2] == "1 of 2 classes has no examples: bees"
    manifest = json.loads(caudal("convert", source, tmp_path / "out", "--json").out)
    assert (list(manifest["ignored_files"].values()), manifest["examples_per_class"]) == ([1], [2, 0])


def test_convert_reads_columns_by_a_delimiter(caudal: Callable[..., Any], tmp_path: Path) -> None:
    """Without --delimiter a table with semicolons is refused in one line."""
    (tmp_path / "a.csv").write_text("text;label\ngood;1\nbad;0\n")
    outcome = caudal("convert", tmp_path / "a.csv", tmp_path / "out")
    assert (outcome.status, outcome.out) == (2, "")
    assert "set delimiter=';'" in outcome.err
    assert not (tmp_path / "out").exists()
    manifest = json.loads(caudal("convert", tmp_path / "a.csv", tmp_path / "out", "--delimiter", ";", "--json").out)
    assert manifest["class_names"] == ["0", "1"]


def test_a_finished_result_with_too_many_errors_is_no_success(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """The status is that of a conversion with too many errors, whether or not the result exists."""
    source = folders(ants=4)
    for name in "01":
        (source / "ants" / f"{name}.png").write_bytes(b"")
    command = ["convert", source, tmp_path / "out", "--on-error", "skip"]
    before = caudal(*command, "--max-errors", 1)
    assert caudal(*command, "--max-errors", 2).status == 0
    after = caudal(*command, "--max-errors", 1)
    assert before.status == after.status == 1
    for outcome in (before, after):
        assert "2 of 4 samples are bad, more than max_errors=1" in outcome.err


def test_dry_run_prints_the_plan_and_writes_nothing(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """The plan lists shards, images, bytes and time; the estimated bytes are close to the written ones."""
    source = folders(ants=5, bees=4)
    before = sorted(tmp_path.rglob("*"))
    outcome = caudal("convert", source, tmp_path / "out", "--shards", 2, "--dry-run")
    assert "out-00001-of-00002.tfrecord" in outcome.out
    assert "9 images in 2 shards, about " in outcome.out
    plan = json.loads(caudal("convert", source, tmp_path / "out", "--shards", 2, "--dry-run", "--json").out)
    assert sorted(tmp_path.rglob("*")) == before
    manifest = json.loads(caudal("convert", source, tmp_path / "out", "--shards", 2, "--json").out)
    assert plan["bytes"] == pytest.approx(sum(shard["bytes"] for shard in manifest["shards"]), rel=0.02)
    assert [shard["examples"] for shard in plan["shards"]] == [4, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard-size", "12 parsecs"], "--shard-size is a size such as 128MiB, 500KB or 1000000; got '12 parsecs'"),
        (["--split", "train"], "--split is NAME=FRACTION,NAME=FRACTION"),
        (["--split", "train=.5,train=.5"], "--split is NAME=FRACTION,NAME=FRACTION"),
        (["--split", "a=.5,b=.4"], "the fractions of split must add up to 1"),
        (["--copies", "2"], "--copies needs --augment"),
        (["--format", "gif"], "format must be one of"),
        (["--to", "tar"], "to must be one of"),
        (["--shards", "9"], "shards=9 is out of range for 2 samples"),
        (["--quality", "101"], "quality must be an integer from 1 to 100"),
        (["--executor", "ray", "--address", "127.0.0.1:1"], "cannot reach a Ray cluster at '127.0.0.1:1'"),
    ],
)
def test_unusable_options_are_one_line(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path, arguments: list[str], message: str
) -> None:
    """The status is 2, and nothing is written."""
    if "ray" in arguments:
        pytest.importorskip("ray")
    outcome = caudal("convert", folders(ants=1, bees=1), tmp_path / "out", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.strip().count("\n") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folders0"]


def test_convert_and_verify_need_no_tensorflow(
    run_python: Callable[..., str], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """Converting and verifying do not import TensorFlow, which takes seconds; pass-through does not import OpenCV."""
    code = (
        "import sys\n"
        "import pipeline\n"
        f"source, out = {str(folders(ants=3))!r}, {str(tmp_path)!r}\n"
        "pipeline.convert(source, out + '/a')\n"
        "assert pipeline.verify(out + '/a') == ()\n"
        "assert not {'cv2', 'augment.plan.plan', 'pipeline.loader', 'multiprocessing'} & sys.modules.keys()\n"
        "pipeline.convert(out + '/a', out + '/b', resize_short=5, format='jpeg')\n"
        "assert pipeline.verify(out + '/b') == ()\n"
        "print([name for name in ('tensorflow', 'keras', 'albumentations') if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


@pytest.mark.alone
@pytest.mark.parametrize("workers", [1, 2])
def test_interrupt_keeps_what_is_finished(
    start: Callable[..., Any], project_root: Path, folders: Callable[..., Path], tmp_path: Path, workers: int
) -> None:
    """Ctrl-C ends with status 130 and one line; the same command then finishes, and no process remains."""
    source = folders(height=300, width=300, ants=100, bees=100)
    command = [sys.executable, "-m", "caudal", "convert", str(source), str(tmp_path / "out"), "--shards", "50"]
    command += ["--workers", str(workers), "--image-size", "290x290", "--format", "webp"]
    environment = {**os.environ, "PYTHONPATH": str(project_root)}
    receipts = tmp_path / ".out.partial" / "receipts"
    process = start(command, env=environment, start_new_session=True)
    while process.poll() is None and not list(receipts.glob("*.json")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "caudal: interrupted")
    assert not (tmp_path / "out").exists()
    kept = len(list(receipts.glob("*.json")))
    assert kept >= 1
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folders0", "out"]
