"""`python -m tests.fuzz.readers TARGET SECONDS`: mutate the corpus of a reader of untrusted bytes.

The corpus is `tests/fuzz/corpus/TARGET`, what `SEEDS` makes, and for headers also the images of `CAUDAL_DATA`.
"""

import faulthandler
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.damage import mutate
from tests.fuzz.run import CORPUS

LIMIT_S = 5.0
"""A reader that takes longer hangs: each reads some kilobytes."""


def read_header(data: bytes) -> None:
    """Read the header of an image: it is one, or refused."""
    from pipeline.images import header

    try:
        header.read_header(data)
        found = header.read_valid_header(data)
        assert found.height > 0
        assert found.width > 0
    except ValueError:
        return


def read_records(data: bytes) -> None:
    """Read the records and examples of a TFRecord file: they are whole, or refused."""
    from pipeline.records import tfrecord

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.tfrecord"
        path.write_bytes(data)
        try:
            for record in tfrecord.iterate_records(path):
                read_example(record)
        except ValueError:
            pass
    read_example(data)


def read_example(data: bytes) -> None:
    """Read an example from its bytes, which no checksum guards here."""
    from pipeline.records import tfrecord

    try:
        example = tfrecord.parse_example(data)
        for name in example.features.feature:
            tfrecord.get_values(example, name)
    except ValueError:
        return


def make_images() -> Iterator[bytes]:
    """Encode a picture in each format."""
    import cv2

    from tests.conftest import encode_picture, make_picture

    for extension in (".png", ".jpg", ".bmp", ".webp", ".gif"):
        try:
            yield encode_picture(make_picture(0), extension)
        except cv2.error:
            continue  # OpenCV does not write this format


def make_records() -> Iterator[bytes]:
    """Write an example, and a file of three records."""
    from pipeline.records import tfrecord

    examples = [tfrecord.example({tfrecord.ENCODED: b"x" * at, tfrecord.LABEL: at}) for at in (1, 20, 300)]
    yield from examples
    yield b"".join(map(tfrecord.frame, examples))


READERS: dict[str, Callable[[bytes], None]] = {"headers": read_header, "records": read_records}
SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {"headers": make_images, "records": make_records}


def list_corpus(target: str) -> list[bytes]:
    """Return all that is known of a target: what crashed once first."""
    contents = [
        path.read_bytes() for path in sorted((CORPUS / target).glob("*")) if path.name not in (".gitkeep", "running")
    ]
    contents += SEEDS[target]()
    if target == "headers":
        data = Path(os.environ.get("CAUDAL_DATA", "../shared/data")) / "robustness"
        contents += [path.read_bytes() for path in sorted(data.glob("[abc]/*")) if path.stat().st_size < 100_000]
    return contents


def find_fault(target: str, data: bytes) -> str:
    """Read bytes, and return what was wrong, or ""."""
    begin = time.monotonic()
    try:
        READERS[target](data)
    except Exception as error:
        return repr(error)
    seconds = time.monotonic() - begin
    return f"it took {seconds:.1f} s" if seconds > LIMIT_S else ""


def main() -> int:
    """Mutate until the time is over; a fault's input joins the corpus."""
    target, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
    corpus, seed, done, faults = list_corpus(target), int.from_bytes(os.urandom(6), "little"), 0, 0
    current = CORPUS / target / "running"  # remains if the process dies
    while time.monotonic() < end:
        random = np.random.default_rng((seed, done))
        data = mutate(corpus[int(random.integers(len(corpus)))], random)
        current.write_bytes(data)
        faulthandler.dump_traceback_later(60, exit=True)
        fault = find_fault(target, data)
        faulthandler.cancel_dump_traceback_later()
        if fault:
            faults += 1
            path = CORPUS / target / hashlib.sha256(data).hexdigest()[:16]
            path.write_bytes(data)
            print(f"{target}: {path}: {fault}", flush=True)
        done += 1
    current.unlink()
    print(f"{target}: {done:,} mutations of {len(corpus)} inputs, {faults} faults (seed {seed})")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
