"""Class-folders: which files are samples, in which order, under which key and label, and which files are ignored."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline
from pipeline.errors import OptionError, ReadError, SourceError
from pipeline.images.formats import DECODED_EXTENSIONS
from pipeline.sources import open_source
from pipeline.sources.folder import FolderSource

Make = Callable[..., Any]


def write(root: Path, *names: str) -> Path:
    """Write files whose content is their own name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))
    return root


def list_samples(source: FolderSource) -> list[tuple[str, int]]:
    """List the keys and labels of all samples."""
    return [(sample.key, sample.label) for sample in map(source.peek, range(len(source)))]


def test_samples_stand_by_class_and_path(tmp_path: Path) -> None:
    """Classes and paths are sorted; the key is the path below the root; the label counts the classes."""
    write(tmp_path, "b/2.png", "b/10.png", "a/z.jpg", "a/sub/deep/y.jpg", "a/A.jpg")
    source = FolderSource(tmp_path)
    assert source.class_names == ("a", "b")
    assert list_samples(source) == [
        ("a/A.jpg", 0),
        ("a/sub/deep/y.jpg", 0),
        ("a/z.jpg", 0),
        ("b/10.png", 1),
        ("b/2.png", 1),
    ]
    assert source.labels().tolist() == [0, 0, 0, 1, 1]
    assert source.labels().dtype == np.int64
    assert len(source) == 5
    assert source.ignored_files == {}


def test_reading_gives_the_bytes_of_the_file(tmp_path: Path) -> None:
    """A sample that was read has its encoded image beside key and label; a peek has none."""
    source = FolderSource(write(tmp_path, "a/1.png", "b/x/2.png"))
    assert [source.read(index).encoded for index in range(2)] == [b"a/1.png", b"b/x/2.png"]
    assert source.peek(1).encoded is None
    assert source.sizes().tolist() == [len("a/1.png"), len("b/x/2.png")]


@pytest.mark.parametrize("extension", DECODED_EXTENSIONS)
def test_every_image_extension_counts_in_either_case(extension: str, tmp_path: Path) -> None:
    """`.JPG` is an image as `.jpg` is."""
    source = FolderSource(write(tmp_path, f"a/1{extension}", f"a/2{extension.upper()}", f"a/3{extension}.txt"))
    assert [key for key, _ in list_samples(source)] == [f"a/1{extension}", f"a/2{extension.upper()}"]


def test_ignored_files_are_counted_by_reason(tmp_path: Path) -> None:
    """Hidden files and folders, other files, files beside the classes, broken links and pipes are no samples."""
    write(tmp_path, "a/1.png", "a/.hidden.png", "a/.git/2.png", "a/notes.txt", "a/Thumbs.db", "a/noext")
    write(tmp_path, "root.png", "README", ".hidden_class/3.png", ".DS_Store")
    (tmp_path / "a" / "gone.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    source = FolderSource(tmp_path)
    assert list_samples(source) == [("a/1.png", 0)]
    assert source.ignored_files == {
        "hidden": 4,
        "not an image: .txt": 1,
        "not an image: .db": 1,
        "not an image: no extension": 1,
        "outside the class folders": 2,
        "broken link": 1,
        "not a regular file": 1,
    }


def test_ignored_files_and_empty_classes_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By extension: one warning per process and directory; files in and samples out differ by what it names."""
    write(tmp_path, "a/1.png", "a/2.tif", "a/3.TIFF", "a/4.txt", "a/v1.2", "b/5.heic", "c/.hidden.png", "root.png")
    write(tmp_path, "a/very.long_extension", "a/.DS_Store")
    for _ in range(2):
        source = FolderSource(tmp_path)
    assert source.empty_classes == ("b", "c")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: ignored files: 2 hidden, 1 no decoder for .heic, 1 no decoder for .tif, 1 no decoder for .tiff, "
        "1 not an image: .2, 1 not an image: .txt, 1 not an image: no extension, 1 outside the class folders; "
        "classes without samples: 'b', 'c'"
    ]
    files = sum(path.is_file() for path in tmp_path.rglob("*"))
    assert len(source) + sum(source.ignored_files.values()) == files == 10


def test_what_systems_hide_is_counted_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`.DS_Store` and the like are in most folders."""
    write(tmp_path, "a/1.png", "a/.DS_Store", "b/2.png", "b/.ipynb_checkpoints/2.png")
    assert FolderSource(tmp_path).ignored_files == {"hidden": 2}
    assert not caplog.records


def test_folders_of_archivers_and_file_servers_are_hidden(tmp_path: Path) -> None:
    """They are no classes, and their files no samples; names that only begin so are."""
    write(tmp_path, "a/1.png", "a/@eaDir/2.png", "a/x/__MACOSX/3.png", "__MACOSX/a/4.png", "@eaDir/5.png")
    write(tmp_path, "__MACOSX2/6.png")
    source = FolderSource(tmp_path)
    assert source.class_names == ("__MACOSX2", "a")
    assert list_samples(source) == [("__MACOSX2/6.png", 0), ("a/1.png", 1)]
    assert source.ignored_files == {"hidden": 4}


@pytest.mark.parametrize("extension", [".jfif", ".jpe"])
def test_other_names_of_jpeg_are_decoded(extension: str, tmp_path: Path, picture: Make, encode: Make) -> None:
    """What they hold is a JPEG, and it is decoded as one."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / f"1{extension}").write_bytes(encode(picture(0), ".jpg"))
    (tmp_path / "a" / "2.jpg").write_bytes(encode(picture(0), ".jpg"))
    ((batch, _),) = pipeline.image_dataset(tmp_path, image_size=None, shuffle=False).as_numpy_iterator()
    np.testing.assert_array_equal(batch[0], batch[1])


@pytest.mark.parametrize(
    ("names", "level"),
    [
        (("a/1.png", "a/2.png"), "only one class, 'a'"),
        (
            ("all/cats/1.png", "all/dogs/2.png"),
            "only one class, 'all', whose samples are in 'cats', 'dogs'; for these classes open {root}/all",
        ),
        (
            ("train/cats/1.png", "Val/dogs/2.png"),
            "the classes 'Val', 'train' are named like splits; for one split open {root}/Val",
        ),
        (("train/1.png", "test/2.png"), None),
        (("cats/a/1.png", "dogs/b/2.png"), None),
    ],
)
def test_a_directory_one_level_too_high_is_logged(
    names: tuple[str, ...], level: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One class, or classes that are splits; naming the classes says that they are meant."""
    classes = list(FolderSource(write(tmp_path, *names)).class_names)
    expected = [] if level is None else [f"{tmp_path}: {level.format(root=tmp_path)}"]
    assert [record.getMessage() for record in caplog.records] == expected
    caplog.clear()
    FolderSource(tmp_path, classes)
    assert not caplog.records


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    """A linked image or folder counts as if it stood there."""
    write(tmp_path / "elsewhere", "1.png", "more/2.png")
    write(tmp_path / "root", "a/0.png")
    (tmp_path / "root" / "a" / "link.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    (tmp_path / "root" / "a" / "linked").symlink_to(tmp_path / "elsewhere" / "more")
    (tmp_path / "root" / "b").symlink_to(tmp_path / "elsewhere")
    assert list_samples(FolderSource(tmp_path / "root")) == [
        ("a/0.png", 0),
        ("a/link.png", 0),
        ("a/linked/2.png", 0),
        ("b/1.png", 1),
        ("b/more/2.png", 1),
    ]


@pytest.mark.parametrize("target", [".", "..", "../../a"])
def test_a_link_that_loops_ends(target: str, tmp_path: Path) -> None:
    """A link to a folder that encloses it is ignored and counted, and the listing comes to its end."""
    write(tmp_path, "a/sub/1.png")
    (tmp_path / "a" / "sub" / "loop").symlink_to(target)
    source = FolderSource(tmp_path)
    assert list_samples(source) == [("a/sub/1.png", 0)]
    assert source.ignored_files == {"link loop": 1}


def test_a_link_to_the_root_gives_no_class_the_images_of_another(tmp_path: Path) -> None:
    """A link from a class to the dataset's root loops too: what lies in class b is never labeled a."""
    write(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "up").symlink_to("..")
    source = FolderSource(tmp_path)
    assert list_samples(source) == [("a/1.png", 0), ("b/2.png", 1)]
    assert source.ignored_files == {"link loop": 1}


def test_an_empty_class_is_a_class(tmp_path: Path) -> None:
    """A class-folder without images keeps its label, so that the others keep theirs."""
    write(tmp_path, "a/1.png", "c/2.png")
    (tmp_path / "b").mkdir()
    source = FolderSource(tmp_path)
    assert source.class_names == ("a", "b", "c")
    assert source.labels().tolist() == [0, 2]


def test_class_names_choose_the_classes_and_their_order(tmp_path: Path) -> None:
    """The classes asked for, and no others, with the labels asked for; the samples stay in the order of their paths."""
    write(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    source = FolderSource(tmp_path, ["c", "a"])
    assert source.class_names == ("c", "a")
    assert list_samples(source) == [("a/1.png", 1), ("c/3.png", 0)]


def test_a_class_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """The error lists what was asked for in vain, and what there is."""
    write(tmp_path, "a/1.png", "b/2.png")
    with pytest.raises(OptionError) as caught:
        FolderSource(tmp_path, ["a", "x", "w"])
    assert str(caught.value) == f"class_names: ['w', 'x'] not found in {tmp_path}; its class folders are ['a', 'b']"


def test_a_class_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    """The same class cannot have two labels."""
    write(tmp_path, "a/1.png", "b/2.png")
    with pytest.raises(OptionError, match=r"^class_names has duplicates: \['a', 'b', 'a'\]$"):
        open_source(tmp_path, class_names=["a", "b", "a"])


def test_a_directory_without_subfolders_is_refused(tmp_path: Path) -> None:
    """Images without classes are no dataset, and the error says how one is laid out."""
    write(tmp_path, "1.png")
    with pytest.raises(SourceError) as caught:
        FolderSource(tmp_path)
    assert str(caught.value) == f"{tmp_path} has no subfolders; create one subfolder per class"


def test_a_directory_without_images_is_refused(tmp_path: Path) -> None:
    """The error counts the folders, the extensions looked for, and what was ignored."""
    write(tmp_path, "a/notes.txt", "b/.hidden.png")
    with pytest.raises(SourceError) as caught:
        FolderSource(tmp_path)
    assert str(caught.value) == (
        f"no images in the 2 class folders of {tmp_path}; extensions: .bmp, .gif, .jfif, .jpe, .jpeg, .jpg, .png, "
        ".webp (ignored: 1 hidden, 1 not an image: .txt)"
    )


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe.png", b"new\nline.png", b"tab\tand space .png", "café.png".encode(), "🐈.png".encode(), b"-rf.png"],
)
def test_odd_names_are_kept_byte_by_byte(name: bytes, tmp_path: Path) -> None:
    """Names that are no UTF-8, or hold line breaks, give keys from which their bytes come back, and are read."""
    folder = os.path.join(os.fsencode(tmp_path), b"class \xfe\n")
    os.makedirs(folder)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"content")
    source = FolderSource(tmp_path)
    assert os.fsencode(source.peek(0).key) == b"class \xfe\n/" + name
    assert os.fsencode(source.class_names[0]) == b"class \xfe\n"
    assert source.read(0).encoded == b"content"
    assert source.fingerprint


def test_a_file_that_vanished_is_a_bad_sample(tmp_path: Path) -> None:
    """What cannot be read any more is named, with the system's reason."""
    source = FolderSource(write(tmp_path, "a/1.png", "a/2.png"))
    (tmp_path / "a" / "2.png").unlink()
    assert source.read(0).encoded == b"a/1.png"
    with pytest.raises(ReadError, match=r"^a/2\.png: cannot be read: No such file or directory$"):
        source.read(1)


def test_a_file_that_is_too_large_is_never_read(tmp_path: Path) -> None:
    """A sparse file of a terabyte is a bad sample by its size alone."""
    write(tmp_path, "a/1.png")
    with open(tmp_path / "a" / "2.png", "wb") as file:
        file.truncate(1 << 40)
    source = FolderSource(tmp_path, max_bytes=1_000)
    assert source.read(0).encoded == b"a/1.png"
    with pytest.raises(ReadError) as caught:
        source.read(1)
    assert (
        str(caught.value)
        == f"a/2.png: the file has {1 << 40} bytes, too large for an image of max_pixels; raise max_pixels"
    )


def test_the_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    """A file that is added, rewritten or touched, and other class names, give another fingerprint; looking does not."""
    write(tmp_path, "a/1.png", "b/2.png")
    seen = [FolderSource(tmp_path).fingerprint]
    assert FolderSource(tmp_path).fingerprint == seen[0]
    (tmp_path / "a" / "1.png").write_bytes(b"longer than before")
    seen.append(FolderSource(tmp_path).fingerprint)
    os.utime(tmp_path / "b" / "2.png", ns=(0, 12345))
    seen.append(FolderSource(tmp_path).fingerprint)
    write(tmp_path, "b/3.png")
    seen.append(FolderSource(tmp_path).fingerprint)
    seen.append(FolderSource(tmp_path, ["b", "a"]).fingerprint)
    assert len(set(seen)) == 5


def test_the_fingerprint_does_not_depend_on_where_the_dataset_lies(tmp_path: Path) -> None:
    """A dataset that was moved is still the same dataset."""
    write(tmp_path / "here", "a/1.png")
    before = FolderSource(tmp_path / "here").fingerprint
    (tmp_path / "here").rename(tmp_path / "there")
    assert FolderSource(tmp_path / "there").fingerprint == before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "source must be a path, a list of TFRecord files, or (images, labels); got int"),
        (None, "source must be a path, a list of TFRecord files, or (images, labels); got NoneType"),
        ({"a": 1}, "source must be a path, a list of TFRecord files, or (images, labels); got dict"),
        ("/nowhere/at/all", "/nowhere/at/all does not exist, and matches no file as a glob"),
        ("/nowhere/*.tfrecord", "/nowhere/*.tfrecord does not exist, and matches no file as a glob"),
        ([], "no records in an empty list of files"),
    ],
)
def test_what_is_no_source_is_refused(source: object, message: str) -> None:
    """The error says what a source may be, and what was given."""
    with pytest.raises(SourceError) as caught:
        open_source(source)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_of_either_kind_opens_the_folder(kind: type, tmp_path: Path) -> None:
    """A string and a `Path` are the same directory."""
    write(tmp_path, "a/1.png")
    assert list_samples(open_source(kind(tmp_path))) == [("a/1.png", 0)]
