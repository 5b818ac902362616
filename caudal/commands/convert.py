"""`caudal convert`: convert between class-folders, TFRecords and texts."""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caudal.commands.options import (
    AugmentOption,
    JsonOption,
    LabelColumnOption,
    TextColumnOption,
    augmentation,
    column,
    image_size,
    max_errors,
)
from caudal.output import escape_unprintable, print_json, print_table

if TYPE_CHECKING:
    from pipeline.conversion.estimate import Estimate
    from pipeline.conversion.reporting import Watch


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="Class-folders of images or .txt files; TFRecord file, directory or glob; file of labeled texts.",
            show_default=False,
        ),
    ],
    destination: Annotated[str, typer.Argument(metavar="DST", help="Directory to create.", show_default=False)],
    to: Annotated[str, typer.Option(metavar="KIND", help="Output: tfrecord, or folder (class-folders).")] = "tfrecord",
    shards: Annotated[int | None, typer.Option(help="Number of shards (per split).", show_default=False)] = None,
    shard_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Approximate size of a shard.", show_default="128MiB, 16,384 records"),
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Shuffle the records, so that every shard contains all classes.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of order, split and augmentation.")] = 0,
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLITS", help="Write one dataset per split: train=.8,val=.2", show_default=False),
    ] = None,
    stratify: Annotated[bool, typer.Option("--stratify", help="Split each class by itself.")] = False,
    resize_short: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Resize the shorter side to this length.", show_default=False)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="HxW",
            help="Resize to this size, without keeping the aspect ratio.",
            show_default=False,
        ),
    ] = None,
    image_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="Image format: jpeg, png or webp.", show_default="unchanged"),
    ] = None,
    quality: Annotated[int | None, typer.Option(help="Quality of JPEG and WebP, 1 to 100.", show_default="95")] = None,
    augment: AugmentOption = None,
    copies: Annotated[
        int | None, typer.Option(help="Augmented copies per image, in addition to the original.", show_default="1")
    ] = None,
    augment_splits: Annotated[
        str | None,
        typer.Option(metavar="SPLITS", help="Splits that get copies: train,val", show_default="train or training"),
    ] = None,
    label_offset: Annotated[int, typer.Option(help="Number to subtract from the labels of TFRecords.")] = 0,
    text_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Format of a file of texts: 'label text', text, tsv, csv, jsonl.",
            show_default="by the extension",
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHAR", help="Character between columns, or tab.", show_default="by the extension"),
    ] = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the texts; output is UTF-8.", show_default="utf-8")
    ] = None,
    on_error: Annotated[str, typer.Option(metavar="MODE", help="Handling of bad samples: raise or skip.")] = "raise",
    errors: Annotated[
        str | None,
        typer.Option("--max-errors", metavar="N", help="Maximum number of bad samples: a count or a fraction."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Number of worker processes.", show_default="processors")] = None,
    executor: Annotated[
        str, typer.Option(metavar="NAME", help="Executor: processes (this machine) or ray (a cluster).")
    ] = "processes",
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDR", help="Address of the Ray cluster: HOST:PORT or auto.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DST when the new dataset is verified.")] = (
        False
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Convert between class-folders, TFRecords and texts; run the command again to resume."""
    from pipeline.conversion import Conversion
    from pipeline.conversion.estimate import estimate
    from pipeline.conversion.run import run

    if on_error not in ("raise", "skip"):
        raise typer.BadParameter(f"--on-error is raise or skip, got {on_error!r}")
    if copies is not None and augment is None:
        raise typer.BadParameter("--copies needs --augment: it is the number of augmented copies")
    options: dict[str, Any] = {
        "to": to,
        "shards": shards,
        "shard_size": None if shard_size is None else _parse_bytes(shard_size),
        "shuffle": shuffle,
        "seed": seed,
        "split": None if split is None else _parse_split(split),
        "stratify": stratify,
        "resize_short": resize_short,
        "image_size": None if size is None else image_size(size),
        "format": image_format,
        "quality": quality,
        "augment": augmentation(augment, (256, 256) if size is None else image_size(size)),
        "copies": 0 if augment is None else 1 if copies is None else copies,
        "augment_splits": None if augment_splits is None else [part.strip() for part in augment_splits.split(",")],
        "label_offset": label_offset,
        "text_format": text_format,
        "delimiter": "\t" if delimiter in ("tab", "\\t") else delimiter,
        "text_column": column(text_column),
        "label_column": column(label_column),
        "encoding": encoding,
        "on_error": on_error,
        "max_errors": max_errors(errors),
        "workers": workers,
        "executor": executor,
        "address": address,
        "overwrite": overwrite,
    }
    conversion = Conversion(source, destination, **options)
    if dry_run:
        _print_plan(estimate(conversion), json)
        return
    begin = time.perf_counter()
    with _show_progress() as watch:
        result = run(conversion, watch)
    if json:
        print_json(result)
    else:
        _print_result(result, time.perf_counter() - begin)


def _parse_bytes(text: str) -> int:
    """Parse a size: 1000000, 500KB, 128MiB."""
    units: dict[str, int] = {"": 1, "B": 1} | {
        f"{letter}{binary}B": (1024 if binary else 1000) ** power
        for power, letter in enumerate("KMGT", start=1)
        for binary in ("i", "")
    }
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([A-Za-z]*)", text.strip())
    by_name = {name.lower(): factor for name, factor in units.items()}
    if found is None or found[2].lower() not in by_name or not float(found[1]):
        raise typer.BadParameter(f"--shard-size is a size such as 128MiB, 500KB or 1000000; got {text!r}")
    return max(1, round(float(found[1]) * by_name[found[2].lower()]))


def _parse_split(text: str) -> dict[str, float]:
    """Parse the fractions of a split: train=.8,val=.2."""
    parts: dict[str, float] = {}
    for item in text.split(","):
        name, equals, fraction = item.partition("=")
        try:
            if not equals or name.strip() in parts:
                raise ValueError
            parts[name.strip()] = float(fraction)
        except ValueError:
            raise typer.BadParameter(
                f"--split is NAME=FRACTION,NAME=FRACTION, for example train=.8,val=.2; got {text!r}"
            ) from None
    return parts


_SHOW_EVERY_S = 0.1
"""Seconds between updates of the bar: an update takes as long as converting three small records."""


@contextlib.contextmanager
def _show_progress() -> "Iterator[Watch | None]":
    """Show a progress bar with rates, errors and remaining time on standard error, if that is a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("converting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rates]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rates="")
        begin, shown = time.perf_counter(), 0.0

        def watch(counts: Any) -> None:
            nonlocal shown
            seconds = time.perf_counter() - begin
            if seconds < shown + _SHOW_EVERY_S and counts.done < counts.total:
                return
            shown = seconds
            rates = f"{counts.done / seconds:,.0f} {counts.content}/s, {counts.bytes / 1e6 / seconds:,.0f} MB/s"
            bar.update(
                task,
                completed=counts.done,
                total=counts.total,
                rates=rates + f", {counts.errors:,} errors" * bool(counts.errors),
            )

        yield watch


def _print_plan(plan: "Estimate", json: bool) -> None:
    if json:
        print_json(plan.to_dict())
        return
    rows = [(shard.path, shard.examples, round(shard.bytes / 2**20, 1)) for shard in plan.shards]
    shown = rows if len(rows) <= 24 else [*rows[:12], ("...", 0, 0.0), *rows[-11:]]
    print_table("", ("shard", plan.content, "MiB (estimate)"), shown)
    print(
        f"{plan.examples:,} {plan.content} in {len(rows):,} {plan.unit}, about {plan.bytes / 2**20:,.1f} MiB and "
        f"{plan.seconds:,.1f} s (from {plan.measured} {plan.content}); dry run, nothing was written"
    )


def _print_result(result: dict[str, Any], seconds: float) -> None:
    from pipeline.conversion.reporting import describe_source_gaps

    parts: dict[str, dict[str, Any]] = result.get("splits", {"": result})
    for part, manifest in parts.items():
        files = (
            f" in {len(manifest['shards']):,} shards, {_sum_mebibytes(manifest):,.1f} MiB" if manifest["shards"] else ""
        )
        name = f"{part}: " if part else ""
        content = manifest["options"]["content"]
        print(f"{name}{manifest['num_examples']:,} {content}{files}, {manifest['num_skipped']:,} skipped")
    for line in describe_source_gaps(result):
        print(escape_unprintable(line))
    print(f"{seconds:.1f} s, {result['num_examples'] / seconds:,.0f} examples/s")


def _sum_mebibytes(manifest: dict[str, Any]) -> float:
    return float(sum(shard["bytes"] for shard in manifest["shards"])) / 2**20
