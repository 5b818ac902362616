"""What a conversion would do, without doing it."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import plan
from pipeline.errors import SampleError
from pipeline.records import tfrecord

_SAMPLES = 64
_SECONDS = 1.0
"""How many records are made to see how large they become and how long they take, and for how long at most."""


@dataclass(frozen=True)
class PlannedShard:
    """One shard that would be written.

    Attributes:
        path: relative to the destination.
        examples: records, bad ones included.
        bytes: about how many.
    """

    path: str
    examples: int
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """What a conversion would do.

    Attributes:
        content: what the records are: "images" or "texts".
        unit: what is written: "shards", or "groups of files".
        examples: all records.
        bytes: about how many, measured on a few records.
        seconds: about how long, writing not included.
        measured: the number of those records.
        shards: what would be written.
    """

    content: str
    unit: str
    examples: int
    bytes: int
    seconds: float
    measured: int
    shards: tuple[PlannedShard, ...]

    def to_dict(self) -> dict[str, Any]:
        """Describe it as JSON holds it."""
        return asdict(self)


def estimate(options: Conversion) -> Estimate:
    """Plan a conversion and try it on a few records; nothing is written.

    Raises:
        SourceError: the source cannot be opened.
        OptionError: an option does not fit it.
        ConvertError: there are fewer records than shards, or the destination holds the source.
    """
    import os

    planned = plan(options)
    total = sum(map(len, planned.order.values()))
    size, seconds, measured = _measure(planned.records, total)
    workers = options.workers or len(os.sched_getaffinity(0))
    shards = tuple(
        PlannedShard(f"{task.part}/{task.name}".lstrip("/"), len(task), round(size * len(task)))
        for task in planned.tasks
    )
    unit = "shards" if options.to == "tfrecord" else "groups of files"
    return Estimate(
        planned.content, unit, total, round(size * total), round(seconds * total / workers, 1), measured, shards
    )


def _measure(records: Any, total: int) -> tuple[float, float, int]:
    """Make a few records: (mean bytes, mean seconds, how many)."""
    begin, sizes, tried = time.perf_counter(), [], 0
    for number in np.unique(np.linspace(0, total - 1, _SAMPLES).astype(int)).tolist():
        tried += 1
        try:
            sizes.append(sum(map(len, tfrecord.frame_pieces(records.make(number).example))))
        except SampleError:
            continue
        if time.perf_counter() - begin > _SECONDS:
            break
    return float(np.mean(sizes)) if sizes else 0.0, (time.perf_counter() - begin) / tried, tried
