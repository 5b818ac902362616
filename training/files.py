"""Files that are whole or absent."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to; at the end of the block it takes the place of `path`, in one step.

    The name keeps its endings, since libraries tell formats by them. After an error nothing has changed.
    """
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
