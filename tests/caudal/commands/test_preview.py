"""Tests of `caudal preview`: pictures are written, and the report says what they show."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Return 7 images in two classes."""
    return folders(ants=3, bees=4, height=24, width=32)


@pytest.fixture
def preview(caudal: Callable[..., Any], source: Path, tmp_path: Path) -> Callable[..., Any]:
    """Return `preview(*options)`: what the command ended with."""

    def run(*options: object) -> Any:
        return caudal("preview", source, "--out", tmp_path / "out" / "sheet.png", "--image-size", "16x16", *options)

    return run


def test_sheet_and_page_are_written(preview: Callable[..., Any], tmp_path: Path) -> None:
    """`--html --explain` gives two files, one line each, and the plan."""
    outcome = preview("--samples", 3, "--versions", 2, "--html", "--explain", "--augment", "full")
    assert outcome.status == 0, outcome.err
    first, second, *plan = outcome.out.splitlines()
    assert first == f"{tmp_path / 'out' / 'sheet.png'}: 3 samples, 2 versions per sample"
    assert second == f"{tmp_path / 'out' / 'sheet.html'}: 3 samples, 2 versions per sample"
    assert plan[0].startswith("Push-down: only the window of RandomResizedCrop")
    height, width = cv2.imread(str(tmp_path / "out" / "sheet.png")).shape[:2]
    assert 700 < width < 850
    assert height > 700
    assert "full on folders0" in (tmp_path / "out" / "sheet.html").read_text()


def test_report_names_what_was_applied(preview: Callable[..., Any]) -> None:
    """`--json` is one object: pictures, and for each sample the steps of each epoch."""
    report = json.loads(preview("--samples", 2, "--versions", 3, "--epoch", 5, "--augment", "flip", "--json").out)
    assert len(report["samples"]) == 2
    for sample in report["samples"]:
        assert [version["epoch"] for version in sample["versions"]] == [5, 6, 7]
        for version in sample["versions"]:
            names = [name for name, _ in version["steps"]]
            assert names in (["HorizontalFlip", "Resize to the network"], ["Resize to the network"])


def test_transform_grid_and_stress(preview: Callable[..., Any]) -> None:
    """Each has its picture and its report; the greatest change stands first."""
    report = json.loads(preview("--transform-grid", "--json", "--explain").out)
    assert set(report) == {"pictures", "sample", "plan", "passed_over", "ignored_files", "empty_classes"}
    report = json.loads(preview("--stress", "--samples", 7, "--versions", 2, "--augment", "light", "--json").out)
    assert len(report["changes"]) == 9
    flips = [change for change in report["changes"] if change["transform"] == "HorizontalFlip"]
    assert [one["similarity"] for one in flips] == sorted(one["similarity"] for one in flips)


def test_samples_that_are_passed_over_are_counted(preview: Callable[..., Any], source: Path) -> None:
    """A preview of a damaged dataset says what is not in it."""
    (source / "ants" / "0.png").write_bytes(b"nothing")
    outcome = preview("--augment", "flip", "--samples", 9)
    assert outcome.out.splitlines()[-1].startswith(
        "skipped: 1 samples that cannot be decoded, for example ants/0.png: "
    )
    assert len(json.loads(preview("--augment", "flip", "--samples", 9, "--json").out)["passed_over"]) == 1


def test_no_augmentation_is_shown_as_such(preview: Callable[..., Any]) -> None:
    """Only the last resize happens."""
    outcome = preview("--augment", "none", "--samples", 1, "--explain")
    assert (outcome.status, outcome.out.splitlines()[1]) == (0, "no augmentation")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--augment", "flop"], "'flop' is neither a file nor a policy"),
        (["--augment", "rand_augment(2"], "cannot parse 'rand_augment(2'; write arguments as in rand_augment(2, 9)"),
        (["--stress", "--transform-grid"], "exclude each other; use one"),
        (["--stress", "--html"], "--html works without --transform-grid and --stress only"),
        (["--transform-grid", "--html"], "--html works without --transform-grid and --stress only"),
        (["--augment", "rand_augment(fill='red')"], "rand_augment: fill must be a number from 0 to 255, got 'red'"),
        (["--out", "sheet.jpg"], "--out must end in .png, got 'sheet.jpg'"),
        (["--augment", "none", "--stress"], "--stress could apply no transform"),
        (["--augment", "none", "--transform-grid"], "this one has none"),
        (["--annotations", "nowhere.json"], "nowhere.json cannot be read: No such file"),
        (["--masks", "nowhere"], "nowhere is not a directory of masks"),
        (["--out", "/proc/sheet.png"], "/proc/sheet.png cannot be written"),
        (["--image-size", "3"], "an image size must be HEIGHTxWIDTH"),
    ],
)
def test_unusable_input_is_one_line_with_status_2(
    preview: Callable[..., Any], options: list[str], message: str
) -> None:
    """What is wrong and what was given, never a traceback."""
    outcome = preview(*options)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
