"""Names of exported files: always inside the destination, and unchanged where possible."""

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import pipeline
from pipeline.conversion.names import Names, make_path
from pipeline.records import tfrecord

KEYS = st.one_of(
    st.text(alphabet=st.sampled_from("aAbß.é/\\~\0\n -_:"), max_size=12),
    st.sampled_from(["..", ".", "", "/", "/etc/passwd", "../../x.png", "CON.png", "nul", "a/" * 50 + "b.png"]),
    st.text(alphabet="x", min_size=240, max_size=400).map(lambda text: text + ".png"),
    st.binary(max_size=8).map(lambda data: data.decode("utf-8", "surrogateescape")),
)


@given(keys=st.lists(st.tuples(KEYS, KEYS), max_size=12), portable=st.booleans())
def test_no_name_leaves_its_folder_and_no_two_are_the_same(keys: list[tuple[str, str]], portable: bool) -> None:
    """For any keys and classes, each file has a unique legal path below its class."""
    names = Names(portable=portable)
    paths = [names.claim(make_path(key, class_name, "png", portable=portable)) for key, class_name in keys]
    for path in paths:
        parts = path.split("/")
        assert len(parts) >= 2
        assert not any(part in ("", ".", "..") or "\0" in part or len(os.fsencode(part)) > 255 for part in parts)
        assert PurePosixPath(path).suffix.lower() == ".png"
        if portable:
            assert not any(part.startswith(".") or part[-1] in " ." or set(part) & set('\\:*?"<>|\n') for part in parts)
    same = (lambda path: unicodedata.normalize("NFC", path).casefold()) if portable else str
    assert len(set(map(same, paths))) == len(paths)
    taken = set(map(same, paths))
    assert not any(same(str(above)) in taken for path in paths for above in PurePosixPath(path).parents)


@given(parts=st.lists(st.binary(min_size=1, max_size=6), min_size=2, max_size=4))
def test_names_from_a_file_system_stay_as_they_are(parts: list[bytes]) -> None:
    """An export keeps any bytes that a file system allows in names."""
    names = [part.replace(b"/", b"_").replace(b"\0", b"_") for part in parts]
    if any(name in (b".", b"..") for name in names):
        return
    key = os.fsdecode(b"/".join(names) + b".png")
    assert make_path(key, key.split("/")[0], None, portable=False) == key


def write_records(path: Path, examples: list[dict[str, bytes | int]]) -> Path:
    """Write a TFRecord file as a foreign program might."""
    path.write_bytes(b"".join(tfrecord.frame(tfrecord.example(example)) for example in examples))
    return path


def export(tmp_path: Path, names: list[bytes], classes: list[bytes], encoded: bytes) -> tuple[list[str], list[Any]]:
    """Export a foreign TFRecord file of these names and classes: the files, and the list of the renamed."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(classes))}
    examples: list[dict[str, bytes | int]] = [
        {
            tfrecord.ENCODED: encoded,
            tfrecord.FILENAME: name,
            tfrecord.LABEL: numbers[class_name],
            tfrecord.CLASS_NAME: class_name,
        }
        for name, class_name in zip(names, classes, strict=True)
    ]
    out = tmp_path / "out"
    pipeline.convert(write_records(tmp_path / "foreign.tfrecord", examples), out, to="folder")
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    renamed = out / "renamed.jsonl"
    rows = [json.loads(line) for line in renamed.read_text().splitlines()] if renamed.exists() else []
    return [file for file in files if file != "renamed.jsonl"], rows


def test_hostile_names_are_exported_inside_and_listed(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]
) -> None:
    """Names that point outside become names inside; `renamed.jsonl` lists them."""
    names = [b"../../up.png", b"/etc/abs.png", b"nul\0byte.png", b"fine.png", b"CON.png", b"x" * 300 + b".png"]
    files, renamed = export(tmp_path, names, [b"ants"] * 6, encode(picture(0)))
    assert len(files) == 6
    assert all(file.startswith("ants/") for file in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.tfrecord", "out"]
    assert {"ants/__/__/up.png", "ants/etc/abs.png", "ants/nul_byte.png", "ants/fine.png", "ants/_CON.png"} < set(files)
    assert sorted(row["file"] for row in renamed) == [file for file in files if file != "ants/fine.png"]


def test_names_that_collide_on_other_disks_are_told_apart(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]
) -> None:
    """Names and classes that differ only in case or in the form of an accent get a number."""
    names = [b"a.png", b"A.png", "é.png".encode(), "e\u0301.png".encode(), b"b.png"]
    files, renamed = export(tmp_path, names, [b"Cat", b"Cat", b"Cat", b"Cat", b"cat"], encode(picture(0)))
    assert files == sorted(["Cat/a.png", "Cat/A~2.png", "Cat/é.png", "Cat/e\u0301~2.png", "cat~2/b.png"])
    assert len(renamed) == 3


def test_a_name_without_extension_gets_that_of_its_content(
    tmp_path: Path, encode: Callable[..., bytes], picture: Callable[..., Any]
) -> None:
    """Without an image extension, a loader would ignore the file."""
    files, _ = export(tmp_path, [b"one", b"two.txt"], [b"ants", b"ants"], encode(picture(0), ".jpg"))
    assert files == ["ants/one.jpg", "ants/two.txt.jpg"]
