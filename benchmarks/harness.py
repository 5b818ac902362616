"""Measurement: each contender runs in its own process, is audited first, and is then timed in turns with the others.

Each round runs one epoch of every contender, after one warm-up round, so that a disturbance affects all contenders. A
contender that fails its audit, raises, hangs, or yields a wrong number of samples is reported with the reason and not
timed further.
"""

import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import images
from benchmarks.contenders import Contender
from benchmarks.environment import machine
from benchmarks.processes import PeakMemory, cpu_s
from benchmarks.workloads import Workload, WorkloadRecipe
from pipeline.errors import OptionError

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 900.0

Say = Callable[[str], None]


class ContenderError(Exception):
    """A contender cannot be measured; the message is the reason."""


class MissingError(ContenderError):
    """A package of a contender is not installed."""


class Runner:
    """A contender in its own process.

    Args:
        contender: the contender.
        workload: the workload it reads.
        python: the Python interpreter of its environment.
        timeout_s: maximum time per answer.

    Raises:
        MissingError: a module that it needs is not installed.
        ContenderError: its process ended.
        OptionError: the interpreter cannot be run.
    """

    def __init__(
        self, contender: Contender, workload: Workload, python: str = sys.executable, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._timeout_s = timeout_s
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the runner
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "NO_ALBUMENTATIONS_UPDATE": "1", **os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
        try:
            self._process = subprocess.Popen(  # noqa: S603  # the interpreter and the module are ours
                [python, "-m", "benchmarks.worker", contender.target],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,  # so that its descendants can be killed with it
            )
        except OSError as error:
            raise OptionError(f"cannot run {python}: {error.strerror}; set --peers to a Python interpreter") from None
        try:
            self.versions: dict[str, str] = self._ask(workload.to_dict())["versions"]
        except BaseException:
            self.close()
            raise

    def audit(self, function: str, workload: Workload) -> dict[str, Any]:
        """Audit the contender; see `benchmarks.audit.audit`."""
        return self._ask({"audit": function, "workload": workload.to_dict()})

    def epoch(self, command: str = "epoch") -> dict[str, float]:
        """Run one epoch ("epoch") or get the first batch ("first"), and add "cpu_s" and "peak_rss_mb" of its tree."""
        before = cpu_s(self._process.pid)  # before SIGCONT: its threads and processes continue at once
        os.killpg(self._process.pid, signal.SIGCONT)
        with PeakMemory(self._process.pid) as peak:
            answer = self._ask({command: True})
            os.killpg(self._process.pid, signal.SIGSTOP)  # otherwise it would prefetch while others are timed
        return {**answer, "cpu_s": cpu_s(self._process.pid) - before, "peak_rss_mb": peak.bytes / 2**20}

    def close(self) -> None:
        """Kill the process and its descendants."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            with suppress(BrokenPipeError):  # unread data
                file.close()  # type: ignore[union-attr]  # all three are pipes

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101  # for the type checker: all three are pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContenderError(f"its process ended: {self._read_last_words()}") from None
        if not select.select([self._process.stdout], [], [], self._timeout_s)[0]:
            raise ContenderError(f"no answer within {self._timeout_s:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise ContenderError(f"its process ended: {self._read_last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            raise MissingError(answer["missing"])
        if "error" in answer:
            raise ContenderError(answer["error"])
        return answer

    def _read_last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"


@dataclass
class Result:
    """The measurements of a contender.

    Attributes:
        peer: its name.
        epochs: measurements per round: "samples", "wall_s", "first_batch_s", "cpu_s", "peak_rss_mb".
        audit: the audit's result.
        versions: the versions of its environment.
        failed: why it was not timed completely; None if it was.
    """

    peer: str
    epochs: list[dict[str, float]] = field(default_factory=list)
    audit: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    failed: str | None = None

    def rates(self) -> list[float]:
        """Return the samples/s of every round."""
        return [epoch["samples"] / epoch["wall_s"] for epoch in self.epochs]

    def row(self, workload: str) -> dict[str, Any]:
        """Return the row for programs: rates in samples/s, memory in MiB; no rate if it failed."""
        rates = self.rates()
        return {
            "peer": self.peer,
            "workload": workload,
            "img_s_median": _round(self._median(rates), 1),
            "img_s_min": _round(min(rates, default=None), 1),
            "img_s_max": _round(max(rates, default=None), 1),
            "cpu_s_per_img": _round(self._median_of("cpu_s", per_sample=True), 6),
            "peak_rss_mb": _round(max((epoch["peak_rss_mb"] for epoch in self.epochs), default=None), 1),
            "versions": self.versions,
        } | ({"failed": self.failed} if self.failed else {})

    def make_kept_row(self, workload: Workload, **more: Any) -> dict[str, Any]:
        """Return the row to keep: `row`, and where and how it was measured."""
        return {
            **self.row(workload.name),
            "first_batch_s": _round(self._median_of("first_batch_s"), 3),
            "samples": workload.count,
            "rounds": len(self.epochs),
            "parallel": workload.parallel,
            "batch_size": workload.batch_size,
            "audit": self.audit,
            **machine(),
            **more,
        }

    def _median_of(self, name: str, *, per_sample: bool = False) -> float | None:
        values = [epoch[name] / (epoch["samples"] if per_sample else 1) for epoch in self.epochs]
        return self._median(values)

    @staticmethod
    def _median(values: list[float]) -> float | None:
        return statistics.median(values) if values else None


@dataclass(frozen=True, kw_only=True)
class Method:
    """How to measure.

    Attributes:
        rounds: measured epochs per contender, after one warm-up epoch.
        peers: the Python interpreter of the peers' environment; None skips the peers.
        cold: drop the files from the page cache before each epoch.
        audited: audit contenders first.
        timeout_s: maximum time per epoch.
    """

    rounds: int = 5
    peers: str | None = None
    cold: bool = False
    audited: bool = True
    timeout_s: float = TIMEOUT_S


def compare(
    contenders: Mapping[str, Contender], recipe: WorkloadRecipe, workload: Workload, audited: Workload | None,
    method: Method, say: Say = lambda _: None,
) -> list[Result]:  # fmt: skip
    """Audit contenders, then time those that passed, in turns.

    Args:
        contenders: the contenders by name.
        recipe: the workload's recipe.
        workload: the workload to time.
        audited: the same workload on the audit's images; None for no audit.
        method: how to measure.
        say: called with progress messages.

    Returns:
        One result per contender, in order; contenders whose packages are not installed are skipped.
    """
    results: list[Result] = []
    with ExitStack() as stack:
        runners: dict[str, Runner] = {}
        for name, contender in contenders.items():
            python = method.peers if contender.peer else sys.executable
            if python is None:
                say(f"{name}: skipped, it needs --peers")
                continue
            result = Result(name)
            try:
                if audited is not None and recipe.audit is not None and not contender.limit:
                    say(f"{name}: audit")
                    # In its own process, so that its memory and its workers do not affect the timing.
                    with Runner(contender, audited, python, method.timeout_s) as auditor:
                        result.versions, result.audit = auditor.versions, auditor.audit(recipe.audit, audited)
                    if result.audit["faults"]:
                        raise ContenderError("audit: " + "; ".join(result.audit["faults"]))
                runners[name] = stack.enter_context(Runner(contender, workload, python, method.timeout_s))
                result.versions = runners[name].versions
            except MissingError as error:
                say(f"{name}: skipped, {error}")
                continue
            except ContenderError as error:
                result.failed = str(error)
                say(f"{name}: FAILED, {error}")
            results.append(result)
        for number in range(method.rounds + 1):
            for result in results:
                if result.failed is None:
                    say(f"{result.peer}: {'warm-up' if number == 0 else f'round {number} of {method.rounds}'}")
                    _time(runners[result.peer], result, workload, recipe.command, counts=number > 0, cold=method.cold)
    return results


def _time(runner: Runner, result: Result, workload: Workload, command: str, *, counts: bool, cold: bool) -> None:
    if cold:
        images.evict(Path(workload.records or workload.folder))
    expected = workload.count if command == "epoch" else min(workload.batch_size, workload.count)
    try:
        epoch = runner.epoch(command)
        if epoch["samples"] != expected:
            raise ContenderError(f"yielded {epoch['samples']} samples instead of {expected}")
    except ContenderError as error:
        result.failed, result.epochs = str(error), []
        runner.close()
        return
    if counts:
        result.epochs.append(epoch)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
