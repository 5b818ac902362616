"""The tasks of a conversion, one per shard, and the receipts of finished tasks."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from augment.regular_files import read_regular_file
from pipeline.conversion.records import Records
from pipeline.sampling.order import Indices


@dataclass(frozen=True)
class Task:
    """One shard, or one group of files, to write.

    Attributes:
        number: from 0, over the whole conversion.
        part: the subfolder of the split; empty without a split.
        name: the name of the shard's file, or of the group of files.
        start: the position of the first record in the order of the split.
        stop: the position after the last record.
    """

    number: int
    part: str
    name: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Skipped:
    """A skipped record.

    Attributes:
        number: the record's number.
        sample: the key of its sample.
        stage: the stage that failed.
        reason: why it failed.
        kind: the name of the error's class.
    """

    number: int
    sample: str
    stage: str
    reason: str
    kind: str


@dataclass(frozen=True)
class Receipt:
    """Confirms a finished task, so that a resumed conversion does not repeat it.

    Attributes:
        name: the name of the task.
        examples: the number of records written.
        nbytes: the size of the shard, or of all files.
        sha256: the digest of the shard, or of the files' names and contents in order, as 64 hexadecimal digits.
        skipped: the skipped records.
        labels: the number of records per label; records without a label are not counted.
        renamed: in class-folders, the key and path of each record whose file name differs from its key.
        index_bytes: the size of the shard's index file.
        index_sha256: its digest; empty in class-folders.
    """

    name: str
    examples: int
    nbytes: int
    sha256: str
    skipped: tuple[Skipped, ...] = ()
    labels: dict[int, int] = field(default_factory=dict)
    renamed: tuple[tuple[str, str], ...] = ()
    index_bytes: int = 0
    index_sha256: str = ""

    def dump(self) -> bytes:
        """Encode the receipt as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, path: Path) -> "Receipt | None":
        """Read a receipt; None if it is missing or damaged."""
        try:
            values = json.loads(read_regular_file(path))
            skipped = tuple(Skipped(**row) for row in values["skipped"])
            labels = {int(label): count for label, count in values["labels"].items()}
            renamed = tuple((key, path) for key, path in values["renamed"])
            return cls(**values | {"skipped": skipped, "labels": labels, "renamed": renamed})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


class TaskReporter(Protocol):
    """Receives the progress of a task; it may raise an exception to end the task."""

    def written(self, records: int, size: int) -> None:
        """Count finished records and their bytes."""
        ...

    def skipped(self, skipped: Skipped) -> None:
        """Log a bad record, which is skipped."""
        ...


class SilentReporter:
    """A reporter that ignores the progress and tolerates all bad records."""

    def written(self, records: int, size: int) -> None:
        """Do nothing."""

    def skipped(self, skipped: Skipped) -> None:
        """Do nothing."""


class Writer(Protocol):
    """Writes the records of a task; see `shards.ShardWriter` and `folders.FolderWriter`."""

    def write(self, job: "Job", task: Task, report: TaskReporter, threads: int) -> Receipt:
        """Write a task durably, and read it back."""
        ...

    def is_whole(self, job: "Job", task: Task, receipt: Receipt) -> bool:
        """Whether the output of an earlier attempt is still there, byte for byte."""
        ...


@dataclass(frozen=True)
class Job:
    """A conversion as its workers get it; each process and machine has a copy.

    Attributes:
        records: the records to write.
        order: the record numbers of each split, in the order of the output.
        tasks: the tasks.
        writer: writes a task.
        data: the folder that becomes the destination.
        receipts: the folder of receipts.
        scratch: the folder of temporary files.
    """

    records: Records
    order: dict[str, Indices]
    tasks: tuple[Task, ...]
    writer: Writer
    data: Path
    receipts: Path
    scratch: Path

    def numbers(self, task: Task) -> NDArray[np.int64]:
        """Return the record numbers of a task, in order."""
        return self.order[task.part][task.start : task.stop]

    def receipt_path(self, task: Task) -> Path:
        """Return the path of a task's receipt."""
        return self.receipts / f"{task.number:06d}.json"

    def folder(self, task: Task) -> Path:
        """Return the folder of a task's files."""
        return self.data / task.part

    def perform(self, number: int, report: TaskReporter, threads: int = 1) -> Receipt:
        """Perform a task, unless its receipt confirms that it is finished.

        Args:
            number: the task's number.
            report: receives the progress.
            threads: number of threads that create records.

        Raises:
            SampleError: a record is bad, and `report` does not tolerate it.
            OSError: a file cannot be written.
        """
        from pipeline.conversion.durable_files import write_durably

        task = self.tasks[number]
        path = self.receipt_path(task)
        receipt = Receipt.load(path)
        if receipt is not None and receipt.name == task.name and self.writer.is_whole(self, task, receipt):
            for skipped in receipt.skipped:
                report.skipped(skipped)
            report.written(len(task), receipt.nbytes)
            return receipt
        receipt = self.writer.write(self, task, report, threads)
        write_durably(path, receipt.dump(), self.scratch)
        return receipt


def describe_shard(receipt: Receipt) -> dict[str, Any]:
    """Return a shard's entry in the manifest."""
    return {"name": receipt.name, "examples": receipt.examples, "bytes": receipt.nbytes, "sha256": receipt.sha256}
