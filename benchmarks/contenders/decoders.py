"""Decoders alone: reading and decoding the images of a workload whole, in no order, each into (shapes, None).

The limit of all loaders that decode whole images is the fastest of them.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.workloads import Workload

Epoch = Callable[[], Iterable[Any]]

_TRIED_BATCHES = 12
_TRIALS = 3


class Piece(NamedTuple):
    """Where the bytes of an image are."""

    path: str
    offset: int
    length: int


def fastest(workload: Workload) -> Epoch:
    """Use the fastest of OpenCV, simplejpeg and TensorFlow here, found by trying each three times, in turns."""
    made = {name: make(workload) for name, make in _iter_decoders()}
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(_TRIALS + 1):
        for name, epoch in made.items():
            begin = time.perf_counter()
            for _ in islice(epoch(), _TRIED_BATCHES):
                pass
            seconds[name].append(time.perf_counter() - begin)
    return made[min(seconds, key=lambda name: min(seconds[name][1:]))]


def _iter_decoders() -> Iterator[tuple[str, Callable[[Workload], Epoch]]]:
    yield "opencv", opencv
    yield "tensorflow", tensorflow
    try:
        import simplejpeg  # noqa: F401  # is it installed?
    except ModuleNotFoundError:
        return
    yield "simplejpeg", simplejpeg_


def opencv(workload: Workload) -> Epoch:
    """OpenCV, in threads."""
    return _run_in_threads(workload, _decode_with_opencv)


def simplejpeg_(workload: Workload) -> Epoch:
    """simplejpeg, with the transform that TensorFlow uses, in threads; OpenCV for what is not a JPEG."""
    import simplejpeg

    def decode(encoded: bytes) -> Any:
        try:
            return simplejpeg.decode_jpeg(encoded, fastdct=True, strict=False)
        except ValueError:  # not a JPEG, or one of CMYK
            return _decode_with_opencv(encoded)

    return _run_in_threads(workload, decode)


def tensorflow(workload: Workload) -> Epoch:
    """TensorFlow's kernel, in tf.data."""
    import tensorflow as tf

    from benchmarks.contenders.tensorflow import make_batches, read_encoded

    def decode(content: Any, label: Any) -> Any:
        return tf.shape(tf.io.decode_jpeg(content, channels=3)), label

    dataset = read_encoded(workload).map(decode, num_parallel_calls=workload.parallel, deterministic=False)
    dataset = make_batches(dataset, workload)
    return lambda: dataset


def native(workload: Workload) -> Epoch:
    """Caudal's native module, in threads, with Caudal's reading of headers."""
    from pipeline.images.decode import Decoder

    decode = Decoder()
    return _run_in_threads(workload, lambda encoded: decode(encoded))


def _decode_with_opencv(encoded: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)


def _run_in_threads(workload: Workload, decode: Callable[[bytes], Any]) -> Epoch:
    from pipeline.memory.malloc import keep_freed_memory

    keep_freed_memory()  # else each image pays for page faults
    cv2.setNumThreads(0)
    pieces = _list_pieces(workload)
    batches = [pieces[start : start + workload.batch_size] for start in range(0, len(pieces), workload.batch_size)]

    def decode_batch(batch: list[Piece]) -> tuple[list[Any], None]:
        return [decode(_read(piece)).shape for piece in batch], None

    def epoch() -> Iterator[Any]:
        pool = ThreadPoolExecutor(workload.parallel)
        try:
            yield from pool.map(decode_batch, batches)
        finally:
            pool.shutdown(cancel_futures=True)

    return epoch


def _list_pieces(workload: Workload) -> list[Piece]:
    if workload.records is None:
        return [Piece(path, 0, os.stat(path).st_size) for path, _ in workload.files()]
    from pipeline.records.example import get_bytes_feature, parse_example
    from pipeline.records.tfrecord import iterate_records

    pieces = []
    for shard in sorted(Path(workload.records).glob("*.tfrecord")):
        content, end = shard.read_bytes(), 0
        for record in iterate_records(shard):
            encoded = get_bytes_feature(parse_example(record), "image/encoded") or b""
            begin = content.index(encoded, end)
            end = begin + len(encoded)
            pieces.append(Piece(str(shard), begin, len(encoded)))
    return pieces


def _read(piece: Piece) -> bytes:
    descriptor = os.open(piece.path, os.O_RDONLY)
    try:
        return os.pread(descriptor, piece.length, piece.offset)
    finally:
        os.close(descriptor)
