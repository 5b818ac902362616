"""Names from data never reach the terminal raw: neither escape sequences nor line breaks."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caudal.output import escape_unprintable, log_to_stderr

EVIL_CLASS = "\x1b[31mred\n[bold]x"
EVIL_FILE = "\x1b]0;title\x07\nFAKE\r\x9b2J\u202e.png"
SMALL = ("--image-size", "8x8", "--batch-size", "4")


@pytest.fixture(autouse=True)
def leave_determinism_as_it_was() -> Any:
    """`caudal train` switches it on for its process, which here is that of all tests."""
    yield
    from tensorflow.python.framework import config

    config.disable_op_determinism()


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Return a dataset with a hostile class name, and a good and a damaged file with hostile names."""
    root = folders(**{"ants": 9, EVIL_CLASS: 9})
    good = root / EVIL_CLASS / EVIL_FILE
    good.write_bytes((root / "ants" / "0.png").read_bytes())
    (root / "ants" / f"bad{EVIL_FILE}").write_bytes(b"no image")
    (root / "ants" / "x.\x1b[1m").write_bytes(b"")
    return root


COMMANDS: dict[str, tuple[object, ...]] = {
    "inspect": ("inspect", "SRC", "--decode"),
    "stream": ("stream", "SRC", "--keys", "--on-error", "skip", *SMALL),
    "stream, stopped": ("stream", "SRC", *SMALL),
    "stream, too many": ("stream", "SRC", "--on-error", "skip", "--max-errors", 0, *SMALL),
    "stream, missing": ("stream", f"SRC/{EVIL_FILE}"),
    "stream, augmented": ("stream", "SRC", "--augment", EVIL_FILE),
    "diagnose": ("diagnose", "SRC", "--on-error", "skip", "--rounds", 1, *SMALL),
    "preview": ("preview", "SRC", "--samples", 20, "--versions", 1, "--augment", "flip"),
    "preview, grid": ("preview", "SRC", "--transform-grid", "--augment", "flip"),
    "preview, stress": ("preview", "SRC", "--stress", "--samples", 20, "--versions", 1, "--augment", "flip"),
    "preview, masks": ("preview", "SRC", "--masks", f"SRC/{EVIL_CLASS}"),
    "convert": ("convert", "SRC", "out", "--on-error", "skip"),
    "convert, stopped": ("convert", "SRC", "out"),
    "verify": ("verify", "SRC"),
    "train": ("train", "SRC", "--on-error", "skip", "--epochs", 1, "--model", "graph", "--out", EVIL_CLASS, *SMALL),
    "search": ("search", "SRC", "--space", EVIL_FILE, "--model", "graph", *SMALL),
    "curve": ("curve", "SRC", "--model", EVIL_CLASS, *SMALL),
    "text augment": ("text", "augment", f"SRC/ants/bad{EVIL_FILE}", "out.txt"),
    "text preview": ("text", "preview", "--text", f"good \x1b[31m{EVIL_FILE}"),
    "demo": ("demo", "--out", "SRC"),
    "unknown": (EVIL_FILE,),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_names_are_escaped(
    caudal: Callable[..., Any], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No control character but the line breaks of the command itself, which no name can imitate."""
    monkeypatch.chdir(tmp_path)
    outcome = caudal(*(str(argument).replace("SRC", str(source)) for argument in COMMANDS[name]))
    assert outcome.status in (0, 1, 2)
    printed = outcome.out + outcome.err
    assert [one for one in printed if not one.isprintable() and one != "\n"] == []
    assert not any(line.lstrip().startswith(("FAKE", "[bold]")) for line in printed.splitlines())
    assert "unexpected" not in printed


def test_warnings_are_lines_and_come_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Log records of our packages, escaped, without those below the level."""
    logger = logging.getLogger("pipeline.sources")
    with log_to_stderr():
        for _ in range(2):
            logger.warning("ignored %s", "\x1b[31mx\ny")
    logger.warning("after")
    assert capsys.readouterr().err.splitlines()[0] == "caudal: ignored \\x1b[31mx\\ny"
    assert not logging.getLogger("pipeline").handlers


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a b", "a b"),
        ("\x1b\n\r\t", "\\x1b\\n\\r\\t"),
        ("\u202e\x9b", "\\u202e\\x9b"),
        ("\udcff", "\\xff"),
        ("ü", "ü"),
    ],
)
def test_only_what_is_unprintable_is_escaped(text: str, escaped: str) -> None:
    """Letters of any language stay."""
    assert escape_unprintable(text) == escaped
