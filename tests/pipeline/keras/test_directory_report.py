"""Keras-shaped functions say which files of a directory they ignore, and that it looks one level too high."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline


def _read_images(root: Path, **options: Any) -> Any:
    return pipeline.image_dataset_from_directory(root, verbose=False, **options)


def _read_texts(root: Path, **options: Any) -> Any:
    return pipeline.text_dataset_from_directory(root, verbose=False, **options)


def _flow(root: Path) -> Any:
    return pipeline.ImageDataGenerator().flow_from_directory(root)


READERS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "images": (_read_images, "png", "1 not an image: .md, 1 not read as in Keras: .tif, 1 not read as in Keras: .webp"),
    "texts": (_read_texts, "txt", "1 not a text: .md, 1 not a text: .tif, 1 not a text: .webp"),
    "flow": (_flow, "png", "1 not an image: .md, 1 not read as in Keras: .webp"),
}


def write(root: Path, encode: Callable[..., bytes], picture: Callable[..., Any], *names: str) -> Path:
    """Write files, with a picture in each."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encode(picture(0), ".png"))
    return root


@pytest.mark.parametrize("kind", READERS)
def test_ignored_files_are_logged_once(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, encode: Any, picture: Any
) -> None:
    """One line for the hidden and the others; folders of archivers are no classes."""
    read, extension, ignored = READERS[kind]
    names = [f"a/1.{extension}", f"b/deep/2.{extension}", "a/3.tif", "a/4.webp", "b/5.md", "root.png"]
    names += ["a/.hidden.png", "a/@eaDir/6.png", "__MACOSX/a/7.png", "@eaDir/8.png"]
    write(tmp_path, encode, picture, *names)
    for _ in range(2):
        data = read(tmp_path)
    assert list(getattr(data, "class_names", None) or data.class_indices) == ["a", "b"]
    expected = f"{ignored}, 1 outside the class folders"
    assert [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()] == [
        f"{tmp_path}: ignored files: 4 hidden, {expected}"
    ]


@pytest.mark.parametrize("kind", READERS)
def test_a_directory_one_level_too_high_is_logged(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, encode: Any, picture: Any
) -> None:
    """The one class holds folders only."""
    read, extension, _ = READERS[kind]
    read(write(tmp_path, encode, picture, f"all/cats/1.{extension}", f"all/dogs/2.{extension}"))
    assert [record.getMessage() for record in caplog.records if "class" in record.getMessage()] == [
        f"{tmp_path}: only one class, 'all', whose samples are in 'cats', 'dogs'; for these classes open {tmp_path}/all"
    ]


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_without_classes_only_ignored_files_are_logged(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, encode: Any, picture: Any
) -> None:
    """A level is a matter of classes."""
    read, extension, _ = READERS[kind]
    read(write(tmp_path, encode, picture, f"all/cats/1.{extension}", f"all/2.{extension}"), labels=None)
    assert not [record for record in caplog.records if str(tmp_path) in record.getMessage()]
    (tmp_path / "all" / "3.md").touch()
    read(tmp_path, labels=None)
    (message,) = [record.getMessage() for record in caplog.records if str(tmp_path) in record.getMessage()]
    assert message.startswith(f"{tmp_path}: ignored files: 1 not a")
