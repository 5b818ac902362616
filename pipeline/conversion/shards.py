"""Writing TFRecord shards with their index files."""

import hashlib
import os
from array import array
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import google_crc32c
import numpy as np

from augment.regular_files import read_regular_file
from pipeline.conversion.durable_files import DurableFile, make_temporary_name, read_back, sync_folder, write_durably
from pipeline.conversion.produce import iter_good_records
from pipeline.conversion.tasks import Job, Receipt, Skipped, Task, TaskReporter
from pipeline.records import tfrecord
from pipeline.records.manifest import hash_file

_BLOCK = 1 << 20
"""Bytes per write and hash, so that a record of 400 bytes does not cost a system call."""

KEY_BYTES = 16
"""Length of a key's hash, which finds duplicates: 10^9 keys collide with a probability of 10^-21."""


class ShardWriter:
    """Writes a task as a shard: records, index file, and the hashes of its keys."""

    def write(self, job: Job, task: Task, report: TaskReporter, threads: int) -> Receipt:
        """Write the shard durably, and read it back.

        Raises:
            SampleError: a record is bad, and `report` does not tolerate it.
            OSError: a file cannot be written.
        """
        path = job.folder(task) / task.name
        temporary = make_temporary_name(path, job.scratch)
        skipped: list[Skipped] = []
        labels: Counter[int] = Counter()
        spans = array("q")
        keys = bytearray()
        with DurableFile(temporary) as output, _Blocks(output) as blocks:
            for _, record in iter_good_records(job.records, job.numbers(task).tolist(), report, skipped, threads):
                begin = blocks.size
                blocks.add(tfrecord.frame_pieces(record.example))
                span = tfrecord.span(begin, blocks.size)
                spans.extend(span)
                keys += hash_key(record.key)
                if record.label is not None:
                    labels[record.label] += 1
                report.written(1, span[1])
        read_back(temporary, blocks.crc)
        os.rename(temporary, path)
        index = tfrecord.encode_index(np.array(spans, np.int64))
        write_durably(tfrecord.index_path(path), index, job.scratch)
        write_durably(job.receipt_path(task).with_suffix(".keys"), bytes(keys), job.scratch)
        sync_folder(path.parent)
        return Receipt(
            task.name,
            len(spans) // 2,
            blocks.size,
            blocks.sha256.hexdigest(),
            tuple(skipped),
            dict(sorted(labels.items())),
            index_bytes=len(index),
            index_sha256=hashlib.sha256(index).hexdigest(),
        )

    def is_whole(self, job: Job, task: Task, receipt: Receipt) -> bool:
        """Whether shard, index file and keys of an earlier attempt exist with the same contents."""
        path = job.folder(task) / task.name
        try:
            if path.stat().st_size != receipt.nbytes or hash_file(path) != receipt.sha256:
                return False
            keys = job.receipt_path(task).with_suffix(".keys").stat().st_size
            index = read_regular_file(tfrecord.index_path(path))
            return keys == KEY_BYTES * receipt.examples and index == tfrecord.encode_index(tfrecord.build_index(path))
        except (OSError, tfrecord.RecordError):
            return False


def hash_key(key: str) -> bytes:
    """Hash a key."""
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=KEY_BYTES).digest()


class _Blocks:
    """Joins pieces to blocks; a thread hashes and writes each block while the next one is joined."""

    def __init__(self, output: DurableFile) -> None:
        self.size = 0
        self.crc = 0
        self.sha256 = hashlib.sha256()
        self._output = output
        self._pieces: list[bytes] = []
        self._full = _BLOCK
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="caudal-write")
        self._pending: Future[None] | None = None

    def __enter__(self) -> "_Blocks":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._wait()
        finally:
            self._pool.shutdown()

    def add(self, pieces: list[bytes]) -> None:
        self._pieces += pieces
        self.size += sum(map(len, pieces))
        if self.size >= self._full:
            self._flush()

    def _flush(self) -> None:
        block = b"".join(self._pieces)
        self._wait()
        self._pending = self._pool.submit(self._write, block)
        self._pieces, self._full = [], self.size + _BLOCK

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def _write(self, block: bytes) -> None:
        self.crc = google_crc32c.extend(self.crc, block)
        self.sha256.update(block)
        self._output.write(block)
