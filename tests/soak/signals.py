"""Ctrl-C and SIGTERM at random instants of commands: they end, with their status, and leave no process behind."""

import functools
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.conftest import make_folders
from tests.soak.scenario import Scenario, main, run_caudal

TIMES = 10
LONGEST_S = 4.0
"""The last instant: an interpreter with TensorFlow takes two seconds or more to start."""


def interrupt(command: tuple[str, ...], number: int, root: Path) -> Iterator[str]:
    """Send a signal at random instants of a command."""
    source = make_folders(root / "source", {"ants": 100, "bees": 100}, height=64, width=64)
    random = np.random.default_rng(number)
    for after_s in random.uniform(0.3, LONGEST_S, TIMES).tolist():
        verb, *options = command
        arguments = [verb, source, *([root / "out"] if verb == "convert" else []), *options]
        ended = run_caudal(*arguments, after=(after_s, number))
        expected = (0, 130, -signal.SIGINT) if number == signal.SIGINT else (0, -number, 128 + number)
        if ended.status not in expected and not (ended.status == 2 and verb == "convert"):
            yield f"after {after_s:.2f} s: exit status {ended.status}: {ended.errors[-500:]}"
        elif "unexpected " in ended.errors:
            yield f"after {after_s:.2f} s: {ended.errors[-500:]}"
        else:
            yield ""


STREAM = ("stream", "--image-size", "32x32", "--epochs", "3")
SCENARIOS: dict[str, Scenario] = {
    f"{signal.Signals(number).name}, {command[0]}": functools.partial(interrupt, command, number)
    for number in (signal.SIGINT, signal.SIGTERM)
    for command in (STREAM, ("convert", "--shards", "8", "--workers", "2", "--overwrite"))
}

if __name__ == "__main__":
    main(SCENARIOS)
