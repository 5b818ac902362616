"""The progress of a conversion, and its skipped records."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.conversion.options import Conversion
from pipeline.conversion.planning import ConversionPlan
from pipeline.conversion.tasks import Skipped
from pipeline.error_log import ErrorLog
from pipeline.errors import AugmentationError, DecodeError, ReadError, SampleError

_SHOWN_CLASSES = 20


@dataclass(frozen=True)
class Counts:
    """The progress of a conversion.

    Attributes:
        done: number of records written or skipped.
        total: number of all records.
        bytes: number of bytes written.
        errors: number of records skipped.
        content: the kind of records: "images" or "texts".
    """

    done: int
    total: int
    bytes: int
    errors: int
    content: str


Watch = Callable[[Counts], None]
"""A function that a running conversion calls with its progress."""


def describe_source_gaps(result: Mapping[str, Any]) -> Iterator[str]:
    """Describe what a finished conversion did not write: labels, ignored files, and classes without examples.

    Args:
        result: what `run` returned.

    Yields:
        One line each, without a final period.
    """
    manifests: Mapping[str, Any] = result.get("splits", {"": result})
    if any(manifest["num_examples"] and not manifest["class_names"] for manifest in manifests.values()):
        yield "no labels: the source has none, so that the records have none"
    ignored = next(iter(manifests.values())).get("ignored_files", {})
    if ignored:
        yield "ignored files: " + ", ".join(f"{count:,} {reason}" for reason, count in ignored.items())
    for part, manifest in manifests.items():
        counts = zip(manifest["class_names"], manifest.get("examples_per_class", ()), strict=False)
        if empty := [name for name, count in counts if not count]:
            shown = ", ".join(empty[:_SHOWN_CLASSES]) + (", ..." if len(empty) > _SHOWN_CLASSES else "")
            of_part = f"{part}: " if part else ""
            have = "has" if len(empty) == 1 else "have"
            yield f"{of_part}{len(empty):,} of {len(manifest['class_names']):,} classes {have} no examples: {shown}"


class Reporter:
    """Counts what workers report, fills the error log, and calls the watch function."""

    def __init__(self, options: Conversion, planned: ConversionPlan, watch: Watch | None) -> None:
        self._total = sum(map(len, planned.order.values()))
        self._errors = ErrorLog(options.on_error, options.max_errors, self._total)
        self._watch = watch
        self._content = planned.content
        self._done = self._size = 0

    def written(self, records: int, size: int) -> None:
        """Count finished records and their bytes; the numbers are negative after the worker that reported them died."""
        self._done += records
        self._size += size
        if self._watch is not None and records:
            self._watch(Counts(self._done, self._total, self._size, len(self._errors), self._content))

    def skipped(self, skipped: Skipped) -> None:
        """Log a bad record.

        Raises:
            SampleError: `on_error` is "raise".
            TooManyErrorsError: more records are bad than `max_errors`.
        """
        self._errors.record(skipped.number, _create_error(skipped))


def _create_error(skipped: Skipped) -> SampleError:
    """Create the error of a skipped record."""
    kinds = {kind.__name__: kind for kind in (ReadError, DecodeError, AugmentationError)}
    return kinds.get(skipped.kind, SampleError)(skipped.sample, skipped.reason)
