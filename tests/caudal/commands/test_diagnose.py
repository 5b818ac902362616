"""Tests of `caudal diagnose`."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest

from augment.plan import compiled, encoded
from pipeline.diagnosis import diagnosis


@pytest.fixture(autouse=True)
def short_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a measurement take a tenth of a second, which is enough where no rate is compared."""
    monkeypatch.setattr(diagnosis, "diagnose", partial(diagnosis.diagnose, pass_s=0.1))


@pytest.fixture
def photographs(folders: Callable[..., Path]) -> Path:
    """Return 64 images."""
    return folders(ants=32, bees=32, height=48, width=64, extension=".jpg")


def test_json_has_every_stage_the_model_and_the_verdict(caudal: Callable[..., Any], photographs: Path) -> None:
    """One object; the advice has its estimate, and a small model is measured on a batch in memory."""
    options = ("--augment", "light", "--image-size", "16x16", "--batch-size", 4, "--rounds", 1)
    outcome = caudal("diagnose", photographs, *options, "--model", "all-convolutional-c", "--json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert list(found["stages"]) == ["read", "decode", "augment", "batch"]
    assert set(found["whole"]) == {"images_per_second", "least", "greatest", "seconds_per_image"}
    assert found["model"]["images_per_second"] > 0
    assert (found["kernels"], found["decoder"]) == (compiled.status(), encoded.status())
    assert found["verdict"].startswith(f"{found['bottleneck']}-bound: ")
    assert all({"action", "factor", "option"} == set(advice) for advice in found["advice"])


def test_text_has_a_bar_for_each_stage_and_a_picture(
    caudal: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    """The table fits into 80 columns; `--out` draws it."""
    picture = tmp_path / "new" / "chart.png"
    outcome = caudal("diagnose", photographs, "--image-size", "16x16", "--rounds", 1, "--out", picture)
    assert outcome.status == 0, outcome.err
    table = outcome.out.split("\n\n")[1]
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["read", "decode", "augment", "batch", "whole"]
    assert "█" in table
    assert "…" not in table
    assert "-bound: " in outcome.out
    assert f"{compiled.status()}\n{encoded.status()}" in outcome.out
    assert cv2.imread(str(picture)) is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["SRC", "--model", "nix"], "--model: unknown model 'nix'; use one of all-convolutional-a"),
        (["SRC", "--augment", "nix"], "'nix' is neither a file nor a policy"),
        (
            ["SRC", "--image-size", "16x16", "--rounds", "1", "--out", "/dev/null/x.png"],
            "/dev/null/x.png cannot be written",
        ),
    ],
)
def test_unusable_input_is_one_line_and_status_2(
    caudal: Callable[..., Any], photographs: Path, arguments: list[str], message: str
) -> None:
    """As of every command."""
    outcome = caudal("diagnose", *(photographs if argument == "SRC" else argument for argument in arguments))
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_bad_sample_is_named(caudal: Callable[..., Any], photographs: Path) -> None:
    """Without --on-error a damaged file ends the diagnosis with its name, as everywhere."""
    for path in (photographs / "bees").iterdir():
        path.write_bytes(b"x")
    outcome = caudal("diagnose", photographs, "--rounds", 1)
    assert outcome.status == 2
    assert "bees/" in outcome.err
    assert "not a JPEG, PNG" in outcome.err
    assert caudal("diagnose", photographs, "--rounds", 1, "--on-error", "skip").status == 0
