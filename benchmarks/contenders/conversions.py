"""Writing the files of a folder into a few large files."""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.workloads import Workload


def caudal(workload: Workload) -> Callable[[], Iterable[Any]]:
    """Caudal's conversion into TFRecords, with processes; yields the number of examples of the manifest."""
    import pipeline

    targets = _name_targets(workload, "records")

    def epoch() -> Iterator[Any]:
        target = next(targets)
        pipeline.convert(workload.folder, target, workers=workload.parallel)
        manifest = json.loads((target / "dataset.json").read_text())
        yield range(manifest["num_examples"]), None

    return epoch


def tar(workload: Workload) -> Callable[[], Iterable[Any]]:
    """`tar`, which neither hashes nor flushes."""
    targets = _name_targets(workload, "archive")

    def epoch() -> Iterator[Any]:
        command = ["tar", "--create", "--dereference", "--verbose", "--file", str(next(targets)), workload.folder]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own folders
        yield [name for name in finished.stdout.splitlines() if not name.endswith("/")], None

    return epoch


def _name_targets(workload: Workload, name: str) -> Iterator[Path]:
    """Return a new target path per epoch, so that deleting the previous target is not timed."""
    return (Path(workload.folder).parent / f"{name}-{number}" for number in count())
