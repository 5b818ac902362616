"""Shared by all tests: settings of the libraries, small distinct images, and datasets of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise Albumentations asks a server for its newest version
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # otherwise OpenCV reports each damaged image of the tests

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
# pytest puts `tests` on the path, where `tests/pipeline` would be found before an installed `pipeline`.
sys.path.insert(0, str(ROOT))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell's background processes ignore Ctrl-C, and so would the commands that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "caudal",
    deadline=None,  # the first example of a test may import TensorFlow
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("caudal")


def make_picture(number: int, height: int = 8, width: int = 10, channels: int = 3) -> np.ndarray:
    """Draw a picture, uint8 [height, width, channels]: noise that differs for each number."""
    return np.random.default_rng(number).integers(0, 256, (height, width, channels)).astype(np.uint8)


def encode_picture(image: np.ndarray, extension: str = ".png") -> bytes:
    """Encode a gray, RGB or RGBA picture as OpenCV does."""
    conversion = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(image.shape[2])
    encoded, buffer = cv2.imencode(extension, image if conversion is None else cv2.cvtColor(image, conversion))
    assert encoded
    return bytes(buffer)


def make_folders(
    root: Path, classes: Mapping[str, int], height: int = 8, width: int = 10, extension: str = ".png"
) -> Path:
    """Write class-folders of pictures `class/0.png`, `class/1.png`, ..., all different."""
    number = 0
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for file in range(count):
            image = make_picture(number, height, width)
            (root / name / f"{file}{extension}").write_bytes(encode_picture(image, extension))
            number += 1
    return root


def make_records(folders: Path, root: Path, *, shards: int = 2, manifest: bool = True, label_offset: int = 0) -> Path:
    """Write class-folders as a converted dataset; without `manifest`, as the bare TFRecords of a foreign program."""
    from pipeline.records import tfrecord

    root.mkdir()
    class_names = sorted(path.name for path in folders.iterdir())
    files = [(label, file) for label, name in enumerate(class_names) for file in sorted((folders / name).iterdir())]
    described = []
    for shard, chunk in enumerate(np.array_split(np.arange(len(files)), shards)):
        path = root / f"data-{shard:05}-of-{shards:05}.tfrecord"
        records = b""
        for label, file in (files[index] for index in chunk):
            features: dict[str, bytes | int] = {
                tfrecord.ENCODED: file.read_bytes(),
                tfrecord.FILENAME: os.fsencode(file.relative_to(folders)),
                tfrecord.LABEL: label + label_offset,
                tfrecord.CLASS_NAME: class_names[label].encode(),
            }
            records += tfrecord.frame(tfrecord.example(features))
        path.write_bytes(records)
        if manifest:
            np.save(tfrecord.index_path(path), tfrecord.build_index(path))
            described.append({"name": path.name, "examples": len(chunk), "bytes": len(records)})
    if manifest:
        contents = {"format_version": 1, "class_names": class_names, "examples": len(files), "shards": described}
        (root / "dataset.json").write_text(json.dumps(contents))
    return root


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Return `start(command, **settings)`: a process with piped output that ends with the test.

    As a context manager, `Popen` would wait for the process, and a failing test might never end.
    """
    processes: list[subprocess.Popen[str]] = []

    def run(command: Sequence[str], **settings: Any) -> "subprocess.Popen[str]":
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)
        )
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def picture() -> Callable[..., np.ndarray]:
    """Return `picture(number, height=8, width=10, channels=3)`: noise, uint8, different for each number."""
    return make_picture


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Return `encode(image, extension=".png")`: an image file's bytes."""
    return encode_picture


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., Path]:
    """Return `folders(ants=3, bees=4, ...)`: a new class-folder directory with these numbers of pictures."""
    made: list[Path] = []

    def make(*, height: int = 8, width: int = 10, extension: str = ".png", **classes: int) -> Path:
        made.append(tmp_path / f"folders{len(made)}")
        return make_folders(made[-1], classes, height, width, extension)

    return make


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., Path]:
    """Return `records(folders, shards=2, manifest=True, label_offset=0)`: TFRecords made of class-folders."""
    made: list[Path] = []

    def make(folders: Path, **options: Any) -> Path:
        made.append(tmp_path / f"records{len(made)}")
        return make_records(folders, made[-1], **options)

    return make


@pytest.fixture(scope="session")
def run_python() -> Callable[..., str]:
    """Return `run_python(code, **env)`: the output of a new interpreter that runs the code in the project's root."""

    def run(code: str, *, timeout_s: float = 120, **env: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr[-4000:]
        return finished.stdout

    return run


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the directory of the packages."""
    return ROOT


@pytest.fixture(scope="session")
def caudal_data() -> Path:
    """Return the shared data sets' directory, or skip the test if it is missing."""
    path = Path(os.environ.get("CAUDAL_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"the shared data are missing: {path} is not a directory; set CAUDAL_DATA")
    return path
