"""A thousand mutations of each kind of file that Caudal reads back."""

import functools
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.soak.scenario import main
from tests.stored_files import STORED_FILES, StoredFile, iter_checks

MUTATIONS = 1000
SEED = int(os.environ.get("SOAK_SEED", "1"))


def check_all(kind: StoredFile, root: Path) -> Iterator[str]:
    """Yield the fault of each mutation."""
    yield from (fault for _, fault in iter_checks(kind, root, MUTATIONS, SEED))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main({f"mutations of {name}": functools.partial(check_all, kind) for name, kind in STORED_FILES.items()})
