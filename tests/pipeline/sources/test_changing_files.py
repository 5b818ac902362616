"""Sources whose files are no regular files, or change after they were listed."""

import json
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.conversion import planning
from pipeline.errors import ReadError, SourceError, TooManyErrorsError
from pipeline.records import tfrecord
from pipeline.sources import Source, open_source
from pipeline.sources.text import open_text_source
from pipeline.verification import verify
from tests.augment.test_regular_files import SPECIAL

CHANGED = "changed since it was listed"


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    """Interrupt a test that waits."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(200)  # importing TensorFlow takes most of it
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def write_text_folder(root: Path) -> list[Path]:
    """Write two texts in class-folders."""
    paths = [root / "a" / "1.txt", root / "b" / "1.txt"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text("a text")
    return paths


def write_rows(path: Path) -> Path:
    """Write a table of two rows."""
    path.write_text("label,text\n0,first text\n1,second text\n")
    return path


def write_records(path: Path) -> Path:
    """Write a shard of two texts."""
    features: list[dict[str, bytes | int]] = [{"text": b"first", "label": 0}, {"text": b"second", "label": 1}]
    path.write_bytes(b"".join(tfrecord.frame(tfrecord.example(each)) for each in features))
    return path


SOURCES: dict[str, Callable[[Path], tuple[Path, list[Path]]]] = {
    "text folder": lambda root: (root, write_text_folder(root)),
    "rows": lambda root: (write_rows(root / "a.csv"), [root / "a.csv"] * 2),
    "records": lambda root: (write_records(root / "a.tfrecord"), [root / "a.tfrecord"] * 2),
}


def write_again(path: Path) -> None:
    """Write other bytes of the same number in place, a second later."""
    modified_ns = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(0, modified_ns + 10**9))


def replace_by_zeros(path: Path) -> None:
    """Replace a file by a link to what never ends."""
    path.unlink()
    path.symlink_to("/dev/zero")


def replace_by_pipe(path: Path) -> None:
    """Replace a file by a named pipe."""
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, Callable[[Path], None]] = {
    "in place": write_again,
    "cut": lambda path: os.truncate(path, 5),
    "longer": lambda path: os.truncate(path, 1 << 40),
    "device": replace_by_zeros,
    "pipe": replace_by_pipe,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", SOURCES)
def test_a_file_that_changes_is_a_bad_sample(tmp_path: Path, kind: str, change: str) -> None:
    """Every sample that is read from it, and no other; reading ends at once."""
    root, files = SOURCES[kind](tmp_path)
    source = open_text_source(root)
    keeps_open = kind == "rows" and change in ("device", "pipe")  # the file that is open is the listed one
    texts = [source.read(index).encoded for index in range(2)]
    CHANGES[change](files[1])
    for index in range(2):
        if files[index] != files[1] or keeps_open:
            assert source.read(index).encoded == texts[index]
            continue
        with pytest.raises(ReadError, match=f": {CHANGED}.*; open the source again") as caught:
            source.read(index)
        assert caught.value.reason.startswith(CHANGED)


@pytest.mark.parametrize("change", CHANGES)
def test_loaders_see_changed_images(folders: Callable[..., Path], change: str) -> None:
    """As bad samples: dropped and listed by `on_error`."""
    root = folders(ants=3, bees=3)
    loader = pipeline.Loader(root, image_size=(8, 8), batch_size=2, on_error="skip", shuffle=False)
    assert loader.class_names == ("ants", "bees")
    CHANGES[change](root / "bees" / "1.png")
    for _ in loader.dataset():
        pass
    (bad,) = loader.errors
    assert (bad.sample, bad.stage, bad.reason[: len(CHANGED)]) == ("bees/1.png", "read", CHANGED)


def test_a_conversion_does_not_take_files_that_changed_meanwhile(
    folders: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced after the listing, under the fingerprint of which the result would be published."""
    root = folders(ants=5, bees=5)

    def plan(options: Any) -> Any:
        planned = planning.plan(options)
        assert planned.fingerprint
        for number in range(4):
            write_again(root / "ants" / f"{number}.png")
        return planned

    monkeypatch.setattr("pipeline.conversion.run.plan", plan)
    with pytest.raises(ReadError, match=f"ants/0.png: {CHANGED}"):
        pipeline.convert(root, tmp_path / "out")
    with pytest.raises(TooManyErrorsError, match="of 10 samples are bad"):
        pipeline.convert(root, tmp_path / "out", on_error="skip", max_errors=3)
    assert not (tmp_path / "out").exists()
    manifest = pipeline.convert(root, tmp_path / "out", on_error="skip", workers=1)
    assert (manifest["num_examples"], manifest["num_skipped"]) == (6, 4)
    skipped = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert {row["reason"] for row in skipped} == {CHANGED}
    assert verify(tmp_path / "out") == ()


def test_a_copy_in_another_process_reads_the_same_file(tmp_path: Path) -> None:
    """A pickled table opens its file again, and notices a change."""
    source = open_text_source(write_rows(tmp_path / "a.csv"))
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301  # what processes send each other
    assert copy.read(1) == source.read(1)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    replace_by_pipe(tmp_path / "a.csv")
    with pytest.raises(ReadError, match="cannot be read: it is a named pipe"):
        copy.read(1)
    assert source.read(1).encoded == b"second text"


@pytest.mark.parametrize("open_it", [open_source, open_text_source])
@pytest.mark.parametrize("kind", [kind for kind in SPECIAL if kind != "a folder"])
def test_sources_that_are_no_files_are_refused_at_once(
    tmp_path: Path, kind: str, open_it: Callable[..., Source]
) -> None:
    """By what they are: as a file, in a list, by a pattern, as a shard, as its index file, and as a manifest."""
    SPECIAL[kind](tmp_path / "a.csv")
    shards = tmp_path / "shards"
    shards.mkdir()
    write_records(shards / "a.tfrecord")
    SPECIAL[kind](shards / "b.tfrecord")
    for given, path in (
        (tmp_path / "a.csv", tmp_path / "a.csv"),
        ([tmp_path / "a.csv"], tmp_path / "a.csv"),
        (str(tmp_path / "*.csv"), tmp_path / "a.csv"),
        (shards, shards / "b.tfrecord"),
    ):
        with pytest.raises(SourceError) as caught:
            open_it(given)
        assert str(caught.value) == f"{path} cannot be read: it is {kind}, not a regular file; give a regular file"
    (shards / "b.tfrecord").unlink()
    assert len(open_it(shards)) == 2
    for name in ("a.index.npy", "dataset.json"):
        SPECIAL[kind](shards / name)
        with pytest.raises(SourceError) as caught:
            open_it(shards)
        expected = f"{shards / name} cannot be read: it is {kind}, not a regular file"
        assert str(caught.value).partition(";")[0] == expected
        (shards / name).unlink()


@pytest.mark.parametrize("kind", [kind for kind in SPECIAL if kind != "a folder"])
def test_conversions_refuse_sources_that_are_no_files(tmp_path: Path, kind: str) -> None:
    """At once, and by what they are."""
    SPECIAL[kind](tmp_path / "a.csv")
    for options in ({}, {"text_format": "csv"}):
        with pytest.raises(SourceError, match=r"a.csv cannot be read: it is a .*, not a regular file"):
            pipeline.convert(tmp_path / "a.csv", tmp_path / "out", **options)


def test_a_shard_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """A dangling link is not dropped without a word."""
    write_records(tmp_path / "a.tfrecord")
    (tmp_path / "b.tfrecord").symlink_to("nowhere")
    with pytest.raises(SourceError, match=r"b\.tfrecord cannot be read: No such file or directory"):
        open_source(tmp_path)


def test_a_text_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with holes in a folder, or a line of a table."""
    paths = write_text_folder(tmp_path / "texts")
    os.truncate(paths[0], 1 << 40)
    source = open_text_source(tmp_path / "texts")
    with pytest.raises(ReadError, match="has 1099511627776 bytes, texts have at most 268,435,456 bytes; split it"):
        source.read(0)
    monkeypatch.setattr("pipeline.sources.rows.MAX_TEXT_BYTES", 12)
    with pytest.raises(SourceError, match=r"a\.csv, line 3, has 13 bytes; texts have at most 12 bytes; split it"):
        open_text_source(write_rows(tmp_path / "a.csv"))
