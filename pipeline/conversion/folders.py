"""Writing class-folders."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from augment.regular_files import open_regular_file, read_regular_file
from pipeline.conversion.durable_files import sync_file_system, write_durably
from pipeline.conversion.names import get_format, is_renamed, make_path
from pipeline.conversion.produce import iter_good_records
from pipeline.conversion.records import Record, Records
from pipeline.conversion.tasks import Job, Receipt, SilentReporter, Skipped, Task, TaskReporter
from pipeline.errors import ConvertError
from pipeline.sampling.order import Indices


class FolderWriter:
    """Writes a task as files. They are published together, so they need no temporary names.

    Args:
        paths: the paths that `make_path` does not return, by record number.
        formats: the target format of each source format; empty if the bytes pass through.
        portable: see `names`.
    """

    def __init__(self, paths: Mapping[int, str], formats: Mapping[str, str], *, portable: bool) -> None:
        self._paths = dict(paths)
        self._formats = dict(formats)
        self._portable = portable

    def path(self, number: int, key: str, class_name: str) -> str:
        """Return the path of a record's file, relative to the split."""
        return self._paths.get(number) or make_path(
            key, class_name, self._formats.get(get_format(key) or ""), portable=self._portable
        )

    def write(self, job: Job, task: Task, report: TaskReporter, threads: int) -> Receipt:
        """Write the files durably, and read them back.

        Raises:
            SampleError: a record is bad, and `report` does not tolerate it.
            OSError: a file cannot be written.
        """
        folder = job.folder(task)
        skipped: list[Skipped] = []
        folders: set[str] = set()
        tally, digest = _Tally(), hashlib.sha256()
        for number, record in iter_good_records(job.records, job.numbers(task).tolist(), report, skipped, threads):
            path = self.path(number, record.key, record.class_name)
            above, _, _ = path.rpartition("/")
            if above not in folders:
                os.makedirs(f"{folder}/{above}", exist_ok=True)
                folders.add(above)
            _write(f"{folder}/{path}", record.content)
            _update_digest(digest, path, record.content)
            tally.add(path, record)
            report.written(1, len(record.content))
        sync_file_system(folder)
        if _read_back(folder, tally.paths) != digest.hexdigest():
            raise ConvertError(f"{folder} differs from what was written; check the disk and the memory")
        write_durably(
            _get_paths_file(job, task), "\0".join(tally.paths).encode("utf-8", "surrogateescape"), job.scratch
        )
        return tally.make_receipt(task, digest.hexdigest(), skipped)

    def compare(self, records: Records, numbers: Indices, folder: Path, task: Task) -> tuple[Receipt, list[str]] | None:
        """Compare the files in a folder with what `write` would write.

        Returns:
            The receipt and the paths of the files; None if a file differs or is missing.
        """
        skipped: list[Skipped] = []
        tally = _Tally()
        for number, record in iter_good_records(records, numbers.tolist(), SilentReporter(), skipped, threads=1):
            path = self.path(number, record.key, record.class_name)
            try:
                if read_regular_file(folder / path) != record.content:
                    return None
            except OSError:
                return None
            tally.add(path, record)
        return tally.make_receipt(task, "", skipped), tally.paths

    def is_whole(self, job: Job, task: Task, receipt: Receipt) -> bool:
        """Whether all files of an earlier attempt exist with the same contents."""
        try:
            paths = read_regular_file(_get_paths_file(job, task)).decode("utf-8", "surrogateescape").split("\0")
            return _read_back(job.folder(task), paths if receipt.examples else []) == receipt.sha256
        except OSError:
            return False


class _Tally:
    """Counts the written files of a task."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._size = 0
        self._labels: Counter[int] = Counter()
        self._renamed: list[tuple[str, str]] = []

    def add(self, path: str, record: Record) -> None:
        self.paths.append(path)
        self._size += len(record.content)
        if record.label is not None:
            self._labels[record.label] += 1
        if is_renamed(path, record.key, record.class_name):
            self._renamed.append((record.key, path))

    def make_receipt(self, task: Task, digest: str, skipped: Sequence[Skipped]) -> Receipt:
        labels = dict(sorted(self._labels.items()))
        return Receipt(
            task.name, len(self.paths), self._size, digest, tuple(skipped), labels, renamed=tuple(self._renamed)
        )


def _get_paths_file(job: Job, task: Task) -> Path:
    return job.receipt_path(task).with_suffix(".paths")


def _read_back(folder: Path, paths: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with open(open_regular_file(f"{folder}/{path}"), "rb", buffering=0) as file:
            _update_digest(digest, path, file.read())
    return digest.hexdigest()


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _update_digest(digest: "hashlib._Hash", path: str, content: bytes) -> None:
    name = path.encode("utf-8", "surrogateescape")
    digest.update(b"%d %d " % (len(name), len(content)) + name + content)
