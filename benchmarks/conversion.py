"""`python -m benchmarks convert --data DIR`: conversions against tar and a plain OpenCV loop, and their memory.

The contenders take turns within one run, over warm files:

* `pass-through`: `pipeline.convert` with two workers against `tar -cf` of the same files, photographs and small PNGs.
  At a ratio of 0.5, hashing, checksums, index, flushing to the disk and reading back take as long as tar's copy, which
  tar does not flush.
* `resize`: to a short side of 256 pixels at quality 90, two workers, against a loop in two processes that only decodes,
  resizes and encodes with OpenCV, and writes nothing.
* `memory`: the largest peak of a process for ten times as many files, relative to that for the files.

Both sides are new processes with compiled bytecode, like an installed package. `with start` is the time from their
start to their end; `without start` is what each process reports, from its first file to its last. `processor` compares
CPU seconds including the start, which other programs disturb least.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import SourceError

_OPENCV_LOOP = """
import multiprocessing, pathlib, sys, time
import cv2, numpy as np

def work(paths):
    cv2.setNumThreads(0)
    size = 0
    for path in paths:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        height, width = image.shape[:2]
        scale = 256 / min(height, width)
        image = cv2.resize(image, (round(width * scale), round(height * scale)))
        size += len(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])
    return size

paths = sorted(map(str, pathlib.Path(sys.argv[1]).rglob("*.jpg")))
with multiprocessing.get_context("fork").Pool(2) as pool:
    begin = time.perf_counter()
    pool.map(work, [paths[0::2], paths[1::2]], 1)
    print(time.perf_counter() - begin)
"""

_CONVERT = """
import json, re, resource, sys, time
from pipeline import convert
options = json.loads(sys.argv[3])
begin = time.perf_counter()
convert(sys.argv[1], sys.argv[2], **options)
print(time.perf_counter() - begin)
# Not the value of wait4: it includes the process that started this one.
own = int(re.search("VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


class Run(NamedTuple):
    """The measurements of one process.

    Attributes:
        seconds: time from its start to its end.
        inner: the time that it reports; `seconds` if it reports none.
        peak_kb: the largest resident set of it or one of its children, as it reports; 0 if it reports none.
        processor: CPU seconds of it and its children.
    """

    seconds: float
    inner: float
    peak_kb: int
    processor: float


def main(arguments: list[str]) -> None:
    """Run the workloads and print their ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks convert", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="class-folders of JPEG photographs")
    parser.add_argument("--megabytes", type=int, default=500, help="total size of the copied photographs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scratch", type=Path, help="folder for copies and results; default: the temporary folder")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        scratch = Path(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{scratch}/bytecode"
        photographs = _make_copies(options.data, scratch / "photographs", options.megabytes)
        small, large = _write_pngs(scratch / "small", 6_000), _write_pngs(scratch / "large", 60_000)
        for name, source, keywords, peer in (
            ("pass-through, photographs", photographs, {"workers": 2}, _make_tar_run(photographs, scratch)),
            ("pass-through, 6,000 PNGs of 400 bytes", small, {"workers": 2}, _make_tar_run(small, scratch)),
            ("pass-through, 60,000 PNGs of 400 bytes", large, {"workers": 2}, _make_tar_run(large, scratch)),
            (
                "resize, photographs",
                options.data,
                _RESIZE,
                lambda: _time_process(["-c", _OPENCV_LOOP, str(options.data)]),
            ),
        ):
            _compare(name, source, keywords, peer, scratch / "out", options.rounds)
        _compare_memory(small, large, scratch, options.rounds)
    print(f"load average {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} processors")


_RESIZE: dict[str, Any] = {"workers": 2, "resize_short": 256, "quality": 90, "on_error": "skip"}


def _compare(
    name: str, source: Path, keywords: dict[str, Any], peer: Callable[[], Run], target: Path, rounds: int
) -> None:
    ours: list[Run] = []
    theirs: list[Run] = []
    for number in range(rounds + 1):  # the first round is a warm-up
        pair = _convert(source, target, keywords), peer()
        if number:
            ours.append(pair[0])
            theirs.append(pair[1])
    count = sum(path.is_file() for path in source.rglob("*"))
    print(f"\n{name}: {count:,} files")
    for label, column in (("with start", 0), ("without start", 1), ("processor", 3)):
        ratios = sorted(their[column] / our[column] for our, their in zip(ours, theirs, strict=True))
        rate, limit = (count / statistics.median(run[column] for run in runs) for runs in (ours, theirs))
        print(
            f"  {label:14} {rate:10,.0f} files/s, peer {limit:10,.0f}; ratio {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


def _compare_memory(small: Path, large: Path, scratch: Path, rounds: int) -> None:
    print("\nmemory: largest peak of a process, 60,000 files against 6,000")
    for name, keywords in (
        ("pass-through", {"workers": 2, "shards": 4}),
        ("to folders", {"workers": 2, "to": "folder"}),
    ):
        ratios = []
        for _ in range(min(rounds, 3)):
            few, many = (_convert(source, scratch / "out", keywords).peak_kb for source in (small, large))
            ratios.append(many / few)
        print(f"  {name:14} {few / 1024:.0f} MiB and {many / 1024:.0f} MiB; ratio {statistics.median(ratios):.2f}")


def _convert(source: Path, target: Path, keywords: dict[str, Any]) -> Run:
    shutil.rmtree(target, ignore_errors=True)
    return _time_process(["-c", _CONVERT, str(source), str(target), json.dumps(keywords)])


def _make_tar_run(source: Path, scratch: Path) -> Callable[[], Run]:
    def run() -> Run:
        archive = scratch / "archive.tar"
        archive.unlink(missing_ok=True)
        return _time_process(["-cf", str(archive), str(source)], program="tar")

    return run


def _time_process(arguments: list[str], program: str = sys.executable) -> Run:
    """Run a process to its end."""
    begin = time.perf_counter()
    with subprocess.Popen(  # noqa: S603  # our own commands
        [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101  # for the type checker: it is a pipe
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds, processor = time.perf_counter() - begin, usage.ru_utime + usage.ru_stime
    if process.returncode:
        raise SystemExit(f"{program} {arguments[0]} ended with {process.returncode}")
    said = [*map(float, printed.split())]
    return Run(seconds, said[0] if said else seconds, int(said[1]) if len(said) > 1 else 0, processor)


def _make_copies(folder: Path, target: Path, megabytes: int) -> Path:
    """Copy class-folders several times, as classes with other names."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if not size:
        raise SourceError(f"no files in {folder}; set --data to class-folders of JPEG photographs")
    for number in range(max(1, -(-megabytes * 10**6 // size))):
        for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
            shutil.copytree(kind, target / f"{kind.name}{number}")
    return target


def _write_pngs(target: Path, count: int) -> Path:
    """Write small gray PNGs, all different, in ten classes."""
    import cv2
    import numpy as np

    for kind in range(10):
        (target / str(kind)).mkdir(parents=True)
    for number in range(count):
        image = np.zeros((28, 28), np.uint8)
        random = np.random.default_rng(number)
        image[4:24, 6:22] = random.integers(0, 256, (20, 16))
        (target / str(number % 10) / f"{number:06d}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return target


if __name__ == "__main__":
    main(sys.argv[1:])
