"""Keras's own test files, as they are installed with it, run on our functions."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
import {module} as under_test
import pipeline
assert under_test.__file__.startswith({keras!r})
under_test.{function} = pipeline.{function}
"""


@pytest.mark.parametrize(
    ("module", "function", "tests"),
    [
        ("image_dataset_utils", "image_dataset_from_directory", 15),
        ("text_dataset_utils", "text_dataset_from_directory", 10),
    ],
)
def test_keras_own_tests_pass(module: str, function: str, tests: int, tmp_path: Path, project_root: Path) -> None:
    """All tests of format "tf" in Keras's own file pass; nothing is swapped but the function."""
    import keras

    folder = Path(keras.__file__).parent
    conftest = CONFTEST.format(module=f"keras.src.utils.{module}", function=function, keras=str(folder))
    (tmp_path / "swapped.py").write_text(conftest)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "swapped", "-c", str(tmp_path / "pytest.ini")),
            *("-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--import-mode=importlib"),
            *("-k", "not _grain", str(folder / "src" / "utils" / f"{module}_test.py")),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(project_root)]),
            "KERAS_BACKEND": "tensorflow",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]
    (passed,) = re.findall(r"(\d+) passed", finished.stdout)
    assert int(passed) == tests, finished.stdout[-2000:]
