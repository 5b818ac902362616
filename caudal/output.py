"""The output of commands: one JSON object for programs, or text and progress bars for people."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.base_loader import BaseLoader
    from pipeline.progress import Progress


def print_json(value: dict[str, Any]) -> None:
    """Print exactly one JSON object on standard output."""
    print(json.dumps(value))


def print_table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Print a small table; numbers are aligned to the right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    title = escape(escape_unprintable(title))
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], (int, float)) for row in rows)
        table.add_column(escape(escape_unprintable(column)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else escape(escape_unprintable(value)) for value in row))
    Console().print(table)


def print_line(text: str) -> None:
    """Print a line for people on standard output, with control characters and line breaks escaped."""
    print(escape_unprintable(text))


def describe_contents(loader: "BaseLoader") -> dict[str, Any]:
    """Return, as JSON, what a loader's source contains besides samples: ignored files, and classes without samples."""
    return {"ignored_files": loader.ignored_files, "empty_classes": list(loader.empty_classes)}


def print_contents(contents: Mapping[str, Any], of: str = "") -> None:
    """Print the lines of `describe_contents`, or of `training.validation_data.describe_data`; none if all is well.

    Args:
        contents: the JSON.
        of: names the data where a command reads several: "training" or "validation".
    """
    of = of and f"{of} "
    for prefix, counts in (
        ("ignored {}files: ", "ignored_files"),
        ("dropped {}samples, by class: ", "dropped_classes"),
    ):
        if number := contents.get(counts):
            ordered = sorted(number.items(), key=lambda item: (-item[1], item[0]))
            print_line(prefix.format(of) + ", ".join(f"{count:,} {name}" for name, count in ordered))
    if names := contents["empty_classes"]:
        print_line(f"classes without {of}samples: {', '.join(names)}")


def escape_unprintable(value: object) -> str:
    """Escape control characters, line breaks and what no encoding can write: names come from untrusted data."""
    try:
        encoded = str(value).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can contain
        encoded = str(value).encode("utf-8", "backslashreplace")
    text = encoded.decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


@contextlib.contextmanager
def progress_bar(description: str, unit: str = "") -> Iterator["Progress"]:
    """Show a progress bar on standard error during the block, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(description, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


@contextlib.contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print warnings of our packages on standard error during the block: one escaped line each, and each once.

    Commands print ignored files and classes without samples in their reports: warnings do not repeat them.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_LineFormatter())
    handler.addFilter(_drop_repeated(set()))
    loggers = [logging.getLogger(name) for name in ("augment", "pipeline", "training", "caudal")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"caudal: {escape_unprintable(_get_message(record))}"


def _get_message(record: logging.LogRecord) -> str:
    """Return the part of a warning that is in no report; "" if all of it is."""
    return str(getattr(record, "unreported", record.getMessage()))


def _drop_repeated(seen: set[str]) -> Callable[[logging.LogRecord], bool]:
    """Return a filter: several loaders may open one source."""

    def is_new(record: logging.LogRecord) -> bool:
        message = _get_message(record)
        is_repeated = message in seen
        seen.add(message)
        return bool(message) and not is_repeated

    return is_new


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard standard error during the block, native code's too: TensorFlow's log before it is configured."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def import_tensorflow() -> Any:
    """Import TensorFlow without its log."""
    with silence_stderr():
        import tensorflow as tf

        tf.constant(0)  # the first operation logs the devices
    return tf
