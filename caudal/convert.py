"""`caudal convert`: write a dataset as sharded TFRecords."""

import time
from typing import Annotated

import typer

from caudal.arguments import JsonOption, SourceArgument, max_errors
from caudal.output import import_tensorflow, print_json, progress_bar


def convert(
    source: SourceArgument,
    destination: Annotated[str, typer.Argument(metavar="DST", help="The directory to make.", show_default=False)],
    shards: Annotated[
        int | None, typer.Option(min=1, help="How many files.", show_default="about 128 MiB each")
    ] = None,
    label_offset: Annotated[int, typer.Option(help="Subtracted from the labels of TFRecords.")] = 0,
    on_error: Annotated[str, typer.Option(metavar="MODE", help="raise or skip.")] = "raise",
    errors: Annotated[
        str | None,
        typer.Option("--max-errors", metavar="N", help="Bad samples that are left out: a number or a share."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DST once the new one is complete.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a dataset as TFRecords, the images' bytes as they are."""
    import pipeline

    if on_error not in ("raise", "skip"):
        raise typer.BadParameter(f"--on-error is raise or skip, got {on_error!r}")
    import_tensorflow()
    begin = time.perf_counter()
    with progress_bar("converting", "images") as progress:
        manifest = pipeline.convert(
            source,
            destination,
            shards=shards,
            label_offset=label_offset,
            on_error=on_error,  # type: ignore[arg-type]  # checked above
            max_errors=max_errors(errors),
            overwrite=overwrite,
            progress=progress,
        )
    seconds = time.perf_counter() - begin
    if json:
        print_json(manifest)
        return
    size = sum(shard["bytes"] for shard in manifest["shards"])
    print(
        f"{manifest['num_examples']:,} images in {len(manifest['shards'])} shards, {size / 2**20:,.1f} MiB, "
        f"{manifest['num_skipped']:,} skipped; {seconds:.1f} s, {manifest['num_examples'] / seconds:,.0f} images/s"
    )
