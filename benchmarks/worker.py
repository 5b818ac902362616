"""One contender in a process of its own: `python -m benchmarks.worker TARGET`, spoken to by `benchmarks.harness`.

The first line on standard input is the workload; each further line is a command, and each is answered by one line of
JSON on standard output: {"audit": "module:function", "scratch": DIR}, {"epoch": true} or {"first": true}. It imports
nothing but what the contender needs, so that it runs in the peers' environment as well.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.environment import versions
from benchmarks.workloads import Workload

TOO_MANY = 2
"""An epoch is ended where it has delivered so many times the samples that it should: some have no end."""


def main() -> None:
    """Answer commands until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    target = sys.argv[1]
    start: Callable[[], Iterable[Any]] | None = None
    make: Callable[[Workload], Callable[[], Iterable[Any]]] | None = None
    workload: Workload | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if workload is None:
                workload = Workload.from_dict(command)
                make = resolve(target)
                answer: dict[str, Any] = {"versions": versions()}
            elif "audit" in command:
                audited = Workload.from_dict(command["workload"])
                answer = resolve(command["audit"])(make, audited)
            elif "first" in command:
                answer = take_first_batch(make, workload)
            else:
                start = start or make(workload)  # type: ignore[misc]  # it was resolved with the workload
                answer = run_epoch(start, workload.count)
        except ModuleNotFoundError as error:
            answer = {"missing": str(error)}
        except Exception as error:  # a contender may raise anything; the others go on
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        answers.write(json.dumps(answer) + "\n")


def resolve(target: str) -> Any:
    """Import what `module:function` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def run_epoch(start: Callable[[], Iterable[Any]], count: int) -> dict[str, Any]:
    """Consume one epoch.

    Returns:
        "samples", "wall_s", and "first_batch_s" from the start until the first batch was there.
    """
    begin, first_batch_s, samples = time.perf_counter(), 0.0, 0
    for batch, _ in start():
        first_batch_s = first_batch_s or time.perf_counter() - begin
        samples += len(batch)
        if samples >= TOO_MANY * count:
            break
    return {"samples": samples, "wall_s": time.perf_counter() - begin, "first_batch_s": first_batch_s}


def take_first_batch(make: Any, workload: Workload) -> dict[str, Any]:
    """Build the loader and take its first batch: imports do not count, listing the files does."""
    begin = time.perf_counter()
    iterator = iter(make(workload)())
    batch, _ = next(iterator)
    seconds = time.perf_counter() - begin
    return {"samples": len(batch), "wall_s": seconds, "first_batch_s": seconds}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
