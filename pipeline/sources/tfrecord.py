"""TFRecord files, written here or elsewhere, as a source with random access."""

import logging
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from augment.regular_files import (
    ChangedError,
    FileVersion,
    NotRegularError,
    get_version,
    open_regular_file,
    read_version,
)
from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.records import tfrecord
from pipeline.records.example import get_other_features
from pipeline.records.manifest import MANIFEST as MANIFEST
from pipeline.records.manifest import read_manifest as read_manifest
from pipeline.sources.base import (
    MAX_CLASSES,
    NO_LABEL,
    Labels,
    Sample,
    describe_unknown_label,
    digest,
    make_read_error,
    raise_source_errors,
    warn_once,
)
from pipeline.sources.not_text import recognize_binary

_log = logging.getLogger(__name__)

_CONTENTS = {tfrecord.ENCODED: "an image is the bytes of its file", tfrecord.TEXT.content: "a text is bytes (UTF-8)"}


@dataclass(frozen=True, slots=True)
class _Scan:
    labels: Labels
    class_names: tuple[str, ...]
    names: dict[int, str]


class TFRecordSource:
    """The examples of TFRecord files, in the order of the files and of their records.

    Reads `image/encoded` and, for labels, `image/class/label`; also `image/filename` and `image/class/text`, if
    present. A subclass may name other features.

    Attributes:
        features: the names of the features.
        may_be_empty: whether a sample may have no bytes.

    Args:
        shards: the files.
        class_names: the classes in the order of their labels. A record that holds one of these names gets its label;
            any other record keeps its number. By default those of the manifest; without a manifest, all records are
            read once to find them.
        label_offset: number to subtract from the stored labels: 1 where the classes count from 1.

    Raises:
        SourceError: there are no records, a file cannot be read, is not a regular file, or its framing is damaged.
    """

    features = tfrecord.IMAGE
    may_be_empty = False

    def __init__(self, shards: Sequence[Path], class_names: Sequence[str] | None = None, label_offset: int = 0) -> None:
        self.shards = tuple(shards)
        self.ignored_files: Counter[str] = Counter()
        self._label_offset = label_offset
        self._given_names = tuple(class_names) if class_names is not None else None
        self._given_labels = {name: label for label, name in enumerate(self._given_names or ())}
        indices, self._versions = [], []
        for shard in self.shards:
            index, version = _load_index(shard)
            indices.append(index)
            self._versions.append(version)
        self._spans = np.concatenate([np.zeros((0, 2), np.int64), *indices])
        self._first = np.cumsum([0, *map(len, indices)])
        self._kept = np.arange(len(self._spans))
        if not len(self._spans):
            raise SourceError(f"no records in {', '.join(map(str, self.shards)) or 'an empty list of files'}")

    @classmethod
    def from_directory(cls, root: Path, class_names: Sequence[str] | None, label_offset: int) -> "TFRecordSource":
        """Open all shards of a directory: those of its manifest, which names the classes, or all that are found.

        Raises:
            SourceError: the manifest cannot be read, or a shard that it lists is missing.
            OptionError: there is a manifest and `label_offset`, or `class_names` has a class that it does not list.
        """
        if not has_manifest(root):
            return cls(list_shards(root), class_names, label_offset)
        if label_offset:
            raise OptionError(
                f"label_offset does not apply to {root}: the labels of converted datasets start at 0; drop it"
            )
        manifest = read_manifest(root)
        shards = [root / shard["name"] for shard in manifest["shards"]]
        if not shards:
            raise SourceError(f"{root / MANIFEST} lists no shard; convert the dataset again")
        if missing := [shard.name for shard in shards if not shard.exists()]:
            raise SourceError(f"{root} is missing {', '.join(missing)}, listed in {MANIFEST}; run `caudal verify`")
        stored = manifest["class_names"]
        source = cls(shards, class_names if class_names is not None else stored, label_offset)
        if class_names is not None:
            source._restrict(stored, root)
        return source

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return self._given_names if self._given_names is not None else self._scan.class_names

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the files' names, sizes and modification times."""
        status = [(shard.name, *version) for shard, version in zip(self.shards, self._versions, strict=True)]
        return digest(("tfrecord", self._given_names, self._label_offset, *status))

    def labels(self) -> Labels:
        """Return the class of every sample, int64 [N], `NO_LABEL` where a record has none. Reads all records once."""
        return self._scan.labels

    def sizes(self) -> Labels:
        """Return the number of bytes of every record, int64 [N]."""
        return np.array(self._spans[self._kept, 1])

    def peek(self, index: int) -> Sample:
        """Return the sample's key and label; this reads its record.

        Raises:
            ReadError: the record is damaged.
        """
        sample = self.read(index)
        return Sample(sample.key, sample.label)

    def read(self, index: int) -> Sample:
        """Read one record.

        Raises:
            ReadError: it is truncated, fails its checksum, has no image, or its file has changed since it was opened.
        """
        shard, record = self._locate(index)
        where = f"{shard.name}#{record}"
        try:
            example = self._read_example(index)
        except OSError as error:
            raise make_read_error(where, error) from None
        except ValueError as error:
            raise ReadError(where, str(error)) from None
        label, fault = self._check_label(example)
        content = self._get_bytes(example, self.features.content, where)
        kind, _ = tfrecord.get_values(example, self.features.content)
        if kind in ("float", "int64"):
            held = "floats" if kind == "float" else "integers"
            raise ReadError(where, f"{self.features.content} holds {held}, but {_CONTENTS[self.features.content]}")
        if content == b"" and not self.may_be_empty:
            raise ReadError(where, f"{self.features.content} is empty")
        if content is None:
            raise ReadError(
                where, f"the example has no {self.features.content}; it has {sorted(example.features.feature)}"
            )
        name = self._get_bytes(example, self.features.key, where)
        extra = get_other_features(example, (*tfrecord.FEATURES, *self.features))
        return Sample(_decode_text(name) if name else where, label, content, extra=extra, label_fault=fault)

    def feature_names(self, index: int) -> frozenset[str]:
        """Return the names of a record's features.

        Raises:
            OSError: it cannot be read.
            ValueError: it is damaged.
        """
        return frozenset(self._read_example(index).features.feature)

    @cached_property
    def _scan(self) -> _Scan:
        labels = np.full(len(self), NO_LABEL, np.int64)
        found: dict[int, Counter[str]] = {}
        stored_names = [""] * len(self)
        for index in range(len(self)):
            try:
                example = self._read_example(index)
            except (OSError, ValueError):
                continue  # reading the sample raises the error
            label, fault = self._read_label(example)
            stored = label + self._label_offset
            if NO_LABEL < label < 0 <= stored:
                shard, record = self._locate(index)
                raise OptionError(
                    f"label_offset={self._label_offset} is larger than label {stored} of {shard.name}#{record}; use at "
                    f"most {stored}"
                )
            labels[index] = label
            name = None if fault else tfrecord.get_bytes_feature(example, self.features.class_name)
            if name:
                stored_names[index] = sys.intern(_decode_text(name))
                found.setdefault(label, Counter())[stored_names[index]] += 1
        names = {label: counts.most_common(1)[0][0] for label, counts in found.items()}
        if self._given_names is None:
            for index, stored_name in enumerate(stored_names):
                if stored_name and names[int(labels[index])] != stored_name:
                    labels[index] = NO_LABEL
        count = max(int(labels.max()) + 1, 0)
        if count > MAX_CLASSES:
            raise SourceError(f"labels reach {count - 1}, too large to count classes from them; set class_names")
        if count and not (labels == 0).any():
            first = int(labels[labels >= 0].min())
            warn_once(
                _log, f"{self.shards[0]}: no sample has label 0; if the labels start at {first}, set label_offset"
            )
        class_names = tuple(names.get(label, str(label)) for label in range(count))
        if self._given_names is None:
            self._check_names(class_names)
        return _Scan(labels, class_names, names)

    def _check_names(self, class_names: Sequence[str]) -> None:
        labels: dict[str, int] = {}
        for label, name in enumerate(class_names):
            if (other := labels.setdefault(name, label)) != label:
                raise SourceError(
                    f"{self.shards[0]}: the labels {other} and {label} both have the name {name!r}; set class_names"
                )

    def _read_example(self, index: int) -> Any:
        offset, length = self._spans[self._kept[index]].tolist()
        number, _ = self._find(index)
        shard = self.shards[number]
        try:
            descriptor = open_regular_file(shard)
        except NotRegularError as error:
            raise ChangedError(shard, str(error.strerror)) from None
        try:
            data = tfrecord.read_record(descriptor, offset, length)
        finally:
            version = get_version(descriptor)  # of what was read: a damaged record may be one that has changed
            os.close(descriptor)
            if version != self._versions[number]:
                raise ChangedError(shard)
        return tfrecord.parse_example(data)

    def _read_label(self, example: Any) -> tuple[int, str]:
        """Return an example's label, or `NO_LABEL` and what is wrong with it."""
        kind, values = tfrecord.get_values(example, self.features.label)
        if kind in ("bytes", "float"):
            return NO_LABEL, f"{self.features.label} has {kind} values, but a label is one int64 value"
        kind, names = tfrecord.get_values(example, self.features.class_name)
        for feature, found in ((self.features.label, values), (self.features.class_name, names)):
            if len(found) > 1:
                return NO_LABEL, f"{feature} has {len(found)} values; several labels per sample are not supported"
        if kind == "bytes" and (given := self._given_labels.get(_decode_text(names[0]))) is not None:
            return given, ""
        return (int(values[0]) - self._label_offset, "") if values else (NO_LABEL, "")

    def _check_label(self, example: Any) -> tuple[int, str]:
        """Return an example's label, or what is wrong with it: also if it is no class, or contradicts its name."""
        label, fault = self._read_label(example)
        if fault:
            return label, fault
        if self._given_names is None and label != NO_LABEL:
            stored = _decode_text(tfrecord.get_bytes_feature(example, self.features.class_name) or b"")
            name = self._scan.names.get(label, stored)
            if stored and stored != name:
                number, text = label + self._label_offset, self.features.class_name
                return NO_LABEL, (
                    f"{self.features.label} {number} and {text} {stored!r} contradict each other: other examples name "
                    f"label {number} {name!r}; correct one, or set class_names"
                )
        if (classes := len(self.class_names)) and not 0 <= label < classes:
            offset = "" if label == NO_LABEL else ", or label_offset if the labels start at 1"
            return label, describe_unknown_label(label, classes) + offset
        return label, ""

    def _get_bytes(self, example: Any, name: str, where: str) -> bytes | None:
        """Return the value of a bytes feature, None where there is none.

        Raises:
            ReadError: there are several.
        """
        kind, values = tfrecord.get_values(example, name)
        if len(values) > 1 and kind == "bytes":
            raise ReadError(where, f"{name} has {len(values)} values; several per sample are not supported")
        return bytes(values[0]) if kind == "bytes" else None

    def _restrict(self, stored: Sequence[str], root: Path) -> None:
        """Keep only the records of the given classes."""
        if unknown := sorted(self._given_labels.keys() - set(stored)):
            raise OptionError(f"class_names: {unknown} not found in {root}; its classes are {list(stored)}")
        if self._given_labels.keys() != set(stored):
            self._kept = np.flatnonzero([self._has_given_class(index) for index in range(len(self))])
            self.ignored_files["not in class_names"] = len(self._spans) - len(self._kept)

    def _has_given_class(self, index: int) -> bool:
        """Whether a record holds the name of a given class, or is damaged, so that reading it raises the error."""
        try:
            example = self._read_example(index)
        except (OSError, ValueError):
            return True
        return _decode_text(tfrecord.get_bytes_feature(example, self.features.class_name) or b"") in self._given_labels

    def _locate(self, index: int) -> tuple[Path, int]:
        number, record = self._find(index)
        return self.shards[number], record

    def _find(self, index: int) -> tuple[int, int]:
        """Return the number of a sample's shard, and that of its record in the shard."""
        record = int(self._kept[index])
        number = int(np.searchsorted(self._first, record, side="right")) - 1
        return number, record - int(self._first[number])


def _decode_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def has_manifest(root: Path) -> bool:
    """Whether a directory has a manifest, or anything of its name: reading that raises the error."""
    return os.path.lexists(root / MANIFEST)


def list_shards(root: Path) -> list[Path]:
    """List the TFRecord files in a directory: `*.tfrecord*`, `*.tfrec*` and `*-00000-of-00010`.

    Anything but a folder counts: opening a link to nothing, a named pipe or a device raises the error that says so.
    """
    return sorted(
        {
            path
            for pattern in ("*.tfrec*", "*-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]")
            for path in root.glob(pattern)
            if not (path.is_dir() or path.name.startswith(".") or path.suffix in (".npy", ".json"))
        }
    )


def _load_index(shard: Path) -> tuple[tfrecord.Index, FileVersion]:
    with raise_source_errors(shard):
        try:
            version = read_version(shard)
            index = tfrecord.load_index(shard)
        except tfrecord.RecordError as error:
            raise SourceError(f"{shard}: {error}{_explain_damage(shard)}") from None
        if read_version(shard) != version:
            raise ChangedError(shard)
    return index, version


def _explain_damage(shard: Path) -> str:
    """Say what a file is that is not a TFRecord file, as far as its name or its first bytes show it."""
    with open(open_regular_file(shard), "rb") as file:
        what, _ = recognize_binary(file.read(64))
    if shard.suffix in (".gz", ".zz") or "archive" in what:
        return " (compressed TFRecords have no random access; decompress them)"
    return f" (it is {what})" if what else ""
