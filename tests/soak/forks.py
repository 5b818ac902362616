"""Forks of a program whose loader has workers: parent and child read the same batches, and both end."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak.scenario import main

FORKS = 30


def digest_batches(loader: Any) -> str:
    """Return a hash of the batches of an epoch, without TensorFlow, which does not survive a fork."""
    state = hashlib.sha256()
    for start in range(0, 80, 4):
        for part in loader._batches.batch(0, start, start + 4):
            array = np.asarray(part)
            state.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
    return state.hexdigest()


def fork_and_read(root: Path) -> Iterator[str]:  # noqa: ARG001  # as other scenarios
    """Fork after the workers have started; both processes read an epoch at once."""
    from pipeline import Loader
    from pipeline.errors import CaudalError

    images = np.random.default_rng(0).integers(0, 256, (80, 16, 16, 3), np.uint8)
    for _ in range(FORKS):
        loader = Loader((images, np.arange(80) % 3), image_size=None, batch_size=4, workers=2)
        expected = digest_batches(loader)
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            status = 1
            try:
                status = 0 if digest_batches(loader) == expected else 3
            except CaudalError:
                status = 0  # it says that a fork cannot use them
            finally:
                os._exit(status)
        same = digest_batches(loader) == expected
        status = os.waitpid(child, 0)[1]
        if status:
            yield f"the child ended with status {os.waitstatus_to_exitcode(status)}"
        else:
            yield "" if same else "the parent's batches differ"


if __name__ == "__main__":
    main({"forks of a program with workers": fork_and_read})
