"""Tests of the report: one page that needs nothing else, and shows every kept row."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import LABELS, SUMMARY, write
from benchmarks.run import keep, read_latest
from benchmarks.workloads import RECIPES, WORKLOADS
from pipeline.errors import SourceError

PEERS = {"caudal": 820.0, "numpy-function": 410.0, "decode-limit": 1300.0, "mine:loader": 123.0}


def row(peer: str, rate: float | None, **more: Any) -> dict[str, Any]:
    """Make a row as the harness keeps it."""
    made = {
        "peer": peer,
        "workload": "full",
        "img_s_median": rate,
        "img_s_min": rate and rate - 10,
        "img_s_max": rate and rate + 20,
        "cpu_s_per_img": rate and 0.002,
        "peak_rss_mb": rate and 800.0,
        "first_batch_s": rate and 0.1,
        "versions": {"python": "3.11.7"},
        "samples": 1185,
        "rounds": 5,
        "parallel": 2,
        "batch_size": 32,
        "audit": {},
        "cpu": "A <processor>",
        "cpus": 2,
        "load_average": 0.5,
        "memory_gib": 16.0,
        "system": "Linux",
        "date": "2026-11-24",
    }
    return {**made, **more}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return results of every kind: a workload with a contender that failed, curves, waiting, first batches."""
    folder = tmp_path / "results"
    rows = [row(peer, rate) for peer, rate in PEERS.items()]
    keep("full", [row("caudal", 1.0)], folder)  # an older run, which must not show
    keep("full", [*rows, row("pydataset", None, failed="audit: 3 labels are <wrong>")], folder)
    scaled = [
        row(peer, value * rate / 10, axis=axis, value=value)
        for axis, values in (("calls", (1, 2, 4)), ("images", (1000, 10000)))
        for value in values
        for peer, rate in (("caudal", 800.0), ("numpy-function", 600.0))
    ]
    keep("scaling", scaled, folder)
    waited = {"model": "vgg", "image_size": [224, 224], "loader_img_s": 20.0, "memory_img_s": 21.0}
    costs = {"step_costs": 1.05, "step_costs_min": 1.0, "step_costs_max": 1.1}
    keep("waiting", [row("caudal", 20.0, **waited, **costs)], folder)
    on_cores = {"simulated": 16, "workload": "full", "cpu_s_per_img": 0.0001, "native_us": 900.0}
    keep("cores", [row("", 1000.0 * n, calls=n, ratio=1.0 - n / 64, **on_cores) for n in (1, 16)], folder)
    held = {"gil_us": 41.5, "gil_us_min": 40.0, "gil_us_max": 43.0, "native_us": 900.0, "outside_us": 12.0}
    often = {"acquired_per_image": 4.25, "acquired_per_chunk": 36.1, "images_per_chunk": 8.5}
    no_chunks = {**often, "acquired_per_chunk": None, "images_per_chunk": None, "workload": "small"}
    keep("gil", [row("", 1.0, **held, **often), row("", 1.0, **held, **no_chunks)], folder)
    keep("first-batch", [row("caudal", 30.0), row("pydataset", None, failed="no answer within 9 s")], folder)
    return folder


def test_only_the_last_run_counts(results: Path) -> None:
    """Rows of another run cannot be compared with these."""
    assert [one["img_s_median"] for one in read_latest("full", results)] == [*PEERS.values(), None]
    assert read_latest("light", results) == []


def test_page_needs_nothing_else_and_shows_every_row(results: Path, tmp_path: Path) -> None:
    """No link, script, font or picture from elsewhere; all rates, ratios and failures; what is text stays text."""
    *pictures, page = write(results, tmp_path / "out")
    text = page.read_text()
    assert [path.name for path in pictures] == ["full.png", "scaling-calls.png", "scaling-images.png"]
    assert not re.search(r"https?://|<script|<link rel='stylesheet|@import|url\(", text)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r"src='([^']*)'", text))
    for expected in ("820", "410", "2.00", "1,300", "mine:loader", "A &lt;processor&gt;", "1.05 x (1.00 to 1.10)"):
        assert expected in text
    for expected in ("16 simulated processors", "16,000 (0.75)", "41.5 (40.0 to 43.0)", "36.1"):
        assert expected in text
    assert "audit: 3 labels are &lt;wrong&gt;" in text


def test_page_shows_texts_and_conversions_in_their_own_units(results: Path, tmp_path: Path) -> None:
    """They are no images, and do not stand in the summary of rates of images."""
    keep("text", [row("caudal", 5000.0, workload="text")], results)
    keep("convert", [row("tar", 700.0, workload="convert")], results)
    text = write(results, tmp_path / "out")[-1].read_text()
    assert "<th>texts/s</th>" in text
    assert "<th>files/s</th>" in text
    assert "<td>tar</td><td>700</td>" in text


def test_tables_of_the_readmes_are_written_again(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands between the marks is replaced, and nothing else; a second time changes nothing."""
    for folder in ("benchmarks", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "README.md").write_text("before\n<!-- summary -->\nold\n<!-- /summary -->\nafter\n")
    (tmp_path / "benchmarks" / "README.md").write_text(
        "<!-- full -->\n<!-- /full -->\n<!-- waiting -->\n<!-- /waiting -->\n"
        "<!-- cores -->\n<!-- /cores -->\n<!-- gil -->\n<!-- /gil -->\n"
    )
    monkeypatch.setattr("benchmarks.report.ROOT", tmp_path)
    written = write(results, tmp_path / "out", readme=True)
    assert tmp_path / "README.md" in written
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("before\n<!-- summary -->\n| images/s | full |")
    assert "| Caudal | 820 |" in text
    assert text.endswith("<!-- /summary -->\nafter\n")
    detailed = (tmp_path / "benchmarks" / "README.md").read_text()
    assert "| vgg | 224 x 224 | 20.0 | 21.0 |" in detailed
    assert "| full | 1,000 (0.98) | 16,000 (0.75) |" in detailed
    assert "| full | 41.5 (40.0 to 43.0) |" in detailed
    again = write(results, tmp_path / "out", readme=True)
    assert tmp_path / "README.md" not in again


def test_summary_has_six_contenders_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a row with its rate; all other contenders stand in the tables of their workloads only."""
    rates = {peer: 1000.0 + number for number, peer in enumerate(LABELS)}
    keep("full", [row(peer, rate) for peer, rate in rates.items()], tmp_path / "results")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("<!-- summary -->\n<!-- /summary -->\n")
    (tmp_path / "benchmarks" / "README.md").write_text("<!-- full -->\n<!-- /full -->\n")
    monkeypatch.setattr("benchmarks.report.ROOT", tmp_path)
    write(tmp_path / "results", tmp_path / "out", readme=True)
    begin, *table, end = (tmp_path / "README.md").read_text().splitlines()
    assert (begin, end) == ("<!-- summary -->", "<!-- /summary -->")
    assert table[2:] == [f"| {LABELS[peer]} | {rates[peer]:,.0f} |" for peer in SUMMARY]
    assert len(SUMMARY) == 6
    detailed = (tmp_path / "benchmarks" / "README.md").read_text()
    assert all(f"| {label} | " in detailed for label in LABELS.values())


def test_every_contender_is_called_alike_in_all_workloads() -> None:
    """Charts and tables of all workloads share the labels."""
    called = {(name, one.about) for recipe in WORKLOADS.values() for name, one in recipe.contenders.items()}
    assert len(called) == len(LABELS)


def test_marks_of_the_readmes_are_there(project_root: Path) -> None:
    """The READMEs have a place for each table."""
    marks = [*RECIPES, "scaling-calls", "scaling-images", "first-batch", "waiting", "cores", "gil"]
    text = (project_root / "benchmarks" / "README.md").read_text()
    assert all(f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text for name in marks)
    assert "<!-- summary -->" in (project_root / "README.md").read_text()


def test_without_results_it_says_how_to_make_some(tmp_path: Path) -> None:
    """An empty folder is no report."""
    with pytest.raises(SourceError, match="benchmarks run --keep"):
        write(tmp_path, tmp_path / "out")


def test_page_in_a_browser_has_no_error_and_shows_every_chart(results: Path, tmp_path: Path) -> None:
    """Headless Chromium reports nothing on its console, and every chart has its size and lies within the page."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    *_, page = write(results, tmp_path / "out")
    look = (
        "<script>addEventListener('load', () => { document.body.dataset.seen = JSON.stringify("
        "[...document.images].map(image => { const box = image.getBoundingClientRect();"
        "return [image.naturalWidth, box.width, box.height, box.right <= document.documentElement.clientWidth]; })) })"
        "</script>"
    )
    watched = tmp_path / "watched.html"  # what the test needs is put into a copy
    watched.write_text(page.read_text().replace("</body>", look + "</body>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1000,800",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", watched.as_uri(),
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in finished.stderr.splitlines() if "CONSOLE" in line] == []
    (seen,) = re.findall(r'data-seen="([^"]*)"', finished.stdout)
    images = json.loads(seen.replace("&quot;", '"'))
    assert len(images) == 3
    assert all(natural > 300 and width > 300 and height > 100 and inside for natural, width, height, inside in images)
