"""Planning a conversion: the records, their order, their shards and their names."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment import keys
from pipeline.conversion.folders import FolderWriter
from pipeline.conversion.names import Names, get_format, make_class_folder, make_path
from pipeline.conversion.options import MAX_SHARDS, SHARD_BYTES, SHARD_RECORDS, Conversion
from pipeline.conversion.records import ImageRecords
from pipeline.conversion.shards import ShardWriter
from pipeline.conversion.tasks import Job, Task, Writer
from pipeline.conversion.texts import TextRecords, open_any
from pipeline.conversion.workspace import Workspace
from pipeline.errors import ConvertError, OptionError, SampleError, SourceError
from pipeline.images.header import read_header
from pipeline.records.manifest import MANIFEST, read_manifest
from pipeline.sampling.order import Indices, permute
from pipeline.sampling.split import partition
from pipeline.sources import FolderSource, Source, TFRecordSource
from pipeline.sources.base import digest

FOLDER_TASK_BYTES = 32 * 2**20
FOLDER_TASK_FILES = 2_000
"""Maximum bytes and files per task of class-folders: a kill costs at most one task per worker."""

_RECORD_BYTES = 256
"""Approximate bytes of an example without its image: the path, twice, and the other features."""


@dataclass(frozen=True, eq=False)
class ConversionPlan:
    """A conversion whose source is open.

    Attributes:
        options: the options of the conversion.
        source: the samples.
        records: the records to write.
        order: the record numbers of each split, in the order of the output.
        tasks: the tasks, one per shard.
    """

    options: Conversion
    source: Source
    records: ImageRecords | TextRecords
    order: dict[str, Indices]
    tasks: tuple[Task, ...]

    @property
    def content(self) -> str:
        """The kind of records: "images" or "texts"."""
        return "texts" if isinstance(self.records, TextRecords) else "images"

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the output: equal fingerprints mean equal bytes."""
        shaping = json.dumps(self.options.get_output_options(), sort_keys=True)
        return digest(
            ("conversion 3", self.source.fingerprint, self.source.class_names, self.options.target.name, shaping)
        )

    def job(self, workspace: Workspace) -> Job:
        """Return the job that the workers perform."""
        folders = workspace.data, workspace.receipts, workspace.scratch
        return Job(self.records, self.order, self.tasks, self._writer, *folders)

    def class_folders(self, part: str) -> tuple[str, ...]:
        """Return the folders of all classes of a split, including classes without images."""
        if (folders := self._naming[1].get(part)) is not None:
            return folders
        return tuple(make_class_folder(name, portable=self._portable) for name in self.source.class_names)

    def get_list_name(self, name: str, part: str) -> str:
        """Return the name of a list of samples: `name`, or one with a number if a class's folder has it."""
        folders = {folder.casefold() for folder in self.class_folders(part)} if self.options.to == "folder" else set()
        names = (name, *(f"{Path(name).stem}~{number}{Path(name).suffix}" for number in range(2, len(folders) + 3)))
        return next(choice for choice in names if choice.casefold() not in folders)

    def paths(self) -> Iterator[tuple[str, str]]:
        """Yield the files of class-folders: (split, path)."""
        for part, numbers in self.order.items():
            for number in numbers.tolist():
                label = self.source.peek(self.records.get_sample_index(number)).label
                yield part, self.folder_writer.path(number, self._get_key(number), self.source.class_names[label])

    def numbers(self, task: Task) -> Indices:
        """Return the record numbers of a task, in order."""
        return self.order[task.part][task.start : task.stop]

    @cached_property
    def folder_writer(self) -> FolderWriter:
        """The writer of class-folders."""
        return FolderWriter(self._paths, self._formats, portable=self._portable)

    @property
    def _writer(self) -> Writer:
        return ShardWriter() if self.options.to == "tfrecord" else self.folder_writer

    @cached_property
    def _formats(self) -> dict[str, str]:
        reencoding = self.options.reencoding
        known = ("jpeg", "png", "webp", "gif", "bmp")
        return {} if reencoding is None else {name: reencoding.get_target_format(name) for name in known}

    @cached_property
    def _portable(self) -> bool:
        """Whether the keys do not come from a file system like this one."""
        return not isinstance(self.source, FolderSource) and not _is_made_from_files(self.options.source)

    @property
    def _paths(self) -> dict[int, str]:
        """The paths that `make_path` does not return, by record number."""
        return self._naming[0]

    @cached_property
    def _naming(self) -> tuple[dict[int, str], dict[str, tuple[str, ...]]]:
        """Name all files: the paths that `make_path` does not return, and the folders of the classes per split."""
        if not self._portable and not self._formats and not self.options.copies:
            return {}, {}  # keys of files in folders: each is legal, and each is unique
        paths: dict[int, str] = {}
        class_folders: dict[str, tuple[str, ...]] = {}
        for part, numbers in self.order.items():
            names = Names(portable=self._portable)
            folders = {name: names.claim_class(name) for name in dict.fromkeys(self.source.class_names)}
            class_folders[part] = tuple(folders.values())
            for number in np.sort(numbers).tolist():
                try:
                    key, class_name, image_format = self._describe(number)
                except SampleError:
                    continue  # making the record will raise it again
                usual = make_path(key, class_name, self._formats.get(get_format(key) or ""), portable=self._portable)
                _, _, inside = make_path(key, class_name, image_format, portable=self._portable).partition("/")
                path = names.claim(f"{folders[class_name]}/{inside}")
                if path != usual:
                    paths[number] = path
        return paths, class_folders

    def _describe(self, number: int) -> tuple[str, str, str | None]:
        """Return a record's key, class and, if its extension changes, its format."""
        sample = self.source.peek(self.records.get_sample_index(number))
        key = self._get_key(number)
        if not 0 <= sample.label < len(self.source.class_names):
            raise SampleError(key, "has no label")
        known = get_format(key)
        if known is None:
            sample = self.source.read(self.records.get_sample_index(number))
            try:
                known = "png" if sample.encoded is None else read_header(sample.encoded).format
            except ValueError as error:
                raise SampleError(key, str(error)) from None
            return key, self.source.class_names[sample.label], self._formats.get(known, known)
        return key, self.source.class_names[sample.label], self._formats.get(known)

    def _get_key(self, number: int) -> str:
        try:
            return self.records.key(number)
        except SampleError as error:
            return error.sample


def plan(options: Conversion) -> ConversionPlan:
    """Open the source and plan its conversion.

    Raises:
        SourceError: the source cannot be opened.
        OptionError: an option does not fit it.
        ConvertError: the destination contains the source or is inside it, or there are fewer records than shards.
    """
    _check_apart(options.source, options.target)
    source, texts = open_any(options)
    if options.to == "folder" and not source.class_names:
        remedy = "" if _describe_source(options.source) != "the source" else ", or pass (images, labels)"
        raise OptionError(
            f'to="folder" needs labels, but {_describe_source(options.source)} has none; use "tfrecord"{remedy}'
        )
    names = _rename_duplicates(source, options.source)
    records = (
        TextRecords(source, options.encoding or "utf-8", names)
        if texts
        else ImageRecords(
            source,
            options.reencoding,
            plan=options.plan,
            seed=options.seed,
            copies=options.copies,
            copy_mark=_choose_copy_mark(source) if options.copies else "",
            names=names,
        )
    )
    order = {part: _order_records(samples, part, options) for part, samples in _split_samples(source, options).items()}
    sizes = source.sizes() + _RECORD_BYTES
    tasks: list[Task] = []
    for part, numbers in order.items():
        bounds = _compute_bounds(sizes[numbers // (options.copies + 1)], options)
        name, count = part or options.target.name, len(bounds) - 1
        for shard, (start, stop) in enumerate(pairwise(bounds)):
            suffix = "" if options.to == "folder" else ".tfrecord"
            tasks.append(Task(len(tasks), part, f"{name}-{shard:05d}-of-{count:05d}{suffix}", start, stop))
    return ConversionPlan(options, source, records, order, tuple(tasks))


def _describe_source(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else "the source"


def _split_samples(source: Source, options: Conversion) -> dict[str, Indices]:
    """Return the samples of each split, int64, ascending."""
    if options.split is None:
        return {"": np.arange(len(source))}
    labels = source.labels() if options.stratify else None
    return partition(len(source), options.split, keys.root(options.seed), labels)


def _order_records(samples: Indices, part: str, options: Conversion) -> Indices:
    """Return the record numbers of a split in the order of the output."""
    numbers = (samples[:, np.newaxis] * (options.copies + 1) + np.arange(options.get_copies(part) + 1)).ravel()
    if not options.shuffle:
        return numbers
    key = keys.fold_in(keys.root(options.seed), "convert", part)
    return numbers[permute(np.arange(len(numbers)), len(numbers), key)]


def _compute_bounds(sizes: NDArray[np.int64], options: Conversion) -> list[int]:
    """Return the bounds of the shards: equal numbers of records with `shards`, else about equal bytes."""
    records = len(sizes)
    if options.shards is not None:
        most = min(records, MAX_SHARDS)
        if not 1 <= options.shards <= most:
            raise ConvertError(f"shards={options.shards} is out of range for {records} samples; use 1 to {most}")
        return list(map(int, np.linspace(0, records, options.shards + 1)))
    size = options.shard_size or (FOLDER_TASK_BYTES if options.to == "folder" else SHARD_BYTES)
    ends = np.cumsum(sizes)
    count = max(1, min(records, MAX_SHARDS, -(-int(ends[-1]) // size)))
    if options.to == "folder":
        count = max(count, -(-records // FOLDER_TASK_FILES))
    elif options.shard_size is None:
        count = max(count, min(MAX_SHARDS, -(-records // SHARD_RECORDS)))
    inner = np.searchsorted(ends, ends[-1] * np.arange(1, count) / count, side="left") + 1
    # A record that is larger than a shard would empty the shards around it: each gets at least one record.
    shards = np.arange(1, count)
    inner = np.minimum(
        np.maximum.accumulate(np.concatenate([[0], inner - shards]))[1:] + shards, records - count + shards
    )
    return [0, *inner.tolist(), records]


def _choose_copy_mark(source: Source) -> str:
    """Choose the text between name and number in the keys of copies; no key of the source contains it."""
    mark = "~aug"
    for index in range(len(source)):
        try:
            while mark in source.peek(index).key:
                mark += "_"
        except SampleError:
            continue
    return mark


def _rename_duplicates(source: Source, given: Any) -> dict[int, str]:
    """Return new keys for the samples of foreign TFRecords whose key is a duplicate."""
    if not isinstance(source, TFRecordSource) or _read_manifest(given) is not None:
        return {}
    names = Names(portable=False)
    renamed: dict[int, str] = {}
    for index in range(len(source)):
        try:
            key = source.peek(index).key
        except SampleError:
            continue
        if (name := names.claim_key(key)) != key:
            renamed[index] = name
    return renamed


def _is_made_from_files(given: Any) -> bool:
    """Whether a dataset was converted from class-folders, so that its keys are the names of files."""
    manifest = _read_manifest(given)
    return manifest is not None and manifest.get("options", {}).get("keys") == "files"


def _read_manifest(given: Any) -> dict[str, Any] | None:
    try:
        return read_manifest(Path(given)) if (Path(given) / MANIFEST).exists() else None
    except (SourceError, TypeError, ValueError):
        return None


def has_file_keys(planned: ConversionPlan) -> bool:
    """Whether the keys of the output are names of files, which an export restores unchanged."""
    return isinstance(planned.source, FolderSource) or _is_made_from_files(planned.options.source)


def _check_apart(source: Any, target: Path) -> None:
    """Refuse a destination that is the source, contains it, or is inside it."""
    paths = [source] if isinstance(source, (str, Path)) else source if isinstance(source, (list, tuple)) else []
    for path in paths:
        if not isinstance(path, (str, Path)):
            return
        here = Path(path).resolve()
        if here.exists() and (here == target or here in target.parents or target in here.parents):
            raise ConvertError(
                f"destination {target} and source {path} must not contain each other; choose another destination"
            )
