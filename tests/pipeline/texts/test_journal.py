"""A file that grows in chunks: it resumes before any damage, and touches no file of others."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConvertError
from pipeline.texts.journal import Journal

CHUNKS = [b"id\ttext\n1\ta\n", b"", b"2\tb\n" * 9, b"\0\xff\r\n", b"x" * 300]


def write(target: Path, first: int, last: int, job: str = "job") -> None:
    """Write some chunks, and stop as a killed process does."""
    journal = Journal(target, job)
    for number in range(first, last):
        journal.append(CHUNKS[number], {"number": number})
    journal._close.close()


def get_files(target: Path) -> tuple[Path, Path]:
    """Return the paths of the partial file and the journal."""
    return target.with_name(f".{target.name}.partial"), target.with_name(f".{target.name}.journal")


def damage(path: Path, kind: str, position: int, value: int) -> None:
    """Change, remove, insert or append a byte, or cut the file off."""
    data = path.read_bytes()
    at = position % (len(data) or 1)
    new = bytes([value])
    path.write_bytes(
        {
            "change": data[:at] + new + data[at + 1 :],
            "remove": data[:at] + data[at + 1 :],
            "insert": data[:at] + new + data[at:],
            "append": data + new,
            "cut": data[:at],
        }[kind]
    )


@given(
    written=st.integers(0, len(CHUNKS)),
    damages=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["change", "remove", "insert", "append", "cut"]),
            st.integers(0, 2000),
            st.integers(0, 255),
        ),
        max_size=2,
    ),
)
def test_a_job_resumes_before_any_damage(
    tmp_path_factory: pytest.TempPathFactory, written: int, damages: list[tuple[int, str, int, int]]
) -> None:
    """The result is that of one run; a journal without its first line is refused."""
    target = tmp_path_factory.mktemp("journal") / "out"
    write(target, 0, written)
    for which, kind, position, value in damages:
        damage(get_files(target)[which], kind, position, value)
    try:
        journal = Journal(target, "job")
    except ConvertError as error:
        assert "another program's, or damaged; remove it" in str(error)  # noqa: PT017  # either is right
        assert any(which for which, *_ in damages)
        return
    with journal:
        done = len(journal.entries)
        assert journal.entries == [{"number": number} for number in range(done)]
        assert done <= written
        assert damages or done == written
        for number in range(done, len(CHUNKS)):
            journal.append(CHUNKS[number], {"number": number})
        digest = journal.publish(overwrite=False)
    assert target.read_bytes() == b"".join(CHUNKS)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert [path.name for path in target.parent.iterdir()] == ["out"]


def test_another_job_starts_from_the_beginning(tmp_path: Path) -> None:
    """It does not resume; a job that finished no chunk leaves nothing behind."""
    write(tmp_path / "out", 0, 3)
    with Journal(tmp_path / "out", "another") as journal:
        assert journal.entries == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [0, 1], ids=["partial", "journal"])
@pytest.mark.parametrize(
    ("create", "what"),
    [
        (lambda path: path.symlink_to("victim"), "a link"),
        (lambda path: path.symlink_to("nowhere"), "a link"),
        (lambda path: path.hardlink_to(path.with_name("victim")), "another program's"),
        (lambda path: path.write_bytes(b"mine"), "another program's"),
        (Path.mkdir, "a folder"),
        (os.mkfifo, r"a named pipe \(FIFO\)"),
    ],
    ids=["link", "dangling link", "hard link", "file", "folder", "named pipe"],
)
def test_nothing_of_others_is_touched(tmp_path: Path, number: int, create: Callable[[Path], None], what: str) -> None:
    """Whatever has the name of the partial file or of the journal is refused, and stays as it is."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path = get_files(tmp_path / "out")[number]
    create(path)
    before = os.lstat(path)
    with pytest.raises(ConvertError, match=rf"{path.name} is {what}, or damaged; remove it, or choose another"):
        Journal(tmp_path / "out", "job")
    assert (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert victim.read_bytes() == b"precious"
    assert {entry.name for entry in tmp_path.iterdir()} == {"victim", path.name}


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    """A second one is refused, and the first one is not disturbed."""
    with Journal(tmp_path / "out", "job") as journal:
        journal.append(b"a", {})
        with pytest.raises(ConvertError, match="is being written by another process; wait for it to end"):
            Journal(tmp_path / "out", "job")
        journal.append(b"b", {})
        journal.publish(overwrite=False)
    assert (tmp_path / "out").read_bytes() == b"ab"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    """Without `overwrite`; what was written is kept as well."""
    with Journal(tmp_path / "out", "job") as journal:
        journal.append(b"a", {})
        (tmp_path / "out").write_bytes(b"mine")
        with pytest.raises(ConvertError, match="out exists; use overwrite to replace it"):
            journal.publish(overwrite=False)
    assert (tmp_path / "out").read_bytes() == b"mine"
    with Journal(tmp_path / "out", "job") as journal:
        assert journal.entries == [{}]
        journal.publish(overwrite=True)
    assert (tmp_path / "out").read_bytes() == b"a"


def test_what_was_not_written_as_told_is_not_published(tmp_path: Path) -> None:
    """A partial file that another program changes."""
    with Journal(tmp_path / "out", "job") as journal:
        journal.append(b"good", {})
        get_files(tmp_path / "out")[0].write_bytes(b"evil")
        with pytest.raises(ConvertError, match="differs from what was written"):
            journal.publish(overwrite=False)
    assert not (tmp_path / "out").exists()
