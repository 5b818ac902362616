"""What a listing of class-folders shows that its samples do not: ignored files, empty classes, a level too high."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from pipeline.images.formats import UNDECODED_EXTENSIONS
from pipeline.sources.listing import FileList

_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"))
"""Names of folders that hold splits, in lower case."""

_SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir"))
"""Folders that macOS's archiver and Synology's file server add: they hold no samples of their users."""

_MOST_SHOWN = 8


class Folder(Protocol):
    """A source of class-folders, as far as its report needs it."""

    root: Path
    class_names: tuple[str, ...]
    ignored_files: Counter[str]

    @property
    def empty_classes(self) -> tuple[str, ...]: ...  # noqa: D102  # classes without samples


def describe_contents(source: Folder) -> list[str]:
    """Describe ignored files and empty classes; [] without any.

    Hidden files are counted only beside others: systems write them anywhere.
    """
    facts = [describe_ignored(source.ignored_files)]
    if source.empty_classes:
        facts.append(f"classes without samples: {_shorten(map(repr, source.empty_classes))}")
    return [fact for fact in facts if fact]


def describe_folder_level(source: Folder, files: FileList) -> str:
    """Describe a directory that looks one level too high, by its samples; "" if it does not."""
    first = files[0].key.partition("/")[0]
    return describe_level(source.root, source.class_names, first, (file.key for file in files))


def describe_ignored(counts: Counter[str]) -> str:
    """Describe ignored files by reason; "" if there are only hidden ones."""
    return f"ignored files: {format_counts(counts)}" if set(counts) - {"hidden"} else ""


def join_facts(root: Path | str, facts: Iterable[str]) -> str:
    """Return one line of what a directory shows; "" if all facts are ""."""
    known = [fact for fact in facts if fact]
    return f"{root}: {'; '.join(known)}" if known else ""


def get_ignored_reason(name: str, what: str) -> str:
    """Say why a file of another extension than the samples' is ignored.

    Args:
        name: the file's.
        what: the kind of sample, with its article.
    """
    extension = get_extension(name)
    is_undecoded = what == "an image" and extension in UNDECODED_EXTENSIONS
    reason = "no decoder for" if is_undecoded else f"not {what}:"
    return f"{reason} {extension or 'no extension'}"


def is_hidden(name: str) -> bool:
    """Whether systems hide a file or folder: its name begins with a dot, or an archiver or a NAS creates it."""
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def format_counts(counts: Counter[str]) -> str:
    """Return counts as text: the most frequent first, the rest as one number."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {reason}" for reason, count in ordered[:_MOST_SHOWN]]
    rest = sum(count for _, count in ordered[_MOST_SHOWN:])
    return ", ".join(shown + ([f"{rest} others"] if rest else []))


def get_extension(name: str) -> str:
    """Return a file name's extension in lower case, with its dot; "" where what follows the last dot is none."""
    _, dot, extension = name.rpartition(".")
    return f".{extension.lower()}" if dot and extension.isalnum() and len(extension) <= 8 else ""


def describe_level(root: Path | str, names: Sequence[str], first: str, keys: Iterable[str]) -> str:
    """Say whether the classes look like a directory of class-folders, or like splits; "" if they do not.

    Args:
        root: the directory.
        names: the classes.
        first: the first class with samples.
        keys: paths of the samples relative to the directory.
    """
    if len(names) == 1:
        inner = _list_subfolders(keys)
        hint = f", whose samples are in {_shorten(map(repr, inner))}; for these classes open {Path(root, names[0])}"
        return f"only one class, {names[0]!r}" + (hint if inner else "")
    if all(name.lower() in _SPLITS for name in names) and _list_subfolders(keys):
        shown = _shorten(map(repr, names))
        return f"the classes {shown} are named like splits; for one split open {Path(root, first)}"
    return ""


def _list_subfolders(keys: Iterable[str]) -> list[str]:
    """Return the names of the folders in the class folders; none if a class folder itself holds a sample."""
    folders = set()
    for key in keys:
        parts = key.split("/", 2)
        if len(parts) < 3:
            return []
        folders.add(parts[1])
    return sorted(folders)


def _shorten(items: Iterable[str]) -> str:
    listed = list(items)
    rest = len(listed) - _MOST_SHOWN
    return ", ".join(listed[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
