"""Augments a file of texts into another file: in several processes, reproducibly, and resumable.

The output grows in a partial file beside the destination. After each chunk, a journal records its length and the job.
The same job resumes after the last complete chunk; the destination appears when all chunks are complete.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from augment import keys
from augment.text.eda import EDA
from augment.text.specification import to_dict
from pipeline.errors import ConvertError, DecodeError, OptionError, SourceError
from pipeline.feeds.look_ahead import LookAhead
from pipeline.progress import Progress
from pipeline.sources.base import digest
from pipeline.sources.rows import RowFile, to_bytes
from pipeline.sources.text_format import TextFormat
from pipeline.sources.text_row_formats import guess_format
from pipeline.texts.stages import TextDecoder
from pipeline.texts.workers import TextWorkers

_CHUNK = 512
"""Number of rows per line of the journal."""


@dataclass(frozen=True, kw_only=True)
class TextJob:
    """The options of an augmentation of a file.

    Attributes:
        eda: computes the variants.
        seed: of the variants: row i gets `eda(text, key=(seed, 0, i))`.
        keep_original: writes each row unchanged before its variants.
        format: of both files; the output is UTF-8. A text that cannot be decoded is skipped.
        processes: number of processes that augment.
    """

    eda: EDA
    seed: int = 0
    keep_original: bool = True
    format: TextFormat = field(default_factory=TextFormat)
    processes: int = 1


def augment_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    job: TextJob,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the variants of every row of a file, each with the row's label and other columns.

    Args:
        source: a file of rows: `label text` lines, TSV, CSV or JSONL.
        destination: the file to write, in the same format.
        job: the options.
        overwrite: replaces an existing destination, once the new one is complete.
        progress: called after each chunk.

    Returns:
        "rows": number of rows of the source; "written": of the destination; "recoded": number of rows that were not in
        `encoding`; "skipped": the bad rows, by name and reason; "resumed": number of rows that an earlier, interrupted
        job had finished; "sha256" of the destination.

    Raises:
        SourceError: the source cannot be read.
        OptionError: the destination's extension is that of another format, or a file of rows cannot have an encoding.
        ConvertError: the destination exists, is the source, is being written, or cannot be written.
    """
    job.format.check_rows()
    rows = RowFile(Path(source), job.format)
    target = Path(destination).absolute()
    target_kind = guess_format(target.name) or ("label text" if guess_format(rows.path.name) else rows.kind)
    if job.format.format is None and target.suffix and target_kind != rows.kind:
        raise OptionError(
            f"{target.name} has the extension of {target_kind!r}, but {rows.path.name} is {rows.kind!r}; "
            "use the same format"
        )
    if target.resolve() == rows.path.resolve():
        raise ConvertError(f"destination {target} is the source; choose another")
    if target.exists() and not overwrite:
        raise ConvertError(f"{target} exists; use overwrite to replace it")
    try:
        with _lock(target):
            return _Run(rows, target, job).run(progress)
    except OSError as error:
        if isinstance(error, (SourceError, ConvertError)):
            raise
        raise ConvertError(f"cannot write {target}: {error.strerror}") from error


class _Run:
    """One run of a job, from the start or from where an earlier run ended."""

    def __init__(self, rows: RowFile, target: Path, job: TextJob) -> None:
        self._rows = rows
        self._target = target
        self._job = job
        self._partial = target.with_name(f".{target.name}.partial")
        self._journal = target.with_name(f".{target.name}.journal")
        self._root = keys.fold_in(keys.root(job.seed), "augment", 0)
        job_options = replace(job, processes=1, eda=EDA())
        self._name = digest((rows.fingerprint, to_dict(job.eda), job_options))

    def run(self, progress: Progress | None) -> dict[str, Any]:
        done, size, journal, report = self._resume()
        report["resumed"] = done
        skipped = report["skipped"]
        with (
            open(self._partial, "r+b" if done else "wb") as partial,
            open(self._journal, "ab" if done else "wb") as log,
            contextlib.closing(self._chunks(range(done, len(self._rows), _CHUNK))) as chunks,
        ):
            partial.truncate(size)
            partial.seek(size)
            log.truncate(journal)  # half a line would hide later lines from the next run
            if not done and self._rows.header is not None:
                partial.write(to_bytes(self._rows.header) + b"\n")
            for first, written in chunks:
                for count, text in written["rows"]:
                    report["written"] += count
                    partial.write(text)
                report["recoded"] += written["recoded"]
                skipped += written["skipped"]
                partial.flush()
                last = min(first + _CHUNK, len(self._rows))
                line = {"job": self._name, "rows": last, "bytes": partial.tell(), "written": report["written"]}
                line |= {"recoded": report["recoded"], "skipped": written["skipped"]}
                log.write(json.dumps(line).encode() + b"\n")
                log.flush()
                if progress is not None:
                    progress(last, len(self._rows))
            os.fsync(partial.fileno())
        os.replace(self._partial, self._target)
        self._journal.unlink()
        with open(self._target, "rb") as file:
            return report | {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}

    def _resume(self) -> tuple[int, int, int, dict[str, Any]]:
        """Return the progress of an earlier run of this job: rows, bytes, bytes of its journal, and its report."""
        report: dict[str, Any] = {"rows": len(self._rows), "written": 0, "recoded": 0, "skipped": []}
        done, length, journal = 0, 0, 0
        try:
            size = self._partial.stat().st_size
            for line in self._journal.read_bytes().splitlines(keepends=True):
                entry = json.loads(line)
                if not line.endswith(b"\n") or entry["job"] != self._name or entry["bytes"] > size:
                    break
                done, length = int(entry["rows"]), int(entry["bytes"])
                report |= {"written": int(entry["written"]), "recoded": int(entry["recoded"])}
                report["skipped"] += entry["skipped"]
                journal += len(line)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no journal, or a truncated line at its end: the lines before it are valid
        return done, length, journal, report

    def _chunks(self, firsts: Sequence[int]) -> LookAhead[int, tuple[int, dict[str, Any]]]:
        """Compute the chunks in order: one per process at once, and a few ahead."""
        processes = self._job.processes
        workers = TextWorkers(self._job.eda, self._job.eda.num_aug, processes)
        return LookAhead(partial(self._chunk, workers), firsts, threads=processes, ahead=2 * processes)

    def _chunk(self, workers: TextWorkers, first: int) -> tuple[int, dict[str, Any]]:
        decoder = TextDecoder(self._job.format.encoding, self._job.format.fallback)
        readable: list[tuple[int, str, str]] = []
        skipped: list[dict[str, str]] = []
        for index in range(first, min(first + _CHUNK, len(self._rows))):
            key, row = self._rows.key(index), self._rows[index]
            try:
                text = decoder(key, to_bytes(self._rows.format.text(row)))
                self._rows.format.label(row)  # raises where a loader has a bad sample
                readable.append((index, decoder(key, to_bytes(row)), text))
            except DecodeError as error:
                skipped.append({"row": key, "reason": error.reason})
            except ValueError as error:
                skipped.append({"row": key, "reason": str(error)})
        row_keys = keys.fold_in(self._root, [index for index, _, _ in readable]).tolist() if readable else []
        variants = workers.list_variants([text for _, _, text in readable], row_keys)
        rows = [self._format_row(row, text, own) for (_, row, text), own in zip(readable, variants, strict=True)]
        return first, {"rows": rows, "skipped": skipped, "recoded": len(decoder.fallback_decoded)}

    def _format_row(self, row: str, text: str, variants: list[str]) -> tuple[int, bytes]:
        """Format a row's variants; a text without variants is written once, whatever the options."""
        texts = [text, *variants] if self._job.keep_original and variants != [text] else variants
        rows = "".join(f"{self._rows.format.with_text(row, each)}\n" for each in texts)
        return len(texts), rows.encode("utf-8", "replace")


@contextlib.contextmanager
def _lock(target: Path) -> Iterator[BinaryIO]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_name(f".{target.name}.lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the process ends, however it ends
        except BlockingIOError:
            raise ConvertError(f"{target} is being written by another process; wait for it to end") from None
        if not os.fstat(lock.fileno()).st_nlink:  # that process just ended, and removed the file that is locked here
            raise ConvertError(f"{target} was just written by another process; run again")
        try:
            yield lock
        finally:
            Path(lock.name).unlink(missing_ok=True)
