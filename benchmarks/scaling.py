"""Curves of the rate against the number of parallel calls and the number of images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import Method, Say
from benchmarks.run import choose_contenders
from benchmarks.run import measure as measure_workload
from benchmarks.workloads import RECIPES, Workload, WorkloadRecipe


def measure(
    data: Path, contenders: Sequence[str] | None, calls: Sequence[int], images: Sequence[int], method: Method, say: Say
) -> list[dict[str, Any]]:
    """Measure workload `full` at several settings; the contenders take turns at each.

    Args:
        data: class-folders.
        contenders: names; None for Caudal and `numpy-function`.
        calls: numbers of parallel calls.
        images: numbers of images; a number above the images of `data` repeats them as links, so that the list grows and
            the page cache does not.
        method: how to measure.
        say: called with progress messages.

    Returns:
        Rows as in `run`, with "axis" ("calls" or "images") and "value".
    """
    recipe = RECIPES["full"]
    known = choose_contenders(contenders or ["caudal", "numpy-function"], recipe, "full")
    rows: list[dict[str, Any]] = []
    for axis, values in (("calls", calls), ("images", images)):
        for value in values:
            say(f"scaling: {value} {axis}")
            one = replace(recipe, prepare=_with_calls(recipe, value)) if axis == "calls" else recipe
            # The audit does not depend on the setting: once is enough.
            once = replace(method, audited=method.audited and not rows)
            count = value if axis == "images" else None
            workload, results = measure_workload("full", one, known, data, once, say, count)
            rows += [
                {**result.make_kept_row(workload), "workload": "scaling", "axis": axis, "value": value}
                for result in results
            ]
    return rows


def _with_calls(recipe: WorkloadRecipe, calls: int) -> Any:
    def prepare(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
        return replace(recipe.prepare(name, data, scratch, count), parallel=calls)

    return prepare


def line(row: dict[str, Any]) -> str:
    """Format a row for people."""
    if row["img_s_median"] is None:
        return f"{row['value']:>8,} {row['axis']:8}{row['peer']:18}not timed: {row['failed']}"
    spread = f"({row['img_s_min']:,.0f} to {row['img_s_max']:,.0f})"
    return f"{row['value']:>8,} {row['axis']:8}{row['peer']:18}{row['img_s_median']:8,.0f} images/s {spread}"
