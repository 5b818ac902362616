"""Odd, corrupt and hostile files of other projects' test suites are decoded as they should be or refused."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import pipeline
from pipeline.images.decode import Decoder
from pipeline.sources import open_source

DECODE_IN_A_NEW_PROCESS = """
import json, resource, sys, time
import tensorflow as tf
from pipeline.images.decode import Decoder

decoder = Decoder()
warm = tf.io.encode_jpeg(tf.zeros((8, 8, 3), tf.uint8)).numpy()
decoder(warm)
for path in json.loads(sys.stdin.read()):
    encoded = open(path, "rb").read()
    memory, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        outcome = list(decoder(encoded).shape)
    except ValueError as error:
        outcome = str(error)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    print(json.dumps([path, outcome, memory / 1024, time.process_time() - cpu]), flush=True)
"""


@pytest.fixture(scope="module")
def robustness(caudal_data: Path) -> Path:
    """Give the folder of odd, corrupt and hostile images, or skip."""
    path = caudal_data / "robustness"
    if not (path / "manifest.tsv").is_file():
        pytest.skip(f"{path} holds no manifest.tsv")
    return path


@pytest.fixture(scope="module")
def manifest(robustness: Path) -> dict[str, list[dict[str, str]]]:
    """Give the rows of the manifest by category: a (odd), b (corrupt), c (hostile)."""
    rows: dict[str, list[dict[str, str]]] = {}
    with open(robustness / "manifest.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows.setdefault(row["cat"], []).append(row)
    return rows


@pytest.fixture(scope="module")
def outcomes(
    robustness: Path, manifest: dict[str, list[dict[str, str]]], project_root: Path
) -> dict[str, tuple[Any, float, float]]:
    """Decode what is corrupt and hostile in another process: the shape or reason, MiB and seconds of each file."""
    files = [row["file"] for category in "bc" for row in manifest[category]]
    finished = subprocess.run(
        [sys.executable, "-c", DECODE_IN_A_NEW_PROCESS],
        input=json.dumps([str(robustness / file) for file in files]),
        capture_output=True,
        text=True,
        cwd=project_root,
        timeout=120,
        check=False,
    )
    rows = [json.loads(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 0, f"died after {rows[-1] if rows else 'nothing'}: {finished.stderr[-2000:]}"
    return {str(Path(path).relative_to(robustness)): tuple(rest) for path, *rest in rows}


def test_odd_images_are_decoded_to_their_size(robustness: Path, manifest: dict[str, list[dict[str, str]]]) -> None:
    """Every odd but legal image has the manifest's height and width; only what it names may be unsupported."""
    decoder, wrong = Decoder(), []
    for row in manifest["a"]:
        try:
            outcome = "x".join(map(str, decoder((robustness / row["file"]).read_bytes()).shape[:2]))
        except ValueError as error:
            outcome = row["expected_HW"] if "unsupported" in row["expect"] and str(error) else str(error)
        if outcome != row["expected_HW"]:
            wrong.append((row["file"], row["expected_HW"], outcome))
    assert wrong == []
    assert len(manifest["a"]) > 50


def test_oriented_photographs_look_as_opencv_shows_them(
    robustness: Path, manifest: dict[str, list[dict[str, str]]]
) -> None:
    """Real photographs with every orientation that the set has come out upright."""
    oriented = [row["file"] for row in manifest["a"] if row["expect"] == "decode+orient"]
    for file in oriented:
        encoded = (robustness / file).read_bytes()
        wanted = cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        image = Decoder()(encoded)
        assert image.shape == wanted.shape, file
        assert np.abs(image.astype(int) - wanted).mean() < 2, file
    assert len(oriented) >= 5


def test_corrupt_images_crash_nothing(outcomes: dict[str, Any], manifest: dict[str, list[dict[str, str]]]) -> None:
    """Each corrupt file becomes an image or a reason, and what must be refused is."""
    for row in manifest["b"]:
        outcome = outcomes[row["file"]][0]
        assert outcome, row["file"]
        if row["expect"].startswith("reject"):
            assert isinstance(outcome, str), row["file"]


def test_hostile_images_are_refused_before_they_cost_anything(
    outcomes: dict[str, Any], manifest: dict[str, list[dict[str, str]]]
) -> None:
    """Bombs are refused within a second and 64 MiB; one whose pixels are few may be decoded at that price instead."""
    for row in manifest["c"]:
        outcome, memory, seconds = outcomes[row["file"]]
        assert isinstance(outcome, str) or "pixels small" in row["why"], (row["file"], outcome)
        assert memory < 64, (row["file"], memory)
        assert seconds < 1, (row["file"], seconds)


@pytest.fixture(scope="module")
def hostile(robustness: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the hostile class-folder tree and TFRecords."""
    out = tmp_path_factory.mktemp("hostile") / "out"
    subprocess.run([sys.executable, str(robustness / "make_hostile.py"), str(out)], check=True, capture_output=True)
    (out / "tree" / "nodir").chmod(
        0o755
    )  # a class that cannot be listed is refused as a whole, to other users than root
    return out


def test_a_hostile_tree_is_read_to_its_end(hostile: Path) -> None:
    """Odd names, loops, pipes, bombs and rubbish: every sample is returned or in the error log, with its reason."""
    loader = pipeline.Loader(hostile / "tree", on_error="skip", image_size=(8, 8))
    delivered = [key for *_, keys in loader.dataset(with_keys=True) for key in keys.numpy().tolist()]
    assert len(delivered) == len(set(delivered)) > 15
    assert len(delivered) + len(loader.errors) == loader.num_examples
    bad = {row.sample for row in loader.errors}
    assert bad >= {"good/zero.jpg", "good/html.jpg", "good/sparse.jpg", "bomb/zip30000.png", "bomb/zero_dim.png"}
    assert not any(key.decode("utf-8", "surrogateescape") in bad for key in delivered)


def test_hostile_records_are_read_or_refused(hostile: Path) -> None:
    """Each of 50 hostile TFRecord files is read, bad records in the error log, or refused with a Caudal error."""
    files = sorted((hostile / "tfrecord").iterdir())
    refused = {}
    for path in files:
        try:
            loader = pipeline.Loader(path, on_error="skip", image_size=(8, 8))
            read = sum(len(labels) for _, labels in loader.dataset())
            assert read + len(loader.errors) == loader.num_examples, path.name
        except pipeline.errors.CaudalError as error:
            refused[path.name] = str(error)
    assert len(files) == 50
    assert set(refused) >= {"cut_mid.tfrecord", "empty.tfrecord", "html.tfrecord", "len_2e62_valid_crc.tfrecord"}
    assert "ok.tfrecord" not in refused
    assert len(open_source(hostile / "tfrecord" / "ok.tfrecord")) == 3
