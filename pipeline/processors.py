"""How many processors this process may use."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_CGROUPS = Path("/sys/fs/cgroup")
"""Where every distribution and container runtime mounts control groups."""

_MEMBERSHIP = Path("/proc/self/cgroup")


class Processors(NamedTuple):
    """The processors that this process may use.

    Attributes:
        usable: how many can be busy at once: the smaller of the two limits, rounded up.
        affinity: how many processors the scheduler may run it on (`taskset`, cpusets).
        quota: how many processors' time its control groups grant it, such as `docker run --cpus`; None for no limit.
    """

    usable: int
    affinity: int
    quota: float | None

    @property
    def bound(self) -> str:
        """What limits them, for people."""
        if self.quota is not None and self.quota < self.affinity:
            return f"the cgroup's CPU quota of {self.quota:g}, below {self.affinity} in the affinity mask"
        return "the affinity mask"


def count_processors() -> int:
    """Count the processors that this process may use: the default of parallel calls and processes."""
    return find_processors().usable


def find_processors() -> Processors:
    """Find the processors that this process may use, as they are now, and what limits them."""
    affinity = len(os.sched_getaffinity(0))
    quota = min(_iter_quotas(_CGROUPS, _MEMBERSHIP), default=None)
    usable = affinity if quota is None else min(affinity, math.ceil(quota))
    return Processors(usable, affinity, quota)


def _iter_quotas(mount: Path, membership: Path) -> Iterator[float]:
    """Yield the CPU quotas of this process's control groups and of all groups around them, in processors.

    Args:
        mount: the directory of control groups: version 2, or one directory per controller of version 1.
        membership: the file of lines `ID:CONTROLLERS:PATH` that names the process's groups.
    """
    with suppress(OSError):
        for line in membership.read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and not controllers:  # version 2
                for group in _iter_groups(mount, path):
                    yield from _read_quota(group / "cpu.max")
            elif "cpu" in controllers.split(","):
                for name in {"cpu", controllers}:  # controllers that share a mount: "cpu" is a link to it, or missing
                    for group in _iter_groups(mount / name, path):
                        yield from _read_quota(group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us")


def _iter_groups(mount: Path, path: str) -> Iterator[Path]:
    """Yield the directories of a control group, and of the groups around it; some may be missing.

    A container sees its own group as the mount, but may know the path that the group has outside.
    """
    group = mount / path.lstrip("/")
    while group.is_relative_to(mount):
        yield group
        group = group.parent


def _read_quota(*files: Path) -> Iterator[float]:
    """Yield quota / period in processors, if the files exist and set a limit (not "max", nor -1)."""
    with suppress(OSError, ValueError):
        quota, period = map(int, " ".join(file.read_text() for file in files).split())
        if quota > 0 and period > 0:
            yield quota / period
