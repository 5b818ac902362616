"""The folder in which a conversion comes about, beside its destination.

    .NAME.partial/
        job.json       what is being converted: the same command again finds its own work by it
        receipts/      one file for each shard that is done
        scratch-*/     files under their temporary names, of one run: what a worker of an earlier one still writes,
                       on another machine, finds its own gone and never gets a name
        data/          what becomes the destination

`data` is renamed as a whole when everything in it has been verified. An existing destination is exchanged with it in
one step (`renameat2`), so that a kill at any instant leaves the destination absent, as it was, or new and whole. Before
that, the number of `data` on the disk (its inode) is written down: whoever comes back to this folder sees by it whether
the destination already is the new one.
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
"""How long a conversion waits for another's lock: workers of one that was killed die a moment after it."""


class Workspace:
    """See above; `Workspace.lock` makes one.

    Attributes:
        was_left_empty: whether the folder was there and empty: its last conversion was killed when it had only that to
            remove.
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
        """Hold the folder of a destination against other conversions, for the block.

        It stays afterwards where it holds a finished shard, so that the same command goes on from there.

        Raises:
            ConvertError: another conversion holds it.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(_get_root(target)) as is_new:
            space = cls(target)
            space.was_left_empty = not is_new and not any(space.root.iterdir())
            space._restore()
            try:
                yield space
            finally:
                if not space.count_receipts():
                    space.remove()

    def begin(self, fingerprint: str) -> int:
        """Take up what an earlier run of the same job left; remove what another left.

        Returns:
            The number of receipts that were found.
        """
        found = self.count_receipts()
        if self._read_job().get("fingerprint") != fingerprint:
            if found:
                _log.warning("%s held an unfinished conversion with other options or files; it is removed", self.root)
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
        """Make `data` the destination."""
        _sync_folders(self.data)
        self._write_job({"fingerprint": fingerprint, "published": _get_identity(self.data), "result": result})
        if not os.path.lexists(self.target) or not any(self.target.iterdir()):
            os.rename(self.data, self.target)
        elif not exchange(self.data, self.target):
            os.rename(self.target, self.root / "old")
            os.rename(self.data, self.target)
        sync_folder(self.target.parent)

    def get_published_result(self, fingerprint: str) -> dict[str, Any] | None:
        """Give the result of a run that published its data and was killed before it had cleared up."""
        job = self._read_job()
        if job.get("fingerprint") != fingerprint or "published" not in job:
            return None
        return job["result"] if self.target.exists() and job["published"] == _get_identity(self.target) else None

    def _restore(self) -> None:
        """Put an old destination back that a kill between two renames left nowhere."""
        if (self.root / "old").is_dir() and not os.path.lexists(self.target):
            os.rename(self.root / "old", self.target)

    def remove(self) -> None:
        """Remove the folder; what the next run would have to know goes last."""
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
    """Make and lock a folder; the lock ends with the process, however that ends. Gives whether it was made."""
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
                raise ConvertError(f"another conversion to {root.parent / root.name[1:-8]} is under way") from None
            time.sleep(0.02)
        if held:
            break
        os.close(descriptor)  # of a folder that another conversion removed at its end, or still holds
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
