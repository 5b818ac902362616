"""What a listing of class-folders shows that its samples do not: ignored files, empty classes, a level too high."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.sources.listing import File, FileList

_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"))
"""Names of folders that hold splits, in lower case."""

_MOST_SHOWN = 8


class Folder(Protocol):
    """A source of class-folders, as far as its report needs it."""

    root: Path
    class_names: tuple[str, ...]
    ignored_files: Counter[str]

    @property
    def empty_classes(self) -> tuple[str, ...]: ...  # noqa: D102  # classes without samples


def describe_folder(source: Folder, files: FileList, *, is_chosen: bool) -> str:
    """Return one line about ignored files, empty classes and a directory one level too high; "" without any.

    Hidden files are counted only beside others: systems write them anywhere.

    Args:
        source: the class-folders.
        files: their samples.
        is_chosen: whether an option named the classes.
    """
    facts = []
    if set(source.ignored_files) - {"hidden"}:
        facts.append(f"ignored files: {format_counts(source.ignored_files)}")
    if source.empty_classes:
        facts.append(f"classes without samples: {_shorten(map(repr, source.empty_classes))}")
    if not is_chosen and (fact := _describe_level(source, files)):
        facts.append(fact)
    return f"{source.root}: {'; '.join(facts)}" if facts else ""


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


def _describe_level(source: Folder, files: FileList) -> str:
    """Say whether the classes look like a directory of class-folders, or like splits."""
    names = source.class_names
    used = np.unique(files.labels()).tolist()
    if len(names) == 1:
        inner = _list_subfolders(files)
        hint = f", whose samples are in {_shorten(map(repr, inner))}; for these classes open {source.root / names[0]}"
        return f"only one class, {names[0]!r}" + (hint if inner else "")
    if all(name.lower() in _SPLITS for name in names) and _list_subfolders(files):
        first = names[used[0]]
        shown = _shorten(map(repr, names))
        return f"the classes {shown} are named like splits; for one split open {source.root / first}"
    return ""


def _list_subfolders(files: Iterable[File]) -> list[str]:
    """Return the names of the folders in the class folders; none if a class folder itself holds a sample."""
    parts = [file.key.split("/", 2) for file in files]
    return [] if any(len(part) < 3 for part in parts) else sorted({part[1] for part in parts})


def _shorten(items: Iterable[str]) -> str:
    listed = list(items)
    rest = len(listed) - _MOST_SHOWN
    return ", ".join(listed[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
