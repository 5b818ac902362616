"""Augments a file of texts into another file: in several processes, reproducibly, and resumable.

The output grows in a partial file beside the destination, with a journal of its chunks (`pipeline/texts/journal.py`).
The same job resumes after the last whole chunk; the destination appears when all chunks are complete.
"""

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from augment import keys
from augment.regular_files import describe_kind
from augment.text.eda import EDA
from augment.text.specification import to_dict
from pipeline.errors import CaudalError, ConvertError, DecodeError, OptionError
from pipeline.feeds.look_ahead import LookAhead
from pipeline.progress import Progress
from pipeline.sources.base import digest, raise_source_errors
from pipeline.sources.rows import RowFile, to_bytes
from pipeline.sources.text_format import TextFormat
from pipeline.sources.text_row_formats import guess_format
from pipeline.texts.journal import Journal
from pipeline.texts.stages import TextDecoder
from pipeline.texts.workers import TextWorkers

_CHUNK = 512
"""Number of rows per chunk."""


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
        SourceError: the source cannot be read, or changes meanwhile.
        OptionError: the destination's extension is that of another format, or a file of rows cannot have an encoding.
        ConvertError: the destination exists, is the source, is being written, or cannot be written, or a file beside it
            is not this program's.
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
    _check_target(target, overwrite=overwrite)
    try:
        return _Run(rows, target, job).run(progress, overwrite=overwrite)
    except OSError as error:
        if isinstance(error, CaudalError):
            raise
        raise ConvertError(f"cannot write {target}: {error.strerror}") from error


class _Run:
    """One run of a job, from the start or from where an earlier run ended."""

    def __init__(self, rows: RowFile, target: Path, job: TextJob) -> None:
        self._rows = rows
        self._target = target
        self._job = job
        self._root = keys.fold_in(keys.root(job.seed), "augment", 0)
        job_options = replace(job, processes=1, eda=EDA())
        self._name = digest((rows.fingerprint, to_dict(job.eda), job_options))

    def run(self, progress: Progress | None, *, overwrite: bool) -> dict[str, Any]:
        with Journal(self._target, self._name) as journal:
            done = journal.entries[-1]["rows"] if journal.entries else 0
            with contextlib.closing(self._chunks(range(done, len(self._rows), _CHUNK))) as chunks:
                for first, written in chunks:
                    last = min(first + _CHUNK, len(self._rows))
                    header = b"" if first or self._rows.header is None else to_bytes(self._rows.header) + b"\n"
                    entry = {name: written[name] for name in ("written", "recoded", "skipped")}
                    journal.append(header + written["text"], {"rows": last, **entry})
                    if progress is not None:
                        progress(last, len(self._rows))
            return {
                "rows": len(self._rows),
                "written": sum(entry["written"] for entry in journal.entries),
                "recoded": sum(entry["recoded"] for entry in journal.entries),
                "skipped": [row for entry in journal.entries for row in entry["skipped"]],
                "resumed": done,
                "sha256": journal.publish(overwrite=overwrite),
            }

    def _chunks(self, firsts: Sequence[int]) -> LookAhead[int, tuple[int, dict[str, Any]]]:
        """Compute the chunks in order: one per process at once, and a few ahead."""
        processes = self._job.processes
        workers = TextWorkers(self._job.eda, self._job.eda.num_aug, processes)
        return LookAhead(partial(self._chunk, workers), firsts, threads=processes, ahead=2 * processes)

    def _chunk(self, workers: TextWorkers, first: int) -> tuple[int, dict[str, Any]]:
        decoder = TextDecoder(self._job.format.encoding, self._job.format.fallback)
        readable: list[tuple[int, str, str]] = []
        skipped: list[dict[str, str]] = []
        indices = range(first, min(first + _CHUNK, len(self._rows)))
        with raise_source_errors(self._rows.path):
            lines = [self._rows[index] for index in indices]
        for index, row in zip(indices, lines, strict=True):
            key = self._rows.key(index)
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
        return first, {
            "text": b"".join(text for _, text in rows),
            "written": sum(count for count, _ in rows),
            "recoded": len(decoder.fallback_decoded),
            "skipped": skipped,
        }

    def _format_row(self, row: str, text: str, variants: list[str]) -> tuple[int, bytes]:
        """Format a row's variants; a text without variants is written once, whatever the options."""
        texts = [text, *variants] if self._job.keep_original and variants != [text] else variants
        rows = "".join(f"{self._rows.format.with_text(row, each)}\n" for each in texts)
        return len(texts), rows.encode("utf-8", "replace")


def _check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a destination that exists, unless it is to be replaced, and is a file.

    Raises:
        ConvertError: it does.
    """
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise ConvertError(f"{target} is {describe_kind(mode)}; choose another destination")
    if not overwrite:
        raise ConvertError(f"{target} exists; use overwrite to replace it")
