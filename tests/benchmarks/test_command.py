"""Tests of `python -m benchmarks`: rows for programs, and one line for what cannot be done."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.__main__ import main
from benchmarks.processes import list_process_tree


class Outcome(NamedTuple):
    """What the command ended with."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Return `run(*arguments)`: runs the command line in this process."""

    def command(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Outcome(int(ended.value.code or 0), *capfd.readouterr())

    return command


def test_run_prints_one_row_with_the_columns_that_are_promised(
    folders: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    """`run --json` of one contender is one line on standard output, after an audit that Caudal passes."""
    data = folders(ants=20, bees=20, height=64, width=80, extension=".jpg")
    options = ("--workload", "full", "--contender", "caudal", "--data", data, "--epochs", 3, "--json")
    finished = run("run", *options)
    assert finished.status == 0, finished.err[-2000:]
    (line,) = finished.out.splitlines()
    row = json.loads(line)
    assert list(row) == [
        "peer",
        "workload",
        "img_s_median",
        "img_s_min",
        "img_s_max",
        "cpu_s_per_img",
        "peak_rss_mb",
        "versions",
    ]
    assert (row["peer"], row["workload"]) == ("caudal", "full")
    assert "caudal: round 3 of 3" in finished.err


def test_contender_of_ones_own_that_fails_its_audit_is_status_1(
    folders: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    """`module:function` names it; the table says why it was not timed."""
    data = folders(ants=4, height=64, width=80, extension=".jpg")
    faulty = "tests.benchmarks.contenders:exchanges_colors"
    finished = run("run", "--workload", "light", "--contender", faulty, "--data", data, "--epochs", 1)
    assert finished.status == 1
    assert "not timed: audit: red and blue are exchanged" in finished.out


@pytest.mark.parametrize(
    ("workload", "count", "lines"),
    [("text", 200, "bad a film\ngood a story\n" * 25), ("convert", 8, None), ("first-batch", 40, None)],
)
def test_workloads_that_are_no_rates_of_images_print_the_same_row(
    folders: Callable[..., Path], run: Callable[..., Outcome], workload: str, count: int, lines: str | None
) -> None:
    """Every workload that is promised can be asked for by its name."""
    data = folders(ants=4, height=64, width=80, extension=".jpg")
    if lines is not None:
        data = data / "texts.txt"
        data.write_text(lines)
    options = ("--workload", workload, "--contender", "caudal", "--count", count, "--data", data)
    finished = run("run", *options, "--epochs", 1, "--json")
    assert finished.status == 0, finished.err[-2000:]
    row = json.loads(finished.out)
    assert (row["peer"], row["workload"], len(row)) == ("caudal", workload, 8)
    assert row["img_s_median"] > 0


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        (["cores", "--simulate", 2], {"calls", "ratio", "img_s_median", "native_us", "cpu_s_per_img"}),
        (["gil", "--count", 64], {"gil_us", "native_us", "outside_us", "acquired_per_image", "acquired_by"}),
    ],
)
def test_cores_and_gil_print_a_row_per_setting(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, command: list[Any], columns: set[str]
) -> None:
    """They need no photographs."""
    monkeypatch.setattr("benchmarks.cores.BATCHES_PER_CALL", 2)
    finished = run(*command, "--workload", "light", "--epochs", 1, "--json")
    assert finished.status == 0, finished.err[-2000:]
    rows = [json.loads(line) for line in finished.out.splitlines()]
    assert [row.get("calls") for row in rows] == ([1, 2] if command[0] == "cores" else [None])
    assert all(columns <= row.keys() and row["workload"] == "light" for row in rows)
    assert all(row[name] > 0 for row in rows for name in columns - {"acquired_by"})


def test_when_it_is_told_to_end_its_contenders_end(start: Callable[..., Any], folders: Callable[..., Path]) -> None:
    """Those that are stopped until their turn comes would stay for ever."""
    data = folders(ants=4, height=64, width=80, extension=".jpg")
    names = [f"--contender=tests.benchmarks.contenders:{name}" for name in ("honest", "hangs_when_timed")]
    command = [sys.executable, "-m", "benchmarks", "run", "--workload", "full", *names, "--data", str(data)]
    process = start(command)
    next(line for line in process.stderr if "hangs_when_timed: warm-up" in line)
    _, *workers = list_process_tree(process.pid)
    process.terminate()
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert len(workers) == 2
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "--workload", "full", "--contender", "fast", "--data", "DATA"],
            "unknown contender 'fast' of full; choose from",
        ),
        (["scaling", "--data", "DATA", "--contender", "fast"], "unknown contender 'fast' of full; choose from"),
        (
            ["first-batch", "--data", "DATA", "--contender", "fast"],
            "unknown contender 'fast' of first-batch; choose from",
        ),
        (
            ["run", "--workload", "full", "--data", "DATA", "--contender", "torch", "--peers", "/no/python"],
            "cannot run /no/python: No such file or directory; set --peers to a Python interpreter",
        ),
        (["convert", "--data", "nowhere"], "no files in nowhere"),
        (["run", "--workload", "text", "--data", "DATA"], ": Is a directory; `text` needs a file"),
        (["run", "--data", "nowhere"], "nowhere cannot be listed: No such file or directory"),
        (["report", "--results", "nowhere"], "no results in nowhere"),
        (["run", "--data", "DATA", "--epochs", "0"], "must be at least 1, got 0"),
    ],
)
def test_unusable_input_is_status_2(
    folders: Callable[..., Path], run: Callable[..., Outcome], arguments: list[str], message: str
) -> None:
    """The last line says what is wrong; there is no traceback."""
    data = folders(ants=2)
    finished = run(*(data if argument == "DATA" else argument for argument in arguments))
    assert (finished.status, finished.out) == (2, "")
    assert message in finished.err.splitlines()[-1]
    assert "Traceback" not in finished.err
