"""A full disk: the destination is unchanged, and the same command finishes when there is space."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.errors import ConvertError
from tests.pipeline.conversion.killing import inodes, list_finished_shards


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 256 KiB, where one may be mounted."""
    root = tmp_path / "disk"
    root.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(root)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here; test_any_failed_write_can_be_finished covers the same by injection")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)  # noqa: S607  # found where mount was


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_leaves_the_old_dataset_and_the_finished_shards(
    folders: Callable[..., Path], small_disk: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """The error says that no space is left and that finished shards are kept; with more space, the rest is written."""
    monkeypatch.setattr("pipeline.conversion.process_executor._NOT_TO_FORK", ())
    old, source = folders(wasps=2), folders(height=32, width=32, ants=16, bees=16)
    target = small_disk / "out"
    pipeline.convert(old, target)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(150 * 1024))
    options: dict[str, Any] = {"shards": 8, "workers": workers, "overwrite": True}
    with pytest.raises(ConvertError, match=r"No space left on device \(finished shards are kept"):
        pipeline.convert(source, target, **options)
    assert pipeline.verify(target) == ()
    assert pipeline.Loader(target).class_names == ("wasps",)
    kept = list_finished_shards(target)
    assert 0 < len(kept) < 8
    ballast.unlink()
    pipeline.convert(source, target, **options)
    assert pipeline.verify(target, decode=True) == ()
    assert kept <= inodes(target)
    assert sorted(path.name for path in small_disk.iterdir()) == ["out"]


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_any_failed_write_can_be_finished(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Each write, flush and rename in turn fails without space: a ConvertError, no destination, then the rest."""
    source = folders(ants=4)
    pipeline.convert(source, tmp_path / "whole" / "out", shards=2, workers=1)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "out").iterdir()}
    function = getattr(os, step)
    for number in range(100):
        left = [number]

        def fail(*arguments: Any, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*arguments)

        target = tmp_path / str(number) / "out"
        monkeypatch.setattr(os, step, fail)
        failed = ""
        try:
            pipeline.convert(source, target, shards=2, workers=1)
        except ConvertError as error:
            failed = str(error)
        monkeypatch.setattr(os, step, function)
        if not failed:
            assert number >= 4
            return
        assert "No space left on device" in failed
        assert not target.exists() or step == "fsync"  # the last flush comes behind the rename
        pipeline.convert(source, target, shards=2, workers=1)
        assert {path.name: path.read_bytes() for path in target.iterdir()} == whole
        assert sorted(path.name for path in target.parent.iterdir()) == ["out"]
    pytest.fail("the conversion never ended")
