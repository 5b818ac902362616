"""Arguments that several commands share: how they are written, and what they mean."""

from pathlib import Path
from typing import Annotated, Any

import typer

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SRC", help="Class-folder directory, or TFRecord file, directory or glob.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def image_size(text: str) -> tuple[int, int]:
    """Read HEIGHTxWIDTH.

    Raises:
        typer.BadParameter: it is written differently.
    """
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"a size is written HEIGHTxWIDTH in pixels, for example 224x224; got {text!r}")
    return int(height), int(width)


def shard(text: str) -> tuple[int, int]:
    """Read INDEX/COUNT.

    Raises:
        typer.BadParameter: it is written differently, or the index is not below the count.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise typer.BadParameter(f"a shard is written INDEX/COUNT with INDEX from 0, for example 0/3; got {text!r}")
    return int(index), int(count)


def augmentation(text: str | None, size: tuple[int, int]) -> Any:
    """Read an augmentation: a file that `albumentations.save` wrote, or the name of a policy.

    Raises:
        typer.BadParameter: it is neither.
        TransformError: the file holds no transform.
    """
    from augment import load
    from augment.policies import NAMES, is_policy, policy

    if text is None:
        return None
    if is_policy(text):
        return policy(text, size)
    if Path(text).is_file():
        return load(text)
    raise typer.BadParameter(f"{text!r} is neither a file nor a policy ({', '.join(NAMES)})")


def max_errors(text: str | None) -> float | None:
    """Read a number of errors ("20") or a share of the samples ("0.01").

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise typer.BadParameter(f"--max-errors is a number (20) or a share (0.01), got {text!r}") from None


def column(text: str | None) -> str | int | None:
    """Read a column of a table: its number from 0 on, or its name."""
    return int(text) if text is not None and text.isdecimal() else text
