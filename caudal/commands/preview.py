"""`caudal preview`: what an augmentation does to a dataset's own images, as pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caudal.commands.options import AUGMENT, JsonOption, SizeOption, SourceArgument, augmentation, image_size
from caudal.output import escape_unprintable, import_tensorflow, print_contents, print_json, print_line, progress_bar

if TYPE_CHECKING:
    from pipeline.errors import SampleError
    from training.preview.samples import Augmenter, PreviewSample

_PictureReport = tuple[dict[str, Any], list[str]]
"""The report on a picture, for programs and for people."""


@dataclass(frozen=True)
class _PreviewRequest:
    """The samples, the augmentation and the options of a preview."""

    samples: "list[PreviewSample]"
    augmenter: "Augmenter"
    epochs: range
    size: tuple[int, int]
    name: str
    source_name: str

    def heading(self, what: str) -> str:
        """Return a heading that names the augmentation and the dataset."""
        return f"{self.name} on {self.source_name}: {what}"


def preview(
    source: SourceArgument,
    augment: Annotated[str, AUGMENT] = "full",
    out: Annotated[str, typer.Option(metavar="PNG", help="PNG file to write.")] = "preview.png",
    html: Annotated[
        bool, typer.Option("--html", help="Also write OUT.html, a page that shows the transforms step by step.")
    ] = False,
    transform_grid: Annotated[
        bool, typer.Option("--transform-grid", help="Show each transform alone, from weak to strong, on one sample.")
    ] = False,
    stress: Annotated[
        bool,
        typer.Option("--stress", help="Show the samples that each transform changes most: are the labels still right?"),
    ] = False,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of samples, alternating between classes.", show_default="6, or 60 with --stress"
        ),
    ] = None,
    versions: Annotated[
        int | None, typer.Option(min=1, help="Augmented versions per sample, one per epoch.", show_default="4")
    ] = None,
    epoch: Annotated[int | None, typer.Option(min=0, help="First epoch.", show_default="0")] = None,
    size: SizeOption = "224x224",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the augmentation and of the selected samples.")] = 0,
    annotations: Annotated[
        str | None, typer.Option(metavar="JSON", help="COCO file whose boxes and keypoints are drawn.")
    ] = None,
    masks: Annotated[
        str | None, typer.Option(metavar="DIR", help="Directory like SRC with one PNG mask per image.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print how the augmentation is computed.")] = False,
    json: JsonOption = False,
) -> None:
    """Draw images before and after augmentation: originals on the left, network inputs to their right."""
    if transform_grid and stress:
        raise typer.BadParameter("--transform-grid and --stress exclude each other; use one")
    if html and (transform_grid or stress):
        raise typer.BadParameter("--html works without --transform-grid and --stress only; drop one of them")
    of_versions = {"--samples": samples, "--versions": versions, "--epoch": epoch}
    if transform_grid and (unused := [name for name, value in of_versions.items() if value is not None]):
        raise typer.BadParameter(f"--transform-grid shows one sample without epochs; drop {', '.join(unused)}")
    if Path(out).suffix.lower() != ".png":
        raise typer.BadParameter(f"--out must end in .png, got {out!r}")
    from pipeline.images.decode import Decoder
    from pipeline.sources import open_source
    from training.preview.annotations import Annotations
    from training.preview.samples import Augmenter, choose

    pixels = image_size(size)
    transform = augmentation(augment, pixels)
    import_tensorflow()
    bad: list[SampleError] = []
    count = samples or (60 if stress else 6)
    opened = open_source(source, max_bytes=Decoder().max_bytes)
    targets = Annotations(annotations, masks)
    chosen = choose(opened, count, seed, targets, bad.append)
    request = _PreviewRequest(
        chosen,
        Augmenter(transform, pixels, seed, has_boxes=annotations is not None),
        range(epoch or 0, (epoch or 0) + (versions or 4)),
        pixels,
        Path(augment).name if Path(augment).is_file() else augment,
        escape_unprintable(Path(source).name or source),
    )
    make = _draw_stress if stress else _draw_grid if transform_grid else _draw_with_page if html else _draw_versions
    report, lines = make(request, out)
    report["passed_over"] = list(map(str, bad))
    if bad:
        lines.append(f"skipped: {len(bad)} samples that cannot be decoded, for example {bad[0]}")
    plan = "" if request.augmenter.plan is None else request.augmenter.plan.explain()
    empty = list(getattr(opened, "empty_classes", ()))
    report |= {"ignored_files": dict(opened.ignored_files), "empty_classes": empty}
    if json:
        print_json(report | ({"plan": plan} if explain else {}))
        return
    for line in lines:
        print_line(line)
    print_contents(report)
    if explain:
        for line in (plan or "no augmentation").split("\n"):
            print_line(line)


def _draw_with_page(request: _PreviewRequest, out: str) -> _PictureReport:
    return _draw_versions(request, out, with_page=True)


def _draw_versions(request: _PreviewRequest, out: str, *, with_page: bool = False) -> _PictureReport:
    from training.preview.page import page, write_page
    from training.preview.versions import versions, versions_sheet

    samples = versions(request.samples, request.augmenter, request.epochs)
    heading = request.heading("network input of each sample, one column per epoch")
    pictures = [_write_picture(versions_sheet(samples, request.epochs, heading).draw, out)]
    if with_page:
        plan = "no augmentation" if request.augmenter.plan is None else request.augmenter.plan.explain()
        contents = page(samples, request.epochs, request.heading("the transforms of each sample, step by step"), plan)
        pictures.append(_write_picture(partial(write_page, contents=contents), str(Path(out).with_suffix(".html"))))
    failed = [f"{one.sample.key}, epoch {epoch}: {text}" for one in samples for epoch, text in one.errors.items()]
    lines = [f"{picture}: {len(samples)} samples, {len(request.epochs)} versions per sample" for picture in pictures]
    sample_reports = [
        {
            "key": one.sample.key,
            "class": one.sample.class_name,
            "versions": [
                {"epoch": epoch, "steps": [[step.name, step.values] for step in augmented.steps] if augmented else []}
                for epoch, augmented in zip(request.epochs, one.augmented, strict=True)
            ],
        }
        for one in samples
    ]
    report = {"pictures": pictures, "samples": sample_reports, "errors": failed}
    return report, lines + [f"failed: {one}" for one in failed]


def _draw_grid(request: _PreviewRequest, out: str) -> _PictureReport:
    from pipeline.errors import OptionError
    from training.preview.strengths import list_distinct_leaves, strengths_sheet

    plan = request.augmenter.plan
    if plan is None:
        raise OptionError("--transform-grid needs an augmentation with transforms; this one has none")
    heading = request.heading("each transform alone, over its range of strength")
    picture = _write_picture(strengths_sheet(plan, request.samples[0], request.size, heading).draw, out)
    key = request.samples[0].key
    line = f"{picture}: {len(list_distinct_leaves(plan))} transforms, each alone, on {key}"
    return {"pictures": [picture], "sample": key}, [line]


def _draw_stress(request: _PreviewRequest, out: str) -> _PictureReport:
    from pipeline.errors import OptionError
    from training.preview.stress import stress, stress_sheet

    with progress_bar("changing samples", "samples") as progress:
        changes, failed = stress(request.samples, request.augmenter, request.epochs, request.size, progress=progress)
    if not changes:
        reason = f": {failed[0]}" if failed else ""
        raise OptionError(f"--stress could apply no transform{reason}")
    heading = request.heading("each transform alone, on the samples that it changes most. Is the label still right?")
    picture = _write_picture(stress_sheet(changes, heading).draw, out)
    worst = [
        {
            "transform": change.transform,
            "sample": change.sample.key,
            "class": change.sample.class_name,
            "epoch": change.epoch,
            "similarity": round(change.similarity, 4),
            "values": change.values,
        }
        for own in changes
        for change in own
    ]
    lines = [
        f"{picture}: the samples, of {len(request.samples)}, that each transform changes most",
        *(f"{own[0].transform}: {own[0].sample.key} (similarity {own[0].similarity:.2f})" for own in changes),
        *(f"failed {one}" for one in failed),
    ]
    return {"pictures": [picture], "changes": worst, "errors": failed}, lines


def _write_picture(write: Callable[[str], Path], out: str) -> str:
    from pipeline.errors import OptionError

    try:
        return str(write(out))
    except OSError as error:
        raise OptionError(f"{out} cannot be written: {error.strerror}") from None
