"""Several conversions to one destination."""

import contextlib
import ctypes
import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline.conversion import durable_files, workspace
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


def make_user_folder(root: Path) -> dict[str, bytes]:
    """Write a folder with a user's files."""
    root.mkdir()
    (root / "thesis.txt").write_text("three years")
    (root / "job.json").write_text("{}")
    return contents(root)


@pytest.mark.parametrize("is_link", [True, False], ids=["link", "folder"])
@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "runs"])
def test_a_folder_that_is_not_a_workspace_is_never_touched(
    folders: Callable[..., Path], tmp_path: Path, is_link: bool, is_refused: bool
) -> None:
    """A user's folder of the workspace's name, or a link to one, stays, whether or not the command is refused."""
    home, partial = tmp_path / "home", tmp_path / ".out.partial"
    before = make_user_folder(home if is_link else partial)
    if is_link:
        partial.symlink_to(home)
    if is_refused:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(ConvertError, match=r"\.out\.partial exists, and is not a workspace of a conversion"):
        pipeline.convert(folders(ants=2), tmp_path / "out")
    assert contents(home if is_link else partial) == before
    assert partial.is_symlink() == is_link


def test_a_link_named_like_the_marker_marks_nothing(folders: Callable[..., Path], tmp_path: Path) -> None:
    """The marker is a regular file."""
    before = make_user_folder(tmp_path / ".out.partial")
    (tmp_path / ".out.partial" / ".caudal-workspace").symlink_to("thesis.txt")
    with pytest.raises(ConvertError, match="is not a workspace"):
        pipeline.convert(folders(ants=2), tmp_path / "out")
    assert contents(tmp_path / ".out.partial") == before | {".caudal-workspace": b"three years"}


@pytest.mark.parametrize("name", ["old", "data", "receipts"])
def test_links_within_a_workspace_are_not_followed(tmp_path: Path, name: str) -> None:
    """A folder that somebody has linked there is neither published nor filled; not even by the same conversion."""
    home, partial = tmp_path / "home", tmp_path / ".out.partial"
    before = make_user_folder(home)
    partial.mkdir()
    (partial / ".caudal-workspace").touch()
    (partial / "job.json").write_text('{"fingerprint": "the same"}')
    (partial / name).symlink_to(home)
    with workspace.Workspace.lock(tmp_path / "out") as space:
        space.begin("the same")
        assert not space.data.is_symlink()
        assert not space.receipts.is_symlink()
    assert contents(home) == before
    assert not (tmp_path / "out").is_symlink()


def test_an_empty_folder_of_the_name_is_used(folders: Callable[..., Path], tmp_path: Path) -> None:
    """A kill between creating and marking the workspace leaves an empty folder."""
    (tmp_path / ".out.partial").mkdir()
    pipeline.convert(folders(ants=2), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folders0", "out"]


def refuse_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `renameat2` fail as on a file system that knows no flags."""

    def fail(*_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    monkeypatch.setattr(durable_files, "_renameat2", fail)


@pytest.mark.parametrize("has_flags", [True, False], ids=["renameat2", "without"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_destination_that_appears_during_the_conversion_is_kept(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_flags: bool, overwrite: bool
) -> None:
    """It is refused, and with `overwrite` checked again; the finished shards are kept, and later published."""
    if not has_flags:
        refuse_flags(monkeypatch)
    source, out = folders(ants=4), tmp_path / "out"

    def appear(done: int, total: int) -> None:
        if done == total and not out.exists():
            out.mkdir()
            (out / "thesis.txt").write_text("three years")

    message = "is not a converted dataset" if overwrite else "appeared during the conversion"
    with pytest.raises(ConvertError, match=message):
        pipeline.convert(source, out, progress=appear, overwrite=overwrite)
    assert contents(out) == {"thesis.txt": b"three years"}
    assert len(list((tmp_path / ".out.partial" / "receipts").glob("*.json"))) == 1
    shutil.rmtree(out)
    pipeline.convert(source, out)
    assert pipeline.verify(out) == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folders0", "out"]


@pytest.mark.parametrize("has_flags", [True, False], ids=["renameat2", "without"])
@pytest.mark.parametrize("exists", ["absent", "empty", "dataset"])
def test_publishing_on_any_file_system(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_flags: bool, exists: str
) -> None:
    """An absent, an empty and a replaced destination become the new dataset, with and without `renameat2`."""
    if not has_flags:
        refuse_flags(monkeypatch)
    out = tmp_path / "out"
    if exists == "empty":
        out.mkdir()
    elif exists == "dataset":
        pipeline.convert(folders(wasps=1), out)
    pipeline.convert(folders(ants=4), out, overwrite=exists == "dataset")
    assert pipeline.verify(out) == ()
    assert pipeline.Loader(out).class_names == ("ants",)
    assert not (tmp_path / ".out.partial").exists()
