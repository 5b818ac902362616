"""The workspace: the hidden directory in which a conversion writes, next to its destination.

    .NAME.partial/
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
import fcntl
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.conversion.durable_files import exchange, sync_folder, write_durably
from pipeline.errors import ConvertError

_log = logging.getLogger(__name__)

_LOCK_WAIT_S = 1.0
"""Seconds to wait for the lock: the workers of a killed conversion end a moment after it."""


class Workspace:
    """The workspace of one destination; `Workspace.lock` creates it.

    Attributes:
        was_left_empty: whether the folder existed and was empty: a conversion was killed just before removing it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.root = _get_root(target)
        self.data = self.root / "data"
        self.receipts = self.root / "receipts"
        self.scratch = self.root / f"scratch-{secrets.token_hex(8)}"
        self.was_left_empty = False
        self._job_path = self.root / "job.json"

    @classmethod
    @contextlib.contextmanager
    def lock(cls, target: Path) -> Iterator["Workspace"]:
        """Lock the workspace of a destination for the block.

        After the block it remains if it holds a finished shard, so that the same command resumes.

        Raises:
            ConvertError: another conversion holds the lock.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(_get_root(target)) as is_new:
            workspace = cls(target)
            workspace.was_left_empty = not is_new and not any(workspace.root.iterdir())
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
            folder.mkdir(exist_ok=True)
        self._write_job({"fingerprint": fingerprint})
        return found

    def count_receipts(self) -> int:
        """Count the finished tasks."""
        try:
            return sum(name.endswith(".json") for name in os.listdir(self.receipts))
        except OSError:
            return 0

    def publish(self, fingerprint: str, result: dict[str, Any]) -> None:
        """Rename `data` to the destination."""
        _sync_folders(self.data)
        self._write_job({"fingerprint": fingerprint, "published": _get_identity(self.data), "result": result})
        if not os.path.lexists(self.target) or not any(self.target.iterdir()):
            os.rename(self.data, self.target)
        elif not exchange(self.data, self.target):
            os.rename(self.target, self.root / "old")
            os.rename(self.data, self.target)
        sync_folder(self.target.parent)

    def get_published_result(self, fingerprint: str) -> dict[str, Any] | None:
        """Return the result of a run that was killed after it published and before it removed the workspace."""
        job = self._read_job()
        if job.get("fingerprint") != fingerprint or "published" not in job:
            return None
        return job["result"] if self.target.exists() and job["published"] == _get_identity(self.target) else None

    def _restore(self) -> None:
        """Restore an old destination after a kill between two renames."""
        if (self.root / "old").is_dir() and not os.path.lexists(self.target):
            os.rename(self.root / "old", self.target)

    def remove(self) -> None:
        """Remove the workspace, `job.json` last: the next run needs it."""
        with contextlib.suppress(FileNotFoundError):
            self._clear()
            os.rmdir(self.root)

    def _clear(self) -> None:
        for entry in list(os.scandir(self.root)):
            if entry.name == self._job_path.name:
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
def _lock(root: Path) -> Iterator[bool]:
    """Create and lock a folder, and yield whether it is new; the lock ends with the process, even if it is killed."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        is_new = not root.exists()
        root.mkdir(exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
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
        yield is_new
    finally:
        os.close(descriptor)


def _get_identity(folder: Path) -> list[int]:
    status = folder.stat()
    return [status.st_dev, status.st_ino]


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))
