"""`caudal verify`: compare a converted dataset with its manifest."""

from dataclasses import asdict
from typing import Annotated

import typer

from caudal.commands.options import JsonOption
from caudal.output import escape_unprintable, import_tensorflow, print_json, progress_bar


def verify(
    directory: Annotated[str, typer.Argument(metavar="DST", help="Converted dataset.", show_default=False)],
    decode: Annotated[bool, typer.Option(help="Also decode every image.")] = False,
    json: JsonOption = False,
) -> None:
    """Check every file, record and checksum of a converted dataset; exit status 1 if anything is wrong."""
    import pipeline

    if decode:
        import_tensorflow()
    with progress_bar("verifying", "bytes") as progress:
        faults = pipeline.verify(directory, decode=decode, progress=progress)
    if json:
        print_json({"ok": not faults, "faults": [asdict(fault) for fault in faults]})
    elif faults:
        for fault in faults:
            print(escape_unprintable(fault))
        print(f"{len(faults):,} faults")
    else:
        print("ok: every file, record and checksum matches the manifest")
    raise typer.Exit(1 if faults else 0)
