"""Running workloads: prepare, measure, print, keep."""

import json
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.harness import Method, Result, Say, compare
from benchmarks.images import list_labeled_files
from benchmarks.worker import resolve
from benchmarks.workloads import Workload, WorkloadRecipe
from pipeline.errors import OptionError

RESULTS = Path(__file__).parent / "results"


def measure(
    name: str, recipe: WorkloadRecipe, contenders: Mapping[str, Contender], data: Path, method: Method, say: Say,
    count: int | None = None,
) -> tuple[Workload, list[Result]]:  # fmt: skip
    """Prepare a workload in a temporary folder, and measure contenders on it.

    Args:
        name: the workload's name.
        recipe: the workload's recipe.
        contenders: the contenders by name.
        data: class-folders.
        method: how to measure.
        say: called with progress messages.
        count: number of samples; None for all.
    """
    with tempfile.TemporaryDirectory(prefix="caudal-benchmarks-") as scratch:
        say(f"{name}: preparing")
        (Path(scratch) / "timed").mkdir()
        workload = recipe.prepare(name, data, Path(scratch) / "timed", count)
        audited = None
        if method.audited and recipe.audit is not None:
            (Path(scratch) / "audited").mkdir()
            samples = resolve(recipe.samples)(Path(scratch) / "samples")
            # Each sample once, even if the workload repeats samples.
            own = len(list_labeled_files(samples)) if samples.is_dir() else None
            audited = recipe.prepare(name, samples, Path(scratch) / "audited", own)
        return workload, compare(contenders, recipe, workload, audited, method, say)


def choose_contenders(names: Sequence[str] | None, recipe: WorkloadRecipe, workload: str) -> dict[str, Contender]:
    """Choose contenders of a workload by name or as `module:function`; None for all.

    Raises:
        OptionError: a name is unknown.
    """
    known = recipe.contenders
    for name in names or ():
        if ":" not in name and name not in known:
            raise OptionError(
                f"unknown contender {name!r} of {workload}; choose from {', '.join(known)}, or give module:function"
            )
    return dict(known) if names is None else {name: known.get(name) or Contender(name, name) for name in names}


def keep(name: str, rows: Iterable[Mapping[str, Any]], folder: Path = RESULTS) -> None:
    """Append rows to the results; the rows of one call have the same "run", and only these can be compared."""
    run = uuid.uuid4().hex[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.jsonl", "a") as file:
        file.writelines(json.dumps({**row, "run": run}) + "\n" for row in rows)


def read_latest(name: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the rows of the last kept run; an empty list if there is none."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row for row in rows if "run" in row]  # the oldest rows have neither run nor audit
    return [row for row in rows if row["run"] == rows[-1]["run"]]


def print_table(workload: Workload, results: Sequence[Result], unit: str) -> None:
    """Print medians with their spread, and the ratio of Caudal's rate to each."""
    rows = [result.row(workload.name) for result in results]
    base = next((row for row in rows if row["peer"] == "caudal"), rows[0])
    first = base["img_s_median"]
    print(f"\n{workload.name}: {workload.count:,} {unit}, {workload.parallel} parallel calls, rounds in turns")
    ratio = f"{base['peer']} / it"
    print(f"{'':21}{unit + '/s':>10}{'min':>8}{'max':>8}{'CPU ms each':>13}{'peak MiB':>10}{ratio:>16}")
    for row in rows:
        median = row["img_s_median"]
        if median is None:
            print(f"{row['peer']:21}  not timed: {row['failed']}")
            continue
        ratio = "" if first is None else f"{first / median:.2f}"
        print(
            f"{row['peer']:21}{median:10,.0f}{row['img_s_min']:8,.0f}{row['img_s_max']:8,.0f}"
            f"{1000 * row['cpu_s_per_img']:13.2f}{row['peak_rss_mb']:10,.0f}{ratio:>16}"
        )


def print_first_batches(workload: Workload, results: Sequence[Result]) -> None:
    """Print the time to the first batch, starting with building the loader."""
    print(f"\nfirst batch of {workload.count:,} files: seconds including building the loader, without imports")
    for result in results:
        if result.failed is not None:
            print(f"{result.peer:21}  not timed: {result.failed}")
            continue
        row = result.make_kept_row(workload)
        print(f"{result.peer:21}{row['first_batch_s']:8.2f}")
