"""One contender in its own process: `python -m benchmarks.worker TARGET`, driven by `benchmarks.harness`.

The first line on standard input is the workload. Each further line is a command: {"audit": "module:function",
"workload": {...}}, {"epoch": true} or {"first": true}. Each line is answered by one line of JSON on standard output.
The process imports only what the contender needs, so that it also runs in the peers' environment.
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
"""An epoch is stopped at this multiple of its samples: some contenders never end."""


def main() -> None:
    """Answer commands until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries that print must not write into the answers
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
        except Exception as error:  # a contender may raise anything; the others continue
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        answers.write(json.dumps(answer) + "\n")


def resolve(target: str) -> Any:
    """Import the function `module:function`."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def run_epoch(start: Callable[[], Iterable[Any]], count: int) -> dict[str, Any]:
    """Consume one epoch.

    Returns:
        "samples", "wall_s", and "first_batch_s", the time from the start to the first batch.
    """
    begin, first_batch_s, samples = time.perf_counter(), 0.0, 0
    for batch, _ in start():
        first_batch_s = first_batch_s or time.perf_counter() - begin
        samples += len(batch)
        if samples >= TOO_MANY * count:
            break
    return {"samples": samples, "wall_s": time.perf_counter() - begin, "first_batch_s": first_batch_s}


def take_first_batch(make: Any, workload: Workload) -> dict[str, Any]:
    """Build the loader and get its first batch; the time includes listing the files, but not imports."""
    begin = time.perf_counter()
    iterator = iter(make(workload)())
    batch, _ = next(iterator)
    seconds = time.perf_counter() - begin
    return {"samples": len(batch), "wall_s": seconds, "first_batch_s": seconds}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
