"""What tests of processes ask the system for: which there are, and what memory is shared with them."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from pipeline import Loader


def children(process: int | None = None) -> set[int]:
    """Find the processes that one has started, by default this one, and that have not ended."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{process or os.getpid()}/task").iterdir():
            found |= {int(child) for child in (task / "children").read_text().split()}
    return {child for child in found if is_alive(child)}


def grandchildren() -> set[int]:
    """Find the workers that this process's servers have forked."""
    return {worker for server in children() for worker in children(server)}


def is_alive(process: int) -> bool:
    """Say whether a process runs; one that nobody has asked for its status does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def slots() -> list[str]:
    """List the slots of workers that this process sees: the number of the file in memory, one for each slot."""
    return [columns[4] for columns in _list_mappings()]


def is_in_slot(address: int) -> bool:
    """Say whether an address lies in memory that a worker writes to."""
    ranges = [columns[0].split("-") for columns in _list_mappings()]
    return any(int(start, 16) <= address < int(end, 16) for start, end in ranges)


def _list_mappings() -> list[list[str]]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split() for line in lines if "memfd:caudal-batch" in line]


def until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it never did.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not come")
        time.sleep(0.01)


def iterate_until_served(loader: Loader) -> Loader:
    """Iterate a loader until a worker of its own has made a batch: the first ones are made by threads."""
    before = set(slots())

    def has_worker_served() -> bool:
        with contextlib.suppress(Exception):  # a bad sample
            for _ in loader.dataset():
                pass
        return bool(set(slots()) - before)

    until(has_worker_served)
    return loader


def fail(loader: Loader) -> None:
    """Iterate a loader until it fails."""

    def never() -> bool:
        for _ in loader.dataset():
            pass
        return False

    until(never)
