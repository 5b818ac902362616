"""Commands with too little memory, too few open files, and too small files: one line of error, no partial output."""

import functools
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import make_folders
from tests.soak.scenario import Scenario, main, run_caudal

MIB = 2**20
LIMITS: dict[str, tuple[int, list[int]]] = {
    "memory": (resource.RLIMIT_AS, [size * MIB for size in (200, 400, 700, 1000, 1500, 2500, 4000)]),
    "open files": (resource.RLIMIT_NOFILE, [4, 6, 8, 10, 12, 16, 20, 24, 32]),
    "size of files": (resource.RLIMIT_FSIZE, [0, 1, 100, 1000, 4096, 10_000, 20_000]),
}


def can_import_libraries(limit: int, value: int) -> bool:
    """Whether TensorFlow and OpenCV survive their import within a limit: where they crash, nothing here can help."""
    code = "import cv2, tensorflow as tf; tf.constant(0)"
    prepare = functools.partial(resource.setrlimit, limit, (value, value))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, preexec_fn=prepare, check=False)
    return ended.returncode >= 0


def convert_within(limit: int, values: list[int], root: Path) -> Iterator[str]:
    """Convert within each limit: the destination is absent or complete, and the same command without it finishes."""
    source = make_folders(root / "source", {"ants": 30, "bees": 30}, height=20, width=20)
    for value in filter(functools.partial(can_import_libraries, limit), values):
        target = root / f"out-{value}"
        command = ("convert", source, target, "--shards", 3, "--workers", 2)
        ended = run_caudal(*command, limits={limit: value})
        fault = ended.fault or (
            f"{target.name} exists after exit status {ended.status}" if ended.status and target.exists() else ""
        )
        again, verified = run_caudal(*command), run_caudal("verify", target)
        if not fault and (again.status or verified.status):
            fault = f"not finished without the limit: {again.errors}{verified.errors}"
        yield fault and f"{value}: {fault}"


def stream_within(limit: int, values: list[int], root: Path) -> Iterator[str]:
    """Stream within each limit."""
    source = make_folders(root / "source", {"ants": 30, "bees": 30}, height=20, width=20)
    for value in filter(functools.partial(can_import_libraries, limit), values):
        ended = run_caudal("stream", source, "--image-size", "16x16", "--digest", limits={limit: value})
        yield ended.fault and f"{value}: {ended.fault}"


SCENARIOS: dict[str, Scenario] = {
    f"{verb}, limited {name}": functools.partial(function, limit, values)
    for name, (limit, values) in LIMITS.items()
    for verb, function in (("convert", convert_within), ("stream", stream_within))
}

if __name__ == "__main__":
    main(SCENARIOS)
