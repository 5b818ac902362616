"""The harness: contenders in their own processes, in turns; contenders that fail are named and not timed."""

from pathlib import Path

import pytest

from benchmarks.audit import write_images
from benchmarks.contenders import Contender
from benchmarks.harness import Method, Result, compare
from benchmarks.workloads import RECIPES, Workload

COLUMNS = ["peer", "workload", "img_s_median", "img_s_min", "img_s_max", "cpu_s_per_img", "peak_rss_mb", "versions"]


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    """Return a workload of 40 images, which are read quickly."""
    folder = write_images(tmp_path / "images", (32, 32))
    return Workload(name="small", folder=str(folder), count=40, policy="pad_crop_flip", size=(32, 32))


def measure(workload: Workload, *names: str, audited: bool = False, **method: object) -> list[Result]:
    """Measure contenders of the tests."""
    contenders = {name: Contender(f"tests.benchmarks.contenders:{name}", name) for name in names}
    options = {"rounds": 2, "timeout_s": 60.0, **method}
    said: list[str] = []
    results = compare(
        contenders,
        RECIPES["small"],
        workload,
        workload if audited else None,
        Method(**options),
        said.append,  # type: ignore[arg-type]
    )
    for result in results:
        result.audit["said"] = said
    return results


def test_contenders_take_turns_after_a_round_that_does_not_count(workload: Workload) -> None:
    """Two contenders, a warm-up and two rounds; the row has exactly the documented columns."""
    first, second = measure(workload, "honest", "has_one_label")
    timed = [line for line in first.audit["said"] if "round" in line or "warm-up" in line]
    assert timed == [
        f"{name}: {when}"
        for when in ("warm-up", "round 1 of 2", "round 2 of 2")
        for name in ("honest", "has_one_label")
    ]
    row = first.row("small")
    assert list(row) == COLUMNS
    assert 0 < row["img_s_min"] <= row["img_s_median"] <= row["img_s_max"]
    assert row["peak_rss_mb"] > 10
    assert row["versions"]["python"].startswith("3.")
    kept = second.make_kept_row(workload)
    assert {"cpu", "cpus", "load_average", "date", "first_batch_s", "rounds", "audit"} <= set(kept)


def test_who_fails_the_audit_is_not_timed(workload: Workload) -> None:
    """The honest contender is timed; the other is named with its fault."""
    good, bad = measure(workload, "honest", "shifts_labels", audited=True)
    assert good.failed is None
    assert len(good.epochs) == 2
    assert "labels differ from their folders" in str(bad.failed)
    assert bad.epochs == []
    row = bad.row("small")
    assert list(row) == [*COLUMNS, "failed"]
    assert row["img_s_median"] is None


def test_who_forgets_samples_when_it_is_timed_is_found(workload: Workload, tmp_path: Path) -> None:
    """The samples of a timed epoch are counted: good behavior in the audit alone does not help."""
    from dataclasses import replace

    from benchmarks.images import link_images

    many = link_images(Path(workload.folder), tmp_path / "many", 100)
    (result,) = measure(replace(workload, folder=str(many), count=100), "forgets_some_of_many")
    assert result.failed == "yielded 96 samples instead of 100"
    assert result.rates() == []


def test_misfits_are_named_and_the_others_go_on(workload: Workload) -> None:
    """One raises, one exits, one never ends."""
    names = ("raises", "dies", "has_no_end", "honest")
    results = {result.peer: result for result in measure(workload, *names, rounds=1)}
    assert results["raises"].failed == "RuntimeError: a broken loader"
    assert results["dies"].failed == "its process ended: a last word"
    assert results["has_no_end"].failed == "yielded 80 samples instead of 40"
    assert len(results["honest"].epochs) == 1


def test_what_the_audit_left_behind_is_not_timed(workload: Workload) -> None:
    """The audit runs in its own process, so that its memory does not count."""
    (result,) = measure(workload, "keeps_what_the_audit_made", audited=True, rounds=1)
    assert result.failed is None
    assert result.epochs[0]["peak_rss_mb"] < 400


def test_who_hangs_is_given_up(workload: Workload) -> None:
    """A contender without an answer within the time limit is stopped."""
    (result,) = measure(workload, "hangs", timeout_s=4.0)
    assert result.failed == "no answer within 4 s"


def test_who_is_not_installed_is_left_out(workload: Workload) -> None:
    """A missing module, or a missing environment of the peers, is not a failure."""
    said: list[str] = []
    known = {
        "absent": Contender("no_such_module:loader", "absent"),
        "peer": Contender("tests.benchmarks.contenders:honest", "a peer", peer=True),
    }
    assert compare(known, RECIPES["small"], workload, None, Method(rounds=1), said.append) == []
    assert said == [
        "absent: skipped, No module named 'no_such_module'",
        "peer: skipped, it needs --peers",
    ]


def test_children_count_for_time_and_memory(workload: Workload) -> None:
    """CPU time and memory are those of the whole process tree; output of libraries is ignored."""
    alone, parent = measure(workload, "honest", "works_in_a_child", rounds=1)
    assert parent.failed is None
    assert parent.epochs[0]["cpu_s"] >= 0.45
    assert parent.epochs[0]["peak_rss_mb"] > alone.epochs[0]["peak_rss_mb"] + 150
