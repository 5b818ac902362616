"""Run programs that hold an iterator until their end: `python -m tests.programs.run [-n TIMES] [-j JOBS] [NAME ...]`.

Prints each run that ended late or with another status than its own, and the slowest end of each shape.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.programs.shapes import PRELUDE, SHAPES, SLOW_TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 30.0
"""After its last line, a program that runs longer hangs: the interpreter itself takes one second to end, and several on
a busy machine."""


class End(NamedTuple):
    """How a program ended.

    Attributes:
        status: its exit status; None where it did not end.
        seconds: from its last line to its end.
        output: what it wrote to standard error.
    """

    status: int | None
    seconds: float
    output: str


def run(body: str, python: str = sys.executable) -> End:
    """Run a program as a script of its own, with Ctrl-C enabled, and wait for its end."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "slow_transforms.py").write_text(SLOW_TRANSFORMS)
        script = Path(directory) / "program.py"
        script.write_text(PRELUDE + body)
        with (Path(directory) / "errors").open("w+") as errors:
            process = subprocess.Popen(
                [python, str(script)],
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PROGRAM_DIR": directory, "CUDA_VISIBLE_DEVICES": "-1"},
                start_new_session=True,
                # What runs in the background of a shell inherits that Ctrl-C is ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            overtime = threading.Timer(120, process.kill)  # it never comes to its last line
            overtime.start()
            assert process.stdout is not None
            for line in process.stdout:
                if line == "last\n":
                    break
            start_s = time.monotonic()
            try:
                status: int | None = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                status = None
            seconds = time.monotonic() - start_s
            overtime.cancel()
            process.kill()
            process.wait()
            process.stdout.close()
            errors.seek(0)
            return End(status, seconds, errors.read())


def main() -> int:
    """Run the shapes; the exit status is 1 where one ended badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1, help="runs of each shape")
    parser.add_argument("-j", type=int, default=2, help="programs that run at once")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("names", nargs="*", metavar="NAME", help="shapes; by default all")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SHAPES):
        parser.error(f"unknown shapes: {sorted(unknown)}")
    names = [name for name in options.names or SHAPES for _ in range(options.n)]
    slowest: dict[str, float] = defaultdict(float)
    bad = 0
    with ThreadPoolExecutor(options.j) as pool:
        for name, end in zip(names, pool.map(lambda name: run(SHAPES[name].body, options.python), names), strict=True):
            slowest[name] = max(slowest[name], end.seconds)
            if end.status != SHAPES[name].status:
                bad += 1
                print(f"{name}: status {end.status}, {end.seconds:.2f} s after its last line\n{end.output[-2000:]}")
    for name, seconds in sorted(slowest.items(), key=lambda item: -item[1]):
        print(f"{seconds:6.2f} s  {name}")
    print(f"{bad} of {len(names)} ended badly")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
