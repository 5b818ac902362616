"""Run Keras's own test files, as installed, on our functions."""

import os
import re
import subprocess
import sys
from pathlib import Path

PLUGIN = """
import keras.src.utils.image_dataset_utils as images
import keras.src.utils.text_dataset_utils as texts
import pipeline
images.image_dataset_from_directory = pipeline.image_dataset_from_directory
texts.text_dataset_from_directory = pipeline.text_dataset_from_directory
"""


def test_keras_own_tests_pass(tmp_path: Path, project_root: Path) -> None:
    """All tests of format "tf" in Keras's two files pass with our functions: 15 of images, 10 of texts."""
    import keras

    utils = Path(keras.__file__).parent / "src" / "utils"
    (tmp_path / "swapped.py").write_text(PLUGIN)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    files = [str(utils / f"{kind}_dataset_utils_test.py") for kind in ("image", "text")]
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-p", "swapped", "-c", str(tmp_path / "pytest.ini")),
            *("-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--import-mode=importlib"),
            *("-k", "not _grain", *files),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{project_root}", "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]
    passed = re.findall(r"::(Image|Text)DatasetFromDirectoryTest::\S+ PASSED", finished.stdout)
    assert (passed.count("Image"), passed.count("Text")) == (15, 10), finished.stdout[-3000:]
