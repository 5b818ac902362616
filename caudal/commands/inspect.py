"""`caudal inspect`: the contents of a dataset."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from caudal.commands.options import JsonOption, SourceArgument
from caudal.output import import_tensorflow, print_contents, print_json, print_line, print_table, progress_bar

if TYPE_CHECKING:
    from pipeline.inspection import Inspection


def inspect(
    source: SourceArgument,
    decode: Annotated[bool, typer.Option(help="Also decode every image: finds damaged pixels, takes longer.")] = False,
    json: JsonOption = False,
) -> None:
    """Count classes, sizes and formats, and list files that cannot be read."""
    import pipeline

    import_tensorflow()
    with progress_bar("inspecting", "images") as progress:
        found = pipeline.inspect(source, decode=decode, progress=progress)
    if json:
        print_json(asdict(found))
    else:
        _print(found, decode)


def _print(found: "Inspection", decode: bool) -> None:
    print_table("", ("class", "images"), list(found.classes.items()))
    formats = ", ".join(f"{count:,} {name}" for name, count in sorted(found.formats.items())) or "none"
    print()
    print_line(f"{found.num_examples:,} images, {found.nbytes / 2**20:,.1f} MiB: {formats}")
    if found.sizes:
        smallest, median, largest = (f"{height}x{width}" for height, width in found.sizes)
        print_line(f"height x width: {smallest} (smallest), {median} (median), {largest} (largest)")
    empty = [name for name, count in found.classes.items() if not count]
    print_contents({"ignored_files": found.ignored_files, "empty_classes": empty})
    for row in found.unreadable:
        print_line(f"unreadable: {row.sample} ({row.stage}): {row.reason}")
    checked = "" if decode else " (headers only; --decode checks the pixels)"
    print_line(f"{len(found.unreadable):,} unreadable{checked}")
