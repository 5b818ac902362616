"""`train`, `search` and `curve` from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = ("--model", "graph", "--image-size", "8x8", "--batch-size", "4")


@pytest.fixture(autouse=True)
def leave_determinism_as_it_was() -> Any:
    """`caudal train` switches it on for its process, which here is that of all tests."""
    yield
    from tensorflow.python.framework import config

    config.disable_op_determinism()


def test_summary_prints_what_a_model_consists_of(caudal: Callable[..., Any]) -> None:
    """Layers, shapes, parameters and multiply-adds, without any data."""
    report = json.loads(caudal("train", "--summary", "vgg-d", "--image-size", "32x32", "--json").out)
    assert report["parameters"] == 33_638_218
    assert sum(layer["parameters"] for layer in report["layers"]) == report["parameters"]
    outcome = caudal("train", "--summary", "graph", "--image-size", "32x32")
    assert "113,294 parameters" in outcome.out
    assert "path3x3" in outcome.out


def test_train_reports_resumes_and_refuses(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """One JSON object; a directory in use is refused; --resume repeats nothing and gives the same weights."""
    source, out = folders(ants=10, bees=10), tmp_path / "out"
    command = ("train", source, *SMALL, "--epochs", 2, "--out", out, "--augment", "flip")
    report = json.loads(caudal(*command, "--json").out)
    assert report["views"] is None
    assert report["epochs"] == 2
    assert (out / "report.html").exists()
    refused = caudal(*command)
    assert refused.status == 2
    assert "contains a training; use resume=True, or another directory" in refused.err
    again = caudal(*command, "--resume", "--views", "five_crop", "--reduce", "vote")
    assert "validation error" in again.out
    assert "with test-time augmentation (five_crop, vote of predictions)" in again.out
    assert len(json.loads((out / "result.json").read_text())["views"]["error_of_each"]) == 5
    assert "test-time augmentation (five_crop)" in (out / "report.html").read_text()
    assert json.loads((out / "result.json").read_text())["weights_sha256"] == report["weights_sha256"]
    other = caudal(*command, "--resume", "--seed", 3)
    assert (other.status, other.out) == (2, "")
    assert "checkpoint of another training" in other.err


def test_search_and_curve_end_in_tables_and_pictures(
    caudal: Callable[..., Any], folders: Callable[..., Path], tmp_path: Path
) -> None:
    """Both write what they name."""
    source = folders(ants=30, bees=30)
    (tmp_path / "space.toml").write_text("learning_rate = [0.001, 0.01]\nepochs = 1\n")
    outcome = caudal(
        *("search", source, "--space", tmp_path / "space.toml", *SMALL, "--method", "grid"),
        *("--subset", 0.5, "--refit", "--out", tmp_path / "s"),
    )
    assert "2 trials, best first" in outcome.out
    assert (tmp_path / "s" / "best" / "report.html").exists()
    assert len((tmp_path / "s" / "trials.csv").read_text().splitlines()) == 3
    report = json.loads(
        caudal(
            *("curve", source, *SMALL, "--sizes", "4,12,40", "--seeds", 1, "--steps", 3, "--augment", "flip"),
            *("--target", 0.1, "--out", tmp_path / "c", "--json"),
        ).out
    )
    assert list(report["curves"]) == ["logistic regression", "graph", "graph with augmentation"]
    assert [one["examples"] for one in report["augmentation_worth"]] == [4, 12, 40]
    assert Path(report["picture"]).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Missing argument 'SRC'"),
        (["train", "--summary", "vgg"], "unknown model 'vgg'; use one of all-convolutional-a,"),
        (["train", "--summary", "vgg-d", "--image-size", "8x8"], "at least 32 pixels per side"),
        (["train", "SRC", "--model", "x"], "unknown model 'x'"),
        (["train", "SRC", "--optimizer", "x"], "optimizer must be one of adam, sgd, rmsprop"),
        (["train", "SRC", "--learning-rate", "0"], "the learning rate must be positive"),
        (["train", "SRC", "--color-mode", "x"], "--color-mode must be rgb or grayscale, got 'x'"),
        (["train", "SRC", "--out", "/dev/null/x"], "/dev/null/x cannot be created"),
        (["train", "SRC", "--views", "x"], "unknown set of views 'x'"),
        (["train", "SRC", "--views", "flip", "--reduce", "x"], "--reduce must be mean, max or vote, got 'x'"),
        (["train", "SRC", "--reduce", "max"], "--reduce needs --views"),
        (["train", "SRC", "--same-order"], "--same-order needs --resume"),
        (["train", "SRC", "--classes", "3"], "--classes needs --summary"),
        (["train", "SRC", "--summary", "graph"], "--summary prints an architecture without training"),
        (["train", "nowhere"], "nowhere does not exist"),
        (["search", "SRC", "--space", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["search", "SRC"], "Missing option '--space'"),
        (["curve", "SRC", "--sizes", "1,x"], "--sizes must be a list of numbers"),
        (["curve", "SRC", "--sizes", "1,2"], "at least three sizes"),
        (["curve", "SRC", "--sizes", "1,2,99"], "limit=99 is out of range for 8 samples"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(
    caudal: Callable[..., Any],
    folders: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    """The line says what is wrong, and there is no traceback."""
    monkeypatch.chdir(tmp_path)
    source = folders(ants=5, bees=5)
    outcome = caudal(*(source if argument == "SRC" else argument for argument in arguments), "--json")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith("caudal: ")
    assert message in outcome.err
