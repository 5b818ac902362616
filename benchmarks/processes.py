"""CPU time and memory of a process and its descendants, from `/proc` (proc(5)).

A contender may work in threads or in child processes; only the whole tree can be compared.
"""

import os
import threading
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def list_process_tree(root: int) -> list[int]:
    """List a process and all its living descendants."""
    found = [root]
    for process in found:  # grows during the loop
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:  # the process has ended
                continue
    return found


def cpu_s(root: int) -> float:
    """Sum the CPU time of a tree in seconds, including ended children that were waited for."""
    ticks = 0
    for process in list_process_tree(root):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # own user and system time, then that of the children waited for
    return ticks / _TICKS


def rss_bytes(root: int) -> int:
    """Sum the resident memory of a tree; pages that forked processes share count once per process."""
    pages = 0
    for process in list_process_tree(root):
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * _PAGE


class PeakMemory:
    """Samples the memory of a process tree while a block runs; `bytes` is the maximum."""

    def __init__(self, root: int, every_s: float = 0.05) -> None:
        self.bytes = 0
        self._root = root
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, rss_bytes(self._root))
            if self._ended.wait(self._every_s):
                return
