"""Estimating the size and time of a conversion without writing."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import plan
from pipeline.errors import SampleError
from pipeline.processors import count_processors
from pipeline.records import tfrecord

_SAMPLES = 64
_SECONDS = 1.0
"""Maximum number of records to measure, and maximum time to measure them."""


@dataclass(frozen=True)
class PlannedShard:
    """One shard of the plan.

    Attributes:
        path: relative to the destination.
        examples: number of records, including bad ones.
        bytes: approximate size.
    """

    path: str
    examples: int
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """The estimated size and time of a conversion.

    Attributes:
        content: the kind of records: "images" or "texts".
        unit: the kind of output: "shards" or "groups of files".
        examples: the number of records.
        bytes: the approximate size, measured on a few records.
        seconds: the approximate time, without writing.
        measured: the number of measured records.
        shards: the shards to write.
    """

    content: str
    unit: str
    examples: int
    bytes: int
    seconds: float
    measured: int
    shards: tuple[PlannedShard, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as a dictionary for JSON."""
        return asdict(self)


def estimate(options: Conversion) -> Estimate:
    """Plan a conversion and measure a few records; nothing is written.

    Raises:
        SourceError: the source cannot be opened.
        OptionError: an option does not fit the source.
        ConvertError: there are fewer records than shards, or the destination contains the source.
    """
    planned = plan(options)
    total = sum(map(len, planned.order.values()))
    size, seconds, measured = _measure(planned.records, total)
    workers = options.workers or count_processors()
    shards = tuple(
        PlannedShard(f"{task.part}/{task.name}".lstrip("/"), len(task), round(size * len(task)))
        for task in planned.tasks
    )
    unit = "shards" if options.to == "tfrecord" else "groups of files"
    return Estimate(
        planned.content, unit, total, round(size * total), round(seconds * total / workers, 1), measured, shards
    )


def _measure(records: Any, total: int) -> tuple[float, float, int]:
    """Create a few records: (mean bytes, mean seconds, number)."""
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
