"""Every command says what a dataset contains besides samples."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = ("--image-size", "8x8", "--batch-size", "4")
MODEL = ("--model", "graph", *SMALL)


@pytest.fixture(autouse=True)
def leave_determinism_as_it_was() -> Any:
    """`caudal train` switches it on for its process, which here is that of all tests."""
    yield
    from tensorflow.python.framework import config

    config.disable_op_determinism()


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Return two classes with images, one without, and files that are no images."""
    root = folders(ants=12, bees=12)
    (root / "wasps").mkdir()
    for name in ("a.heic", "b.heic", "c.txt"):
        (root / "wasps" / name).write_bytes(b"x")
    return root


@pytest.mark.parametrize("command", ["inspect", "stream", "diagnose", "preview", "train", "search", "curve"])
def test_every_command_says_what_it_ignored(
    caudal: Callable[..., Any], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """In text and in JSON: the number of ignored files, and the classes without samples."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.toml").write_text("learning_rate = [0.001]\nepochs = 1\n")
    options: dict[str, tuple[object, ...]] = {
        "stream": SMALL,
        "diagnose": (*SMALL, "--rounds", 1),
        "preview": ("--augment", "flip", "--samples", 2, "--versions", 1),
        "train": (*MODEL, "--epochs", 1),
        "search": (*MODEL, "--space", "space.toml", "--method", "grid"),
        "curve": (*MODEL, "--sizes", "4,8,16", "--seeds", 1, "--steps", 1),
    }
    outcome = caudal(command, source, *options.get(command, ()))
    assert outcome.status == 0, outcome.err
    of = "training " if command in ("train", "search", "curve") else ""
    (ignored,) = [line for line in outcome.out.splitlines() if line.startswith(f"ignored {of}files: ")]
    assert "3" in ignored or ("2" in ignored and "1" in ignored)
    assert f"classes without {of}samples: wasps" in outcome.out.splitlines()
    assert "ignored files" not in outcome.err
    assert "without samples" not in outcome.err
    rest = ("--out", "other") if of else ()
    report = json.loads(caudal(command, source, *options.get(command, ()), *rest, "--json").out)
    data = report["training_data"] if of else report
    assert sum(data["ignored_files"].values()) == 3
    if command == "inspect":
        assert report["classes"] == {"ants": 12, "bees": 12, "wasps": 0}
    else:
        assert data["empty_classes"] == ["wasps"]


def test_sound_data_add_no_line(caudal: Callable[..., Any], folders: Callable[..., Path]) -> None:
    """The report is one line, and nothing is on standard error."""
    outcome = caudal("stream", folders(ants=2, bees=2), *SMALL)
    assert (outcome.out.count("\n"), outcome.err) == (1, "")


def test_training_on_one_class_is_refused(caudal: Callable[..., Any], folders: Callable[..., Path]) -> None:
    """No "0.00 % error of 2 images" where two of three classes are empty."""
    root = folders(ants=9)
    for name in ("bees", "wasps"):
        (root / name).mkdir()
    outcome = caudal("train", root, *MODEL)
    assert (outcome.status, outcome.out) == (2, "")
    assert "all training samples have one class; no samples have the classes bees, wasps" in outcome.err


def test_dropped_validation_classes_are_reported(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error at the beginning, and in the report."""
    monkeypatch.chdir(tmp_path)
    root = folders(ants=6, bees=6)
    validation = tmp_path / "validation"
    for name in ("bees", "flies"):
        (validation / name).mkdir(parents=True)
        (validation / name / "0.png").write_bytes((root / "bees" / "5.png").read_bytes())
    outcome = caudal("train", root, *MODEL, "--epochs", 1, "--validation", validation)
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert "dropped validation samples, by class: 1 flies" in lines
    assert "classes without validation samples: ants" in lines
    assert "caudal: dropped 1 validation samples of classes that the training data lack: flies (1)\n" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stream", "SRC", "--max-errors", "3"], "--max-errors needs --on-error skip or replace"),
        (["preview", "SRC", "--transform-grid", "--versions", "2"], "shows one sample without epochs; drop --versions"),
        (["text", "preview", "--text", "a b", "--count", "2"], "--count needs SRC: --text is one sentence"),
        (["text", "preview", "--text", "a b", "--delimiter", ";"], "--delimiter needs SRC"),
        (["text", "preview"], "preview needs SRC or --text SENTENCE, and not both"),
    ],
)
def test_options_without_effect_are_refused(
    caudal: Callable[..., Any], folders: Callable[..., Path], arguments: list[str], message: str
) -> None:
    """By a line that says which option they need."""
    source = folders(ants=2)
    outcome = caudal(*(source if argument == "SRC" else argument for argument in arguments))
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


def test_what_no_report_says_is_a_warning(caudal: Callable[..., Any], source: Path, tmp_path: Path) -> None:
    """A directory one level too high, without the ignored files that the report has."""
    high = tmp_path / "high"
    high.mkdir()
    source.rename(high / "all")
    outcome = caudal("inspect", high)
    assert outcome.err.splitlines() == [
        f"caudal: {high}: only one class, 'all', whose samples are in 'ants', 'bees'; "
        f"for these classes open {high / 'all'}"
    ]
    assert "ignored files: " in outcome.out


def test_a_preview_of_texts_says_what_it_ignored(caudal: Callable[..., Any], tmp_path: Path) -> None:
    """In text and in JSON, and not again as a warning."""
    for name in ("a/1.txt", "b/2.txt", "b/3.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a good film")
    outcome = caudal("text", "preview", tmp_path)
    assert "ignored files: 1 not a text: .md" in outcome.out.splitlines()
    assert outcome.err == ""
    report = json.loads(caudal("text", "preview", tmp_path, "--json").out)
    assert (report["ignored_files"], report["empty_classes"]) == ({"not a text: .md": 1}, [])
