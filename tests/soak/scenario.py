"""What the scenarios share: running one, and commands under limits and signals."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

HANG_S = 120.0
"""A command that runs longer hangs: none takes more than some seconds on an idle machine."""

Scenario = Callable[[Path], Iterator[str]]
"""Yields, for each run in an empty directory, what was wrong, or "" if nothing was."""


class Ended(NamedTuple):
    """A command that has ended.

    Attributes:
        status: its exit status; minus the number of the signal that killed it; None if it hung.
        errors: what it wrote to standard error.
    """

    status: int | None
    errors: str

    @property
    def fault(self) -> str:
        """What is wrong with how it ended: no status of its own, or an error that is not one line for people."""
        lines = self.errors.strip().splitlines()
        if self.status is None:
            return "it hung"
        if self.status not in (0, 1, 2, 130):
            return f"exit status {self.status}: {self.errors[-500:]}"
        if any(word in self.errors for word in ("unexpected ", "Traceback", "report it")):
            return f"an error without a class: {self.errors[-500:]}"
        return f"exit status 2 with {len(lines)} lines: {self.errors[-500:]}" if self.status == 2 and not lines else ""


def run_caudal(
    *arguments: object, limits: Mapping[int, int] | None = None, after: tuple[float, int] | None = None
) -> Ended:
    """Run `caudal` with some arguments.

    Args:
        *arguments: of the command.
        limits: of resources, by their numbers (`resource.RLIMIT_AS`, ...).
        after: seconds after which to send a signal, and its number.
    """

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python itself does: a write fails instead
        for limit, value in (limits or {}).items():
            resource.setrlimit(limit, (value, value))

    process = subprocess.Popen(
        [sys.executable, "-m", "caudal", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        if after is not None:
            try:
                return Ended(process.wait(after[0]), process.communicate()[1])
            except subprocess.TimeoutExpired:
                process.send_signal(after[1])
        errors = process.communicate(timeout=HANG_S)[1]
        return Ended(process.returncode, errors)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return Ended(None, process.communicate()[1])


def find_session(process: int) -> list[int]:
    """List the processes of a session that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == process and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def main(scenarios: Mapping[str, Scenario]) -> None:
    """Run the scenarios of a program: each prints its figures as one line of JSON, and its faults beside them."""
    import tempfile

    for name, scenario in scenarios.items():
        runs, faults, slowest_s, begin = 0, [], 0.0, time.monotonic()
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:  # noqa: S108  # the folder in it has a name of its own
            try:
                for fault in scenario(Path(directory)):
                    now = time.monotonic()
                    if runs:  # the first one imports libraries, too
                        slowest_s = max(slowest_s, now - begin)
                    runs, begin = runs + 1, now
                    faults += [fault] if fault else []
            except AssertionError as error:
                faults.append(f"{error}")
        figures = {"name": name, "runs": runs, "faults": faults, "slowest_s": round(slowest_s, 2)}
        print(json.dumps(figures), flush=True)
