"""`caudal text`: augmenting files and looking at variants."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from augment.text import EDA


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Write ten `label text` lines."""
    path = tmp_path / "in.txt"
    path.write_text("".join(f"{number % 2} number {number} is a Good film\n" for number in range(10)))
    return path


def test_augment_writes_and_reports(caudal: Callable[..., Any], lines: Path, tmp_path: Path) -> None:
    """One JSON object with --json; the options reach the EDA."""
    outcome = caudal(
        "text",
        "augment",
        lines,
        tmp_path / "out.txt",
        "--num-aug",
        2,
        "--alpha-sr",
        0.5,
        "--p-rd",
        0,
        "--seed",
        3,
        "--json",
    )
    assert outcome.status == 0
    report = json.loads(outcome.out)
    assert (report["rows"], report["written"]) == (10, 30)
    expected = EDA(alpha_sr=0.5, p_rd=0, num_aug=2)("number 0 is a Good film", (3, 0, 0))
    assert (tmp_path / "out.txt").read_text().splitlines()[1:3] == [f"0 {text}" for text in expected]
    again = caudal("text", "augment", lines, tmp_path / "out.txt", "--overwrite", "--no-original", "--processes", 1)
    assert again.status == 0
    assert "10 sentences; 90 written, 0 skipped, 0 not in utf-8" in again.out


def test_the_paper_mode_writes_the_original_once(caudal: Callable[..., Any], lines: Path, tmp_path: Path) -> None:
    """Behind its variants, as the script does."""
    assert caudal("text", "augment", lines, tmp_path / "out.txt", "--mode", "paper", "--num-aug", 4).status == 0
    rows = (tmp_path / "out.txt").read_text().splitlines()
    assert len(rows) == 50
    assert rows[4] == "0 number is a good film"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["augment", "none.txt", "out.txt"], "none.txt cannot be read"),
        (["augment", "IN", "out.csv"], "out.csv has the extension of 'csv'"),
        (["augment", "IN", "IN"], "is the source; choose another"),
        (["augment", "IN", "out.txt", "--num-aug", "0"], "--num-aug"),
        (["augment", "IN", "out.txt", "--alpha-sr", "2"], "--alpha-sr"),
        (["augment", "IN", "out.txt", "--mode", "fast"], "mode must be 'fixed' or 'paper'"),
        (["augment", "IN", "out.txt", "--format", "xml"], "format must be one of"),
        (["augment", "IN", "out.txt", "--encoding", "klingon"], "must be a text encoding"),
        (["augment", "IN", "out.txt", "--fallback", "utf-16"], "does not encode line ends as ASCII does"),
        (["augment", "IN", "out.txt", "--text-column", "1"], "has no columns"),
        (["preview"], "preview needs SRC or --text SENTENCE, and not both"),
        (["preview", "none.txt"], "does not exist"),
        (["sing"], "No such command 'sing'"),
    ],
)
def test_unusable_input_is_one_line(
    caudal: Callable[..., Any],
    lines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    """Exit status 2, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    outcome = caudal("text", *(str(lines) if each == "IN" else each for each in arguments))
    assert outcome.status == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert outcome.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_preview_shows_sentences_and_variants(caudal: Callable[..., Any], lines: Path) -> None:
    """Side by side for people, one object for programs; the same by the same seed."""
    shown = caudal("text", "preview", lines, "--count", 2, "--num-aug", 3)
    assert shown.status == 0
    assert shown.out.count("in.txt:") == 2
    outcome = caudal("text", "preview", lines, "--count", 2, "--num-aug", 3, "--json")
    sentences = json.loads(outcome.out)["sentences"]
    assert [len(sentence["variants"]) for sentence in sentences] == [3, 3]
    assert all(sentence["key"] in shown.out for sentence in sentences)
    assert outcome.out == caudal("text", "preview", lines, "--count", 2, "--num-aug", 3, "--json").out
    alone = json.loads(caudal("text", "preview", "--text", "A good [bold]film[/bold]", "--json").out)["sentences"][0]
    assert alone["variants"] == EDA(num_aug=4)("A good [bold]film[/bold]", (0, 0, 0))


def test_preview_colors_what_differs(caudal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Red on the left, green on the right, and what stays in neither."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    arguments = ("--alpha-sr", 0, "--alpha-ri", 0, "--alpha-rs", 0, "--num-aug", 1)
    out = caudal("text", "preview", "--text", "one two [/] three", *arguments).out
    assert "\x1b[1;31m" in out
    assert "[/]" in out
    assert "\x1b[1;32m" not in out


def test_text_alone_shows_its_commands(caudal: Callable[..., Any]) -> None:
    """`caudal text` and `caudal text --help`."""
    for arguments in (("text",), ("text", "--help")):
        outcome = caudal(*arguments)
        assert outcome.status == 0
        assert outcome.err == ""
        assert "augment" in outcome.out
        assert "preview" in outcome.out


@pytest.mark.alone
def test_an_interrupted_augment_is_resumed(start: Callable[..., Any], tmp_path: Path, project_root: Path) -> None:
    """Ctrl-C ends it with status 130 and no traceback; the same command resumes, with the result of one run."""
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("".join(f"{number % 2} number {number} is a good film indeed\n" for number in range(30_000)))
    command = [sys.executable, "-m", "caudal", "text", "augment", str(source), str(out), "--json"]
    settings: dict[str, Any] = {"cwd": project_root, "env": {**os.environ, "PYTHONPATH": str(project_root)}}
    running = start(command, start_new_session=True, **settings)
    journal = tmp_path / ".out.txt.journal"
    for _ in range(600):
        if journal.exists() and journal.read_bytes().count(b"\n") > 1:  # a chunk is finished
            break
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "caudal: interrupted\n")
    assert not out.exists()
    report = json.loads(subprocess.run(command, check=True, capture_output=True, **settings).stdout)
    assert 0 < report["resumed"] < 30_000
    whole = json.loads(subprocess.run([*command, "--overwrite"], check=True, capture_output=True, **settings).stdout)
    assert whole["sha256"] == report["sha256"]
