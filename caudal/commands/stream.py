"""`caudal stream`: iterate a dataset, and report its rate and the digests of its batches."""

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from caudal.commands.options import JsonOption, LoaderOptions, SourceArgument, max_errors, shard, with_options
from caudal.output import describe_contents, import_tensorflow, print_contents, print_json, print_line, progress_bar

if TYPE_CHECKING:
    from pipeline import Loader
    from pipeline.progress import Progress


@dataclass
class _Stream:
    """The counts and digests of a stream so far."""

    images: int = 0
    seconds: float = 0.0
    batches: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return hashlib.sha256("".join(self.batches).encode()).hexdigest()


@with_options
def stream(
    source: SourceArgument,
    options: LoaderOptions = LoaderOptions(size="256x256"),
    label_mode: Annotated[str, typer.Option(metavar="MODE", help="Labels: int, categorical, binary or none.")] = "int",
    shuffle: Annotated[bool, typer.Option(help="Shuffle, differently in each epoch.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of order and augmentation.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 1,
    epoch: Annotated[int, typer.Option(min=0, help="First epoch.")] = 0,
    step: Annotated[int, typer.Option(min=0, help="First step within the first epoch.")] = 0,
    part: Annotated[str, typer.Option("--shard", metavar="I/N", help="Shard I of N.")] = "0/1",
    errors: Annotated[
        str | None,
        typer.Option("--max-errors", metavar="N", help="Maximum number of bad samples: a count or a fraction."),
    ] = None,
    digest: Annotated[bool, typer.Option(help="Print SHA-256 digests of batches and stream.")] = False,
    keys: Annotated[bool, typer.Option(help="List the samples' keys in order.")] = False,
    json: JsonOption = False,
) -> None:
    """Iterate a dataset: print images/s and, with --digest, SHA-256 digests of batches and stream."""
    if label_mode not in ("int", "categorical", "binary", "none"):
        raise typer.BadParameter(f"--label-mode must be int, categorical, binary or none, got {label_mode!r}")
    most = max_errors(errors)
    if most is not None and options.on_error == "raise":
        raise typer.BadParameter("--max-errors needs --on-error skip or replace: raise stops at the first bad sample")
    tf = import_tensorflow()
    loader = options.loader(
        source,
        label_mode=None if label_mode == "none" else label_mode,
        shuffle=shuffle,
        seed=seed,
        shard=shard(part),
        max_errors=most,
    )
    result = _Stream()
    try:
        with progress_bar("streaming", "batches") as progress:
            _consume(loader, epoch, step, epochs, result, digest, keys, progress)
    except tf.errors.OpError:
        if loader.failure is None:
            raise
        raise loader.failure from None
    _report(loader, result, digest, keys, json)


def _consume(
    loader: "Loader",
    epoch: int,
    step: int,
    epochs: int,
    result: _Stream,
    digest: bool,
    keys: bool,
    progress: "Progress",
) -> None:
    dataset = loader.dataset(epoch, step, with_keys=True)
    steps = loader.steps_per_epoch * epochs - step
    begin, done = time.perf_counter(), 0
    for _ in range(epochs):
        for batch in dataset.as_numpy_iterator():
            result.images += len(batch[0])
            if digest:
                result.batches.append(hashlib.sha256(b"".join(part.tobytes() for part in batch[:-1])).hexdigest())
            if keys:
                result.keys += [key.decode("utf-8", "surrogateescape") for key in batch[-1]]
            done += 1
            progress(done, steps)
    result.seconds = time.perf_counter() - begin


def _report(loader: "Loader", result: _Stream, digest: bool, keys: bool, json: bool) -> None:
    rate = result.images / result.seconds
    if json:
        print_json(
            {"images": result.images, "seconds": round(result.seconds, 4), "images_per_second": round(rate, 1)}
            | ({"digest": result.digest, "batches": result.batches} if digest else {})
            | ({"keys": result.keys} if keys else {})
            | describe_contents(loader)
            | {"errors": [{"sample": row.sample, "stage": row.stage, "reason": row.reason} for row in loader.errors]}
        )
        return
    for key in result.keys:
        print_line(key)
    for row in loader.errors:
        print_line(f"bad: {row.sample} ({row.stage}): {row.reason}")
    print_contents(describe_contents(loader))
    print_line(f"{result.images:,} images in {result.seconds:.2f} s: {rate:,.0f} images/s")
    if digest:
        print_line(f"digest {result.digest}")
