"""The environment of a measurement: processors, load, and package versions."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "albumentations",
    "grain",
    "keras",
    "numpy",
    "nvidia-dali-cuda120",
    "opencv-python-headless",
    "pillow",
    "simplejpeg",
    "spdl",
    "tensorflow",
    "torch",
    "torchvision",
)
"""The packages whose versions are recorded if they are installed."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that a contender may use."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Describe the machine now: processor, usable processors, load average (one minute), memory, kernel, date."""
    return {
        "cpu": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "date": datetime.date.today().isoformat(),
    }


def processor() -> str:
    """Return the kernel's name of the processor, or the architecture if there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
