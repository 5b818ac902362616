"""Several conversions to one destination."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline.conversion import workspace
from pipeline.errors import ConvertError


def contents(root: Path) -> dict[str, bytes]:
    """Read all files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def test_a_dataset_that_appears_meanwhile_is_not_replaced(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another conversion publishes between the start of this one and its turn."""
    first, second, out = folders(ants=2), folders(bees=3), tmp_path / "out"
    lock = workspace._lock

    @contextlib.contextmanager
    def late(root: Path) -> Iterator[None]:
        monkeypatch.setattr(workspace, "_lock", lock)
        pipeline.convert(first, out)
        with lock(root):
            yield

    monkeypatch.setattr(workspace, "_lock", late)
    with pytest.raises(ConvertError, match="is not empty; use overwrite=True"):
        pipeline.convert(second, out)
    assert pipeline.verify(out) == ()
    assert pipeline.Loader(out, image_size=(4, 4)).class_names == ("ants",)


def test_a_dataset_that_is_put_back_is_not_replaced(folders: Callable[..., Path], tmp_path: Path) -> None:
    """After a kill between two renames the old dataset is restored, and another command does not replace it."""
    out = tmp_path / "out"
    pipeline.convert(folders(ants=2), out)
    before = contents(out)
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / ".caudal-workspace").touch()
    out.rename(tmp_path / ".out.partial" / "old")
    with pytest.raises(ConvertError, match="is not empty; use overwrite=True"):
        pipeline.convert(folders(bees=3), out)
    assert contents(out) == before


def test_a_worker_of_an_earlier_run_cannot_finish_a_file(tmp_path: Path) -> None:
    """A worker on another machine that outlives its run finds its scratch folder removed, and cannot write."""
    spaces = []
    for fingerprint in ("one", "other"):
        with workspace.Workspace.lock(tmp_path / "out") as space:
            space.begin(fingerprint)
            (space.receipts / "000000.json").write_bytes(b"{}")
        spaces.append(space)
    with pytest.raises(FileNotFoundError):
        workspace.write_durably(spaces[0].receipts / "000001.json", b"{}", spaces[0].scratch)
    workspace.write_durably(spaces[1].receipts / "000001.json", b"{}", spaces[1].scratch)
