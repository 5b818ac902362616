"""Converting a dataset into sharded TFRecords, byte for byte.

Everything is written into a folder beside the destination, flushed to the disk, and renamed as a whole at the end: the
destination is absent, or what it was, or complete.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import cv2
import numpy as np

from augment.transform import Image
from pipeline import tfrecord
from pipeline.decode import Decoder
from pipeline.errors import CaudalError, ConvertError, DecodeError, SampleError, SourceError
from pipeline.labels import checked_label
from pipeline.ledger import Ledger
from pipeline.progress import Progress
from pipeline.sources import Sample, Source, open_source
from pipeline.sources.tfrecord import MANIFEST, read_manifest

SHARD_BYTES = 128 * 2**20
"""The size that shards are given by default: large enough to read in one stretch, small enough to share out among
workers (TensorFlow's guide to TFRecords recommends 100 MB and more)."""

LEDGER = "skipped.jsonl"
"""The file that names the skipped samples, one JSON object a line."""


@dataclass(frozen=True)
class Shard:
    """One file of a converted dataset, as its manifest lists it.

    Attributes:
        name: the file's name.
        examples: the number of records.
        bytes: the file's size.
        sha256: the SHA-256 of its bytes, as 64 hexadecimal digits.
    """

    name: str
    examples: int
    bytes: int
    sha256: str


def convert(
    source: Any,
    destination: str | os.PathLike[str],
    *,
    shards: int | None = None,
    class_names: Sequence[str] | None = None,
    label_offset: int = 0,
    on_error: Literal["raise", "skip"] = "raise",
    max_errors: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a dataset as TFRecord shards with an index and a manifest.

    The images' bytes are passed through as they are; arrays are stored as PNG, without loss. The examples keep the
    order of the source, so that a loader delivers the same stream from both.

    Args:
        source: anything that `pipeline.Loader` takes.
        destination: the directory to make.
        shards: the number of files; by default so many that each has about 128 MiB.
        class_names: the classes in the order of their labels; by default what the source says.
        label_offset: subtracted from the labels of a source of TFRecords.
        on_error: whether a sample that cannot be read, or whose header is damaged, ends the job or is left out and
            listed in `skipped.jsonl`.
        max_errors: how many are left out at most: a number, a share, or any.
        overwrite: replaces a destination that is a converted dataset and nothing else, once the new one is complete.
        progress: called after each example.

    Returns:
        The manifest, as it stands in `dataset.json`.

    Raises:
        SourceError: the source cannot be opened.
        ConvertError: the destination exists, holds the source or lies in it, or cannot be written.
        SampleError: a sample is bad and `on_error` is "raise".
        TooManyErrorsError: more samples are bad than allowed.
    """
    target = Path(destination).absolute()
    _check_apart(source, target)
    opened = open_source(source, class_names=class_names, label_offset=label_offset, max_bytes=Decoder().max_bytes)
    _check_replaceable(target, overwrite=overwrite)
    count = shards if shards is not None else max(1, min(len(opened), -(-int(opened.sizes().sum()) // SHARD_BYTES)))
    if not 1 <= count <= len(opened):
        raise ConvertError(f"{len(opened)} samples cannot make {count} shards")
    ledger = Ledger(on_error, max_errors, len(opened))
    try:
        with _partial(target) as partial:
            manifest = _write(opened, partial, target.name, count, ledger, progress)
            _replace(target, partial)
    except OSError as error:
        if isinstance(error, CaudalError):
            raise
        raise ConvertError(f"{target} cannot be written: {error.strerror}") from error
    return manifest


def _write(
    source: Source, folder: Path, name: str, count: int, ledger: Ledger, progress: Progress | None
) -> dict[str, Any]:
    bounds = np.linspace(0, len(source), count + 1).astype(int).tolist()
    written = [
        _write_shard(
            folder / f"{name}-{number:05d}-of-{count:05d}.tfrecord", source, range(first, last), ledger, progress
        )
        for number, (first, last) in enumerate(itertools.pairwise(bounds))
    ]
    skipped = ledger.rows
    if skipped:
        _save(folder / LEDGER, "".join(json.dumps(asdict(row)) + "\n" for row in skipped).encode())
    manifest = {
        "format_version": 1,
        "class_names": list(source.class_names),
        "num_examples": sum(shard.examples for shard in written),
        "num_skipped": len(skipped),
        "options": {"encoding": "as in the source"},
        "shards": [asdict(shard) for shard in written],
    }
    _save(folder / MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n")
    return manifest


def _write_shard(path: Path, source: Source, indices: range, ledger: Ledger, progress: Progress | None) -> Shard:
    spans: list[tuple[int, int]] = []
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for data in _examples(source, indices, ledger, progress):
            record = tfrecord.frame(data)
            spans.append(tfrecord.span(file.tell(), len(data)))
            digest.update(record)
            file.write(record)
        size = file.tell()
        _flush(file)
    with open(tfrecord.index_path(path), "wb") as file:
        np.save(file, np.array(spans, np.int64).reshape(-1, 2), allow_pickle=False)
        _flush(file)
    return Shard(path.name, len(spans), size, digest.hexdigest())


def _examples(source: Source, indices: range, ledger: Ledger, progress: Progress | None) -> Iterator[bytes]:
    for index in indices:
        try:
            yield _example(source.read(index), source.class_names)
        except SampleError as error:
            ledger.record(index, error)
        if progress is not None:
            progress(index + 1, len(source))


def _example(sample: Sample, class_names: Sequence[str]) -> bytes:
    encoded = sample.encoded if sample.encoded is not None else _png(sample)
    try:
        header = Decoder().header(encoded)
    except ValueError as error:
        raise DecodeError(sample.key, str(error)) from None
    label = checked_label(sample, class_names)
    return tfrecord.example(
        {
            tfrecord.ENCODED: encoded,
            tfrecord.FORMAT: header.format.encode(),
            tfrecord.HEIGHT: header.height,
            tfrecord.WIDTH: header.width,
            tfrecord.FILENAME: sample.key.encode("utf-8", "surrogateescape"),
            tfrecord.LABEL: label,
            tfrecord.CLASS_NAME: class_names[label].encode("utf-8", "surrogateescape"),
        }
    )


def _png(sample: Sample) -> bytes:
    image = sample.pixels
    if image is None or image.dtype != np.uint8:
        raise DecodeError(sample.key, "only uint8 pixels can be stored as PNG without loss")
    return encode_png(image)


def encode_png(image: Image) -> bytes:
    """Encode an image, uint8 [H, W, C] with 1, 3 or 4 channels, without loss."""
    if image.shape[2] > 1:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", image)[1].tobytes()


def _check_apart(source: Any, target: Path) -> None:
    """Refuse a destination that is the source, or around it, or inside it."""
    if not isinstance(source, (str, os.PathLike)):
        return
    here, there = Path(source).resolve(), target.resolve()
    if here.exists() and (here == there or here in there.parents or there in here.parents):
        raise ConvertError(f"the destination {target} and the source {source} must not hold each other")


def _check_replaceable(target: Path, *, overwrite: bool) -> None:
    """Refuse to replace anything but a converted dataset, and that unless it is wanted."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise ConvertError(f"{target} exists and is not empty; overwrite replaces a converted dataset")
    try:
        shards = [target / shard["name"] for shard in read_manifest(target)["shards"]]
    except SourceError:
        raise ConvertError(f"{target} is no converted dataset, and is not replaced") from None
    ours = {MANIFEST, LEDGER} | {path.name for shard in shards for path in (shard, tfrecord.index_path(shard))}
    if strangers := sorted({path.name for path in target.iterdir()} - ours):
        raise ConvertError(f"{target} holds {strangers[0]!r}, which is not part of its dataset, and is not replaced")


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Make the folder in which a dataset comes about; it is gone afterwards, unless it became the destination."""
    partial = target.with_name(f".{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_name(f".{target.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go when the process ends, however it ends
        except BlockingIOError:
            raise ConvertError(f"another conversion to {target} is under way") from None
        try:
            shutil.rmtree(partial, ignore_errors=True)  # what a killed conversion left
            partial.mkdir()
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            Path(lock.name).unlink(missing_ok=True)


def _replace(target: Path, partial: Path) -> None:
    _flush_folder(partial)
    if target.exists() and any(target.iterdir()):
        old = target.with_name(f".{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        os.rename(target, old)
        os.rename(partial, target)
        shutil.rmtree(old)
    else:
        os.rename(partial, target)
    _flush_folder(target.parent)


def _save(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        _flush(file)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
