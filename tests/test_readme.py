"""The README's example runs unmodified."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def test_example_runs_as_it_stands(folders: Callable[..., Path], project_root: Path) -> None:
    """The code of the README trains two epochs on a folder of images."""
    (code,) = re.findall(r"```python\n(.*?)```", (project_root / "README.md").read_text(), re.DOTALL)
    root = folders(ants=17, bees=16, height=70, width=90, extension=".jpg")
    (root.parent / "data").mkdir()
    root.rename(root.parent / "data" / "train")
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root.parent,
        env={**os.environ, "PYTHONPATH": str(project_root), "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "['ants', 'bees'] 2 batches an epoch" in finished.stdout
    assert "Epoch 2/2" in finished.stdout


def test_no_placeholder_is_left(project_root: Path) -> None:
    """No page has a placeholder."""
    for path in (*project_root.glob("*.md"), *project_root.glob("docs/*.md"), *project_root.glob("benchmarks/*.md")):
        assert not re.search(r"@@|TODO|FIXME", path.read_text()), path
