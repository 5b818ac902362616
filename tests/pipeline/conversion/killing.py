"""Killing conversions: every system call that writes, one by one, and random instants.

A module of its own because it forks: a new interpreter imports it, without TensorFlow, and each conversion to kill runs
in a fork of that interpreter. A fork takes milliseconds, a new interpreter half a second. The interpreter itself, in
which nothing is hooked, finishes what a kill left.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from pipeline.conversion import durable_files, workspace

STEPS = ("write", "fsync", "rename", "mkdir", "unlink", "rmdir")
"""The functions of `os` that change a disk; those of `durable_files` that are not in `os` are hooked separately."""


def contents(root: Path) -> dict[str, bytes] | None:
    """Read all files of a folder, by path; None where there is none."""
    if not root.exists():
        return None
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def in_a_fork(act: Callable[[], None], until: float | None = None) -> int:
    """Run a function in a fork, kill it after `until` seconds, and return the status of `waitpid`."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    if until is not None:
        time.sleep(until)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def dying_at(step: int, act: Callable[[], None], *, halfway: bool) -> Callable[[], None]:
    """Return a function that is killed before its step-th call, or with `halfway` after half the bytes of a write."""

    def run() -> None:
        left = [step]

        def hook(function: Callable[..., Any], *, writes: bool = False) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    if writes and halfway:
                        function(arguments[0], arguments[1][: len(arguments[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)

            return call

        for name in STEPS:
            setattr(os, name, hook(getattr(os, name), writes=name == "write"))
        durable_files._syncfs = hook(durable_files._syncfs)
        workspace.exchange = hook(workspace.exchange)
        workspace.rename_new = hook(workspace.rename_new)
        act()

    return run


def every_step(source: Path, target: Path, *, old: Path | None = None, **options: Any) -> Iterator[int]:
    """Kill a conversion at its first step, at its second, and so on; the same command finishes it after each kill.

    Yields:
        The number of each checked step.
    """
    expected = _convert_undisturbed(source, target, options)
    before, replaced = None, target.parent / "replaced" / target.name
    options["overwrite"] = old is not None
    if old is not None:
        pipeline.convert(old, replaced)
    convert: Callable[[], Any] = lambda: pipeline.convert(source, target, **options)  # noqa: E731
    for step in range(100_000):
        _clear(target)
        if old is not None:
            shutil.copytree(replaced, target)
            before = contents(target)
        status = in_a_fork(dying_at(step, convert, halfway=step % 2 == 0))
        if status == 0:
            return
        assert os.WIFSIGNALED(status), f"step {step} failed instead of dying"
        after = contents(target)
        assert after in (before, expected), f"step {step} left {None if after is None else sorted(after)}"
        kept = list_finished_shards(target)
        convert()
        assert contents(target) == expected, f"step {step}"
        assert kept <= inodes(target), f"step {step}: a finished shard was written again"
        assert list_hidden(target) == [], f"step {step} left {list_hidden(target)}"
        yield step


def random_instants(source: Path, target: Path, count: int, **options: Any) -> Iterator[str]:
    """Kill a conversion after random times; the same command finishes it after each kill.

    Yields:
        "absent" or "complete": the destination after the kill.
    """
    expected = _convert_undisturbed(source, target, options)
    convert: Callable[[], Any] = lambda: pipeline.convert(source, target, **options)  # noqa: E731
    begin = time.perf_counter()
    assert in_a_fork(convert) == 0
    longest = time.perf_counter() - begin
    for until in np.random.default_rng(0).uniform(0, longest, count).tolist():
        _clear(target)
        in_a_fork(convert, until)
        after = contents(target)
        assert after in (None, expected), f"{until} s left {None if after is None else sorted(after)}"
        convert()
        assert contents(target) == expected
        assert list_hidden(target) == []
        yield "absent" if after is None else "complete"


def list_finished_shards(target: Path) -> set[int]:
    """Return the inodes of the shards that have a receipt."""
    root = target.with_name(f".{target.name}.partial")
    if not root.exists():
        return set()
    names = {path.read_text().split('"')[3] for path in (root / "receipts").glob("*.json")}
    return {path.stat().st_ino for path in (root / "data").rglob("*.tfrecord") if path.name in names}


def inodes(root: Path) -> set[int]:
    """Return the inodes of all files."""
    return {path.stat().st_ino for path in root.rglob("*")}


def list_hidden(target: Path) -> list[str]:
    """List the hidden files next to the destination."""
    return [path.name for path in target.parent.iterdir() if path.name.startswith(".")]


def _convert_undisturbed(source: Path, target: Path, options: dict[str, Any]) -> dict[str, bytes] | None:
    """Convert to a destination of the same name elsewhere, without a kill."""
    undisturbed = target.parent / "undisturbed" / target.name
    pipeline.convert(source, undisturbed, **options)
    return contents(undisturbed)


def _clear(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(target.with_name(f".{target.name}.partial"), ignore_errors=True)
