"""Tests of `caudal stream`: its report equals what the loader yields."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import pipeline


@pytest.fixture
def source(folders: Callable[..., Path]) -> Path:
    """Return 13 images in two classes."""
    return folders(ants=6, bees=7)


@pytest.fixture
def stream(caudal: Callable[..., Any], source: Path) -> Callable[..., dict[str, Any]]:
    """Return `stream(*options, source=...)`: what `caudal stream --json` reports."""

    def run(*options: object, source: Path = source) -> dict[str, Any]:
        outcome = caudal(
            "stream", source, "--json", "--digest", "--keys", "--batch-size", 3, "--image-size", "6x6", *options
        )
        assert outcome.status == 0, outcome.err
        return json.loads(outcome.out)  # type: ignore[no-any-return]

    return run


def test_report_holds_what_the_loader_delivers(stream: Callable[..., dict[str, Any]], source: Path) -> None:
    """Digests, keys and counts are those of the loader's own batches."""
    report = stream("--seed", 5)
    loader = pipeline.Loader(source, image_size=(6, 6), batch_size=3, seed=5)
    batches = list(loader.dataset(with_keys=True).as_numpy_iterator())
    digests = [hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() for images, labels, _ in batches]
    assert report["batches"] == digests
    assert report["digest"] == hashlib.sha256("".join(digests).encode()).hexdigest()
    assert report["keys"] == [key.decode() for *_, keys in batches for key in keys]
    assert report["images"] == 13
    assert report["errors"] == []


def test_digest_is_the_same_at_any_number_of_calls_and_from_records(
    stream: Callable[..., dict[str, Any]], source: Path, tmp_path: Path
) -> None:
    """One, two and eight parallel calls, the folder and its TFRecords: one digest; another seed: another."""
    pipeline.convert(source, tmp_path / "records", shards=3)
    options = ("--seed", 1, "--epochs", 2, "--augment", "full")
    digests = {stream(*options, "--num-parallel-calls", calls)["digest"] for calls in (1, 2, 8)}
    digests.add(stream(*options, source=tmp_path / "records")["digest"])
    assert len(digests) == 1
    assert stream("--seed", 2, "--epochs", 2, "--augment", "full")["digest"] not in digests


def test_epochs_differ_and_a_stream_continues_anywhere(stream: Callable[..., dict[str, Any]]) -> None:
    """`--epoch 1 --step 3` begins with the batches that the uninterrupted stream has there."""
    whole = stream("--epochs", 2)["batches"]
    assert len(whole) == 10
    assert len(set(whole)) == 10
    assert stream("--epoch", 1, "--step", 3)["batches"] == whole[8:]


def test_shards_have_every_sample_once(stream: Callable[..., dict[str, Any]]) -> None:
    """The union over all shards of an epoch is the epoch."""
    keys = [key for index in range(3) for key in stream("--shard", f"{index}/3", "--epoch", 4)["keys"]]
    assert sorted(keys) == sorted(stream()["keys"])
    assert len(set(keys)) == 13


def test_augmentation_is_read_from_what_albumentations_saved(
    stream: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """JSON and YAML of one pipeline give one stream, and not the stream without it."""
    import albumentations as A  # noqa: N812

    transform = A.Compose([A.HorizontalFlip(p=1.0), A.InvertImg(p=1.0)])
    A.save(transform, tmp_path / "a.json", data_format="json")
    A.save(transform, tmp_path / "a.yaml", data_format="yaml")
    (digest,) = {stream("--augment", tmp_path / name)["digest"] for name in ("a.json", "a.yaml")}
    assert digest != stream()["digest"]


def test_people_get_a_sentence(caudal: Callable[..., Any], source: Path) -> None:
    """Without `--json` the report is text."""
    outcome = caudal("stream", source)
    assert outcome.status == 0
    assert outcome.out.startswith("13 images in ")
    assert "images/s" in outcome.out


def test_bad_sample_ends_the_stream_with_one_line(caudal: Callable[..., Any], source: Path) -> None:
    """The sample and the reason are named, in one line, with status 2."""
    (source / "ants" / "2.png").write_bytes(b"")
    outcome = caudal("stream", source, "--no-shuffle", "--batch-size", 2)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "caudal: ants/2.png: the file is empty\n"


def test_bad_samples_are_skipped_and_reported(stream: Callable[..., dict[str, Any]], source: Path) -> None:
    """Under "skip" the rest is streamed, and the report names what is missing: read + skipped is all."""
    (source / "ants" / "2.png").write_bytes(b"")
    report = stream("--on-error", "skip")
    assert report["images"] + len(report["errors"]) == 13
    assert report["errors"] == [{"sample": "ants/2.png", "stage": "decode", "reason": "the file is empty"}]


def test_too_many_bad_samples_are_the_answer_no(caudal: Callable[..., Any], source: Path) -> None:
    """Above `--max-errors` the status is 1."""
    for name in ("1", "2"):
        (source / "ants" / f"{name}.png").write_bytes(b"")
    outcome = caudal("stream", source, "--on-error", "skip", "--max-errors", 1)
    assert outcome.status == 1
    assert outcome.err.startswith("caudal: 2 of 13 samples are bad, more than max_errors=1")
    assert outcome.err.count("\n") == 1


def test_the_cosine_transform_of_jpegs_is_an_option(
    caudal: Callable[..., Any], stream: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """`--dct accurate` changes the pixels of JPEGs; other words are refused."""
    (tmp_path / "a").mkdir()
    edges = np.kron(np.random.default_rng(0).choice([0, 255], (8, 9, 3)), np.ones((3, 3, 1)))
    cv2.imwrite(str(tmp_path / "a" / "0.jpg"), edges)
    fast, given, accurate = (
        stream("--image-size", "24x27", *options, source=tmp_path)["digest"]
        for options in ((), ("--dct", "fast"), ("--dct", "accurate"))
    )
    assert fast == given != accurate
    outcome = caudal("stream", tmp_path, "--dct", "slow")
    assert outcome.status == 2
    assert "dct must be one of 'fast', 'accurate'; got 'slow'" in outcome.err
