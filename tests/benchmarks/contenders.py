"""Contenders for the tests: an honest one, and one per fault. They start fast because they need no TensorFlow."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from benchmarks.workloads import Workload

Epoch = Callable[[], Iterable[tuple[Any, Any]]]


def honest(workload: Workload) -> Epoch:
    """Do all of the work."""
    files, transform = workload.files(), workload.transform()
    random = np.random.default_rng(0)
    transform.set_random_seed(0)

    def epoch() -> Iterator[tuple[Any, Any]]:
        order = random.permutation(len(files))
        for start in range(0, len(order), workload.batch_size):
            chosen = [files[place] for place in order[start : start + workload.batch_size]]
            images = [transform(image=cv2.imread(path, cv2.IMREAD_COLOR_RGB))["image"] for path, _ in chosen]
            yield np.stack(images), np.array([label for _, label in chosen])

    return epoch


def make_contender(change: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[[Workload], Epoch]:
    """Make a contender that changes the honest one's batches."""

    def contender(workload: Workload) -> Epoch:
        epoch = honest(workload)
        return lambda: (change(images, labels) for images, labels in epoch())

    return contender


drops_some = make_contender(lambda images, labels: (images[:24], labels[:24]))
exchanges_colors = make_contender(lambda images, labels: (images[..., ::-1], labels))
shifts_labels = make_contender(lambda images, labels: (images, np.roll(labels, 1)))
has_one_label = make_contender(lambda images, labels: (images, np.zeros_like(labels)))
makes_noise = make_contender(
    lambda images, labels: (np.random.default_rng(1).integers(0, 256, images.shape, np.uint8), labels)
)
is_too_small = make_contender(lambda images, labels: (images[:, ::2, ::2], labels))
forgets_labels = make_contender(lambda images, labels: (images, labels[:-1]))


def repeats(workload: Workload) -> Epoch:
    """Yield the first image again instead of the second."""
    epoch = honest(workload)

    def iterate() -> Iterator[tuple[Any, Any]]:
        for images, labels in epoch():
            images[1], labels[1] = images[0], labels[0]
            yield images, labels

    return iterate


def drops_last_batch(workload: Workload) -> Epoch:
    """Drop the remainder."""
    epoch = honest(workload)
    return lambda: (batch for batch in epoch() if len(batch[0]) == workload.batch_size)


def only_resizes(workload: Workload) -> Epoch:
    """Skip the augmentation."""
    files = workload.files()

    def epoch() -> Iterator[tuple[Any, Any]]:
        for start in range(0, len(files), workload.batch_size):
            chosen = files[start : start + workload.batch_size]
            images = [cv2.resize(cv2.imread(path, cv2.IMREAD_COLOR_RGB), workload.size[::-1]) for path, _ in chosen]
            yield np.stack(images), np.array([label for _, label in chosen])

    return epoch


def delivers_nothing(workload: Workload) -> Epoch:
    """Yield nothing."""
    del workload
    return list


def has_no_end(workload: Workload) -> Epoch:
    """Repeat forever."""
    epoch = honest(workload)

    def endless() -> Iterator[tuple[Any, Any]]:
        while True:
            yield from epoch()

    return endless


def forgets_some_of_many(workload: Workload) -> Epoch:
    """Pass the audit, and drop samples when timed."""
    return (
        honest(workload)
        if workload.count == 40
        else make_contender(lambda images, labels: (images[1:], labels[1:]))(workload)
    )


_kept: list[bytes] = []


def keeps_what_the_audit_made(workload: Workload) -> Epoch:
    """Allocate 400 MiB in the audit, and keep them."""
    if "benchmarks.audit" in sys.modules:
        _kept.append(b"x" * (400 * 2**20))
    return honest(workload)


def raises(workload: Workload) -> Epoch:
    """Raise."""
    del workload
    raise RuntimeError("a broken\nloader")


def hangs(workload: Workload) -> Epoch:
    """Never yield."""
    del workload
    return lambda: iter(lambda: time.sleep(60), 0)  # type: ignore[arg-type, return-value]  # it never yields


def hangs_when_timed(workload: Workload) -> Epoch:
    """Never yield, except in the audit."""
    return honest(workload) if workload.count == 40 else hangs(workload)


def dies(workload: Workload) -> Epoch:
    """Exit, like a crash in native code."""
    del workload
    os.write(2, b"a last word\n")
    os._exit(3)


def works_in_a_child(workload: Workload) -> Epoch:
    """Use half a CPU second, and 200 MiB, in a child process."""
    code = "import time\nx = bytearray(200 * 2**20)\nwhile time.process_time() < 0.5: pass"
    epoch = honest(workload)

    def with_child() -> Iterator[tuple[Any, Any]]:
        subprocess.run([sys.executable, "-c", code], check=True)
        os.write(1, b"what a library prints\n")
        yield from epoch()

    return with_child
