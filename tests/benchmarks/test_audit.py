"""The audit passes contenders that do the work, and finds each planted fault."""

import re
from pathlib import Path

import pytest

from benchmarks.audit import audit, write_images
from benchmarks.workloads import Workload
from tests.benchmarks import contenders


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """Return the workload `full` of the audit's images."""
    folder = write_images(tmp_path_factory.mktemp("audit") / "images")
    return Workload(name="full", folder=str(folder), count=40, policy="full")


def test_honest_contender_passes_and_is_described(workload: Workload) -> None:
    """All five transforms leave every image recognizable, and the fractions are those of the policy."""
    found = audit(contenders.honest, workload)
    assert found["faults"] == []
    assert found["correlation"] > 0.85
    assert 0.25 < found["mirrored"] < 0.75
    assert 0.35 < found["turned"] < 0.9


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("drops_some", r"batches of \[24, 8\] instead of 32"),
        ("drops_last_batch", "32 samples of 40: 8 are missing"),
        ("repeats", "are repeated"),
        ("exchanges_colors", "red and blue are exchanged"),
        ("shifts_labels", "labels differ from their folders"),
        ("has_one_label", "labels differ from their folders"),
        ("makes_noise", r"median correlation of pixels with their files is -?0\.0"),
        ("is_too_small", r"images of shape \[112, 112, 3\] instead of \[224, 224, 3\]"),
        ("forgets_labels", "31 labels for 32 images"),
        ("only_resizes", "0% of the images are mirrored"),
        ("delivers_nothing", "it yields nothing"),
        ("has_no_end", r"batches of \[32, 8, 32, 8\] instead of 32"),
    ],
)
def test_planted_fault_is_found(workload: Workload, fault: str, sentence: str) -> None:
    """The message names the fault."""
    (found, *_) = audit(getattr(contenders, fault), workload)["faults"]
    assert re.search(sentence, found), found


@pytest.mark.parametrize(("policy", "size"), [("resize", (224, 224)), ("pad_crop_flip", (32, 32))])
def test_other_workloads_can_be_audited(tmp_path: Path, policy: str, size: tuple[int, int]) -> None:
    """Images that are only resized, and small ones, are recognized too."""
    folder = write_images(tmp_path / "images", (32, 32) if size == (32, 32) else (240, 320))
    workload = Workload(name=policy, folder=str(folder), count=40, policy=policy, size=size)
    assert audit(contenders.honest, workload)["faults"] == []
