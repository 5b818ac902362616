"""The Python of the README and of docs/loading.md must run as it stands."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest


def read_blocks(page: Path) -> list[str]:
    """Read the Python blocks of a page, those in lists included."""
    return [
        textwrap.dedent(block)
        for _, block in re.findall(r"^( *)```python\n(.*?)^\1```$", page.read_text(), re.DOTALL | re.MULTILINE)
    ]


@pytest.fixture
def run_page(folders: Callable[..., Path], project_root: Path) -> Callable[[str], str]:
    """Run all blocks of a page in one program, beside `data/train` and a `data/scraped` with one bad sample."""
    root = folders(ants=17, bees=16, height=70, width=90, extension=".jpg")
    data = root.parent / "data"
    data.mkdir()
    root.rename(data / "train")
    for name in ("ants", "bees"):
        (data / "scraped" / name).mkdir(parents=True)
        for path in sorted((data / "train" / name).iterdir())[:3]:
            (data / "scraped" / name / path.name).write_bytes(path.read_bytes())
    (data / "scraped" / "ants" / "bad.jpg").write_bytes(b"no image")

    def run(page: str) -> str:
        blocks = read_blocks(project_root / page)
        assert blocks
        finished = subprocess.run(
            [sys.executable, "-c", "\n".join(blocks)],
            cwd=root.parent,
            env={**os.environ, "PYTHONPATH": str(project_root), "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr[-3000:]
        return finished.stdout

    return run


def test_readme_runs_as_it_stands(run_page: Callable[[str], str]) -> None:
    """The code of the README trains two epochs on a folder of images."""
    printed = run_page("README.md")
    assert "['ants', 'bees'] 2 batches per epoch" in printed
    assert "Epoch 2/2" in printed


def test_loading_runs_as_it_stands(run_page: Callable[[str], str]) -> None:
    """The code of docs/loading.md iterates, resumes a training in an epoch, lists a bad sample, and caches."""
    printed = run_page("docs/loading.md")
    assert "Epoch 4/4" in printed  # the rest of epoch 3, which Keras counts from 1
    assert "Epoch 6/6" in printed
    assert re.search(r"^ants/bad\.jpg decode .+", printed, re.MULTILINE)


def test_no_placeholder_is_left(project_root: Path) -> None:
    """No page has a placeholder."""
    for path in (*project_root.glob("*.md"), *project_root.glob("docs/*.md"), *project_root.glob("benchmarks/*.md")):
        assert not re.search(r"@@|TODO|FIXME", path.read_text()), path


def test_links_lead_to_files(project_root: Path) -> None:
    """Every relative link of a page leads to a file, and to a heading of it where it names one."""
    for path in (*project_root.glob("*.md"), *project_root.glob("docs/*.md"), *project_root.glob("benchmarks/*.md")):
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            if link.startswith(("http://", "https://")):
                continue
            name, _, anchor = link.partition("#")
            target = path.parent / name if name else path
            assert target.exists(), (path, link)
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
                anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
                assert anchor in anchors, (path, link)
