"""The workspace: the hidden directory in which a conversion writes, next to its destination.

    .NAME.partial/
        .caudal-workspace   marks the folder as one of Caudal's; no other folder is ever written to or removed
        job.json       identifies the conversion, so that the same command resumes it
        receipts/      one file per finished shard
        scratch-*/     temporary files of one run; a worker of an earlier run on another machine finds its own
                       scratch folder removed, and cannot finish a file
        data/          becomes the destination

`data` is renamed as a whole when everything in it is verified. An existing destination is exchanged with it in one step
(`renameat2`), so that a kill at any instant leaves the destination absent, unchanged, or new and complete. Before that,
`job.json` stores the inode of `data`: the next run sees by it whether the destination already is the new one.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.conversion.durable_files import exchange, rename_new, sync_folder, write_durably
from pipeline.errors import ConvertError

_log = logging.getLogger(__name__)

_LOCK_WAIT_S = 1.0
"""Seconds to wait for the lock: the workers of a killed conversion end a moment after it."""


_MARKER = ".caudal-workspace"
"""The file that marks a folder as a workspace."""

_NOT_OURS = "{} exists, and is not a workspace of a conversion; move it, or choose another destination"


class Workspace:
    """The workspace of one destination; `Workspace.lock` creates it."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.root = _get_root(target)
        self.data = self.root / "data"
        self.receipts = self.root / "receipts"
        self.scratch = self.root / f"scratch-{secrets.token_hex(8)}"
        self._job_path = self.root / "job.json"

    @classmethod
    @contextlib.contextmanager
    def lock(cls, target: Path) -> Iterator["Workspace"]:
        """Lock the workspace of a destination for the block.

        After the block it remains if it holds a finished shard, so that the same command resumes.

        Raises:
            ConvertError: another conversion holds the lock, or the folder exists and is not a workspace.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(_get_root(target)):
            workspace = cls(target)
            workspace._restore()
            try:
                yield workspace
            finally:
                if not workspace.count_receipts():
                    workspace.remove()

    def begin(self, fingerprint: str) -> int:
        """Keep what an earlier run of the same conversion finished; remove what another conversion left.

        Returns:
            The number of receipts found.
        """
        found = self.count_receipts()
        if self._read_job().get("fingerprint") != fingerprint:
            if found:
                _log.warning("removed %s: an unfinished conversion with other options or files", self.root)
            self._clear()
        for earlier in self.root.glob("scratch-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        for folder in (self.scratch, self.receipts, self.data):
            if folder.is_symlink():  # planted: what it leads to is not ours
                folder.unlink()
            folder.mkdir(exist_ok=True)
        self._write_job({"fingerprint": fingerprint})
        return found

    def count_receipts(self) -> int:
        """Count the finished tasks."""
        try:
            return sum(name.endswith(".json") for name in os.listdir(self.receipts))
        except OSError:
            return 0

    def publish(self, fingerprint: str, result: dict[str, Any], check_replaceable: Callable[[], None] | None) -> None:
        """Rename `data` to the destination.

        Args:
            fingerprint: of the conversion.
            result: of the conversion; a run that is killed before it removes the workspace returns it later.
            check_replaceable: raises an exception if an existing destination must not be replaced; None replaces none.

        Raises:
            ConvertError: the destination exists and must not be replaced.
        """
        _sync_folders(self.data)
        self._write_job({"fingerprint": fingerprint, "published": _get_identity(self.data), "result": result})
        with contextlib.suppress(OSError):
            os.rmdir(self.target)  # an empty folder
        if not rename_new(self.data, self.target):
            if check_replaceable is None:
                raise ConvertError(f"{self.target} appeared during the conversion; remove it, or use overwrite=True")
            check_replaceable()
            if not exchange(self.data, self.target):
                os.rename(self.target, self.root / "old")
                if not rename_new(self.data, self.target):
                    raise ConvertError(f"{self.target} appeared during the conversion; remove it and run again")
        sync_folder(self.target.parent)

    def get_published_result(self, fingerprint: str) -> dict[str, Any] | None:
        """Return the result of a run that was killed after it published and before it removed the workspace."""
        job = self._read_job()
        if job.get("fingerprint") != fingerprint or "published" not in job:
            return None
        return job["result"] if self.target.exists() and job["published"] == _get_identity(self.target) else None

    def _restore(self) -> None:
        """Restore an old destination after a kill between two renames."""
        old = self.root / "old"
        if old.is_dir() and not old.is_symlink() and not os.path.lexists(self.target):
            os.rename(old, self.target)

    def remove(self) -> None:
        """Remove the workspace, `job.json` and the marker last: the next run needs them."""
        with contextlib.suppress(FileNotFoundError):
            self._clear()
            (self.root / _MARKER).unlink()
            os.rmdir(self.root)

    def _clear(self) -> None:
        for entry in list(os.scandir(self.root)):
            if entry.name in (self._job_path.name, _MARKER):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        self._job_path.unlink(missing_ok=True)

    def _read_job(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._job_path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return {}

    def _write_job(self, job: dict[str, Any]) -> None:
        write_durably(self._job_path, json.dumps(job).encode(), self.scratch)


def _get_root(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Create, lock and mark a folder; the lock ends with the process, even if it is killed.

    Raises:
        ConvertError: another conversion holds the lock, or the folder is not a workspace.
    """
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(root)
        try:
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # another conversion removed it at its end
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise ConvertError(_NOT_OURS.format(root)) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.path.exists(root) and os.fstat(descriptor).st_ino == root.stat().st_ino
        except BlockingIOError:
            held = False
            if time.monotonic() > deadline:
                os.close(descriptor)
                target = root.parent / root.name[1:-8]
                raise ConvertError(f"another conversion to {target} is running; wait for it to end") from None
            time.sleep(0.02)
        if held:
            break
        os.close(descriptor)  # another conversion removed this folder at its end, or still holds it
    try:
        _mark(descriptor, root)
        yield
    finally:
        os.close(descriptor)


def _mark(descriptor: int, root: Path) -> None:
    """Mark an empty folder as a workspace.

    Raises:
        ConvertError: it is not empty, and has no marker.
    """
    names = os.listdir(descriptor)
    if names and not (_MARKER in names and stat.S_ISREG(os.lstat(_MARKER, dir_fd=descriptor).st_mode)):
        raise ConvertError(_NOT_OURS.format(root))
    if not names:
        os.close(os.open(_MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=descriptor))


def _get_identity(folder: Path) -> list[int]:
    status = folder.stat()
    return [status.st_dev, status.st_ino]


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))
