"""What a conversion is divided into: tasks, one a shard, and what is kept of each that is done."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.conversion.records import Records
from pipeline.sampling.order import Indices


@dataclass(frozen=True)
class Task:
    """One shard to write, or the files that one worker writes at a time.

    Attributes:
        number: counted from 0 over the whole conversion.
        part: the subfolder of the split; empty where there is none.
        name: of the shard's file, or of the group of files.
        start: the first record, as a position in the order of the part.
        stop: the position behind the last.
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
    """A record that was left out.

    Attributes:
        number: of the record.
        sample: the key of its sample.
        stage: at which it failed.
        reason: why.
        kind: the name of the error.
    """

    number: int
    sample: str
    stage: str
    reason: str
    kind: str


@dataclass(frozen=True)
class Receipt:
    """What is known of a task that is done; the proof that it need not be done again.

    Attributes:
        name: of the task.
        examples: the records that were written.
        nbytes: that were written: the size of the shard, or of all files.
        sha256: of the shard, or of the files' names and contents in order, as 64 hexadecimal digits.
        skipped: the records that were left out.
    """

    name: str
    examples: int
    nbytes: int
    sha256: str
    skipped: tuple[Skipped, ...] = ()

    def dump(self) -> bytes:
        """Write it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, path: Path) -> "Receipt | None":
        """Read a receipt, or None where there is no whole one."""
        try:
            values = json.loads(path.read_bytes())
            return cls(**values | {"skipped": tuple(Skipped(**row) for row in values["skipped"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None


class TaskReporter(Protocol):
    """Takes what a worker has to tell while it works; it may raise to end the work."""

    def written(self, records: int, size: int) -> None:
        """So many more records, of so many bytes, are done."""
        ...

    def skipped(self, row: Skipped) -> None:
        """A record is bad, and is left out."""
        ...


class Writer(Protocol):
    """Writes what a task is to write; see `shards.ShardWriter` and `folders.FolderWriter`."""

    def write(self, job: "Job", task: Task, report: TaskReporter, threads: int) -> Receipt:
        """Write it durably, and read it back."""
        ...

    def is_whole(self, job: "Job", task: Task, receipt: Receipt) -> bool:
        """Whether what was written earlier is still there, byte for byte."""
        ...


@dataclass(frozen=True)
class Job:
    """All that a worker has to know; processes and machines get copies of it.

    Attributes:
        records: what is written.
        order: the numbers of each part's records, in the order in which they are written.
        tasks: what it is divided into.
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
        """Give the numbers of a task's records, in order."""
        return self.order[task.part][task.start : task.stop]

    def receipt_path(self, task: Task) -> Path:
        """Say where a task's receipt stands."""
        return self.receipts / f"{task.number:06d}.json"

    def folder(self, task: Task) -> Path:
        """Say where a task's files go."""
        return self.data / task.part

    def perform(self, number: int, report: TaskReporter, threads: int = 1) -> Receipt:
        """Do a task, unless it has been done already.

        Args:
            number: of the task.
            report: told of progress.
            threads: that make records at once.

        Raises:
            SampleError: a record is bad, and `report` does not bear it.
            OSError: something cannot be written.
        """
        from pipeline.conversion.durable_files import write_durably

        task = self.tasks[number]
        path = self.receipt_path(task)
        receipt = Receipt.load(path)
        if receipt is not None and receipt.name == task.name and self.writer.is_whole(self, task, receipt):
            for row in receipt.skipped:
                report.skipped(row)
            report.written(len(task), receipt.nbytes)
            return receipt
        receipt = self.writer.write(self, task, report, threads)
        write_durably(path, receipt.dump(), self.scratch)
        return receipt


def describe_shard(receipt: Receipt) -> dict[str, Any]:
    """Describe a shard as the manifest lists it."""
    return {"name": receipt.name, "examples": receipt.examples, "bytes": receipt.nbytes, "sha256": receipt.sha256}
