"""The number of usable processors: the affinity mask and the CPU quotas of control groups, whichever is smaller."""

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import processors
from pipeline.processors import Processors, find_processors

PERIOD = 100_000


def write(path: Path, text: str) -> None:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of control groups of a machine with eight processors, without groups."""
    monkeypatch.setattr(processors, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(processors, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


def find_usable(root: Path, membership: str, **files: str) -> int:
    """Count the processors where some files of control groups exist."""
    write(root / "membership", membership)
    for name, text in files.items():
        write(root / "cgroup" / name, text)
    return find_processors().usable


def test_without_control_groups_the_affinity_mask_counts(root: Path) -> None:
    """Nothing is read, nothing is said of a quota."""
    assert find_processors() == Processors(8, 8, None)
    assert find_processors().bound == "the affinity mask"
    assert find_usable(root, "0::/\n") == 8


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        *(("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("100 100000", 1), ("1600000 100000", 8)),
        *(("", 8), ("0 100000", 8), ("200000 0", 8), ("some 100000", 8), ("1 2 3", 8)),
    ],
)
def test_a_quota_of_version_2_is_rounded_up(root: Path, text: str, usable: int) -> None:
    """A container sees its own group as the root; what is unlimited or damaged limits nothing."""
    assert find_usable(root, "0::/\n", **{"cpu.max": f"{text}\n"}) == usable


def test_the_groups_around_the_own_one_count(root: Path) -> None:
    """A service without a limit in a slice with one; the limit of another group does not matter."""
    files = {"a.slice/cpu.max": "300000 100000", "a.slice/b.service/cpu.max": "max 100000", "c/cpu.max": "1 100000"}
    assert find_usable(root, "0::/a.slice/b.service\n", **files) == 3


@pytest.mark.parametrize(
    ("controllers", "directory"), [("cpu", "cpu"), ("cpu,cpuacct", "cpu,cpuacct"), ("cpuacct,cpu", "cpu")]
)
@pytest.mark.parametrize("path", ["", "/docker/1"])
def test_a_quota_of_version_1_counts(root: Path, controllers: str, directory: str, path: str) -> None:
    """Controllers share a mount or do not; a container may know a path that does not exist in it."""
    files = {f"{directory}/cpu.cfs_quota_us": "250000\n", f"{directory}/cpu.cfs_period_us": "100000\n"}
    assert find_usable(root, f"5:memory:/\n4:{controllers}:{path or '/'}\n0::/\n", **files) == 3
    assert find_processors().bound == "the cgroup's CPU quota of 2.5, below 8 in the affinity mask"


def test_no_quota_of_version_1_is_none(root: Path) -> None:
    """The kernel writes -1."""
    assert find_usable(root, "4:cpu:/\n", **{"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}) == 8


@given(quotas=st.lists(st.integers(1, 20 * PERIOD), min_size=1, max_size=4), affinity=st.integers(1, 64))
def test_the_smallest_limit_counts(tmp_path_factory: pytest.TempPathFactory, quotas: list[int], affinity: int) -> None:
    """However deep the groups are nested."""
    root = tmp_path_factory.mktemp("groups")
    path = ""
    for number, quota in enumerate(quotas):
        write(root / "cgroup" / path.lstrip("/") / "cpu.max", f"{quota} {PERIOD}")
        path += f"/{number}" if number + 1 < len(quotas) else ""
    write(root / "membership", f"0::{path or '/'}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processors, "_CGROUPS", root / "cgroup")
        patch.setattr(processors, "_MEMBERSHIP", root / "membership")
        patch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)))
        assert find_processors().usable == min(affinity, math.ceil(min(quotas) / PERIOD))


def test_this_machine_has_a_processor() -> None:
    """The system's own files can be read."""
    assert 1 <= processors.count_processors() <= len(os.sched_getaffinity(0))
