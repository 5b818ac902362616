"""Workloads: images, an augmentation and an output size.

`RECIPES` lists them; a new workload is one entry there. `prepare` runs once, in the parent process, and writes what all
contenders read; its result is plain data, which is sent to the contenders' processes as JSON.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import images
from benchmarks.contenders import CONVERSIONS, FROM_FILES, FROM_MEMORY, FROM_RECORDS, FROM_TEXTS, STARTING, Contender

SIZE = (224, 224)
VARIANTS = 10
"""Variants per text: the text itself and the nine of EDA's default."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One prepared workload.

    Attributes:
        name: its name.
        folder: class-folders with readable images only.
        count: samples per epoch.
        policy: the augmentation; see `transform`.
        size: (height, width) of the batches' images in pixels.
        batch_size: samples per batch.
        parallel: threads, processes or parallel calls that a contender may use.
        records: TFRecords of the folder, for workloads that read these.
        pixels: `.npy` of decoded images uint8 [N, H, W, 3], with the labels in `labels.npy` in the same folder.
        texts: the file of `label text` lines, for workloads that read texts.
    """

    name: str
    folder: str
    count: int
    policy: str
    size: tuple[int, int] = SIZE
    batch_size: int = 32
    parallel: int = 0
    records: str | None = None
    pixels: str | None = None
    texts: str | None = None

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-self.count // self.batch_size)

    def transform(self) -> Any:
        """Make the augmentation: an Albumentations composition that returns images of `size`."""
        import albumentations as A  # noqa: N812  # its users know it by this name

        from augment import policy

        if self.policy == "resize":
            return A.Compose([A.Resize(*self.size)])
        if self.policy == "pad_crop_flip":  # as for CIFAR in He et al. 2015 (arXiv:1512.03385), section 4.2
            return A.Compose([A.Pad(4), A.RandomCrop(*self.size), A.HorizontalFlip()])
        return policy(self.policy, self.size)

    def files(self) -> list[tuple[str, int]]:
        """List the images with their labels, sorted by class name."""
        return images.list_labeled_files(Path(self.folder))

    def to_dict(self) -> dict[str, Any]:
        """Convert it to plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> "Workload":
        """Make a workload from the result of `to_dict`."""
        return cls(**{**described, "size": tuple(described["size"])})


@dataclass(frozen=True, kw_only=True)
class WorkloadRecipe:
    """How to make a workload, and its contenders.

    Attributes:
        about: a short description.
        prepare: makes it: (name, data, an empty folder to write to, number of samples or None for all) -> `Workload`.
        contenders: its contenders by name.
        audit: `module:function` that audits a contender; see `benchmarks.audit.audit`. None for no audit.
        samples: `module:function` that writes the audit's data: (a folder to make) -> the data for `prepare`.
        unit: what the rate counts.
        command: what is timed: "epoch", or the "first" batch.
    """

    about: str
    prepare: Callable[[str, Path, Path, int | None], Workload]
    contenders: Mapping[str, Contender]
    audit: str | None = "benchmarks.audit:audit"
    samples: str = "benchmarks.audit:write_images"
    unit: str = "images"
    command: str = "epoch"


def prepare_files(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read the original photographs."""
    policy = {"light": "crop_flip"}.get(name, name)
    folder = images.link_images(data, scratch / "files", count)
    return _make_workload(name, folder, policy)


def prepare_first_batch(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read from a folder of many files: repeated links to the photographs."""
    return _make_workload(name, images.link_images(data, scratch / "files", count or 60_000), "full")


def prepare_small(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read images of 32 x 32 pixels: those of `data`, resized; at least 10,000."""
    folder = images.resize_images(images.link_images(data, scratch / "files"), scratch / "small", (32, 32))
    if count is None:
        count = max(10_000, len(images.list_labeled_files(folder)))
    return _make_workload(name, images.link_images(folder, scratch / "many", count), "pad_crop_flip", size=(32, 32))


def records(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read TFRecords of the photographs with their short sides resized to 256."""
    import pipeline

    folder = images.resize_images(images.link_images(data, scratch / "files", count), scratch / "short-256", 256)
    pipeline.convert(folder, scratch / "records", shards=4)
    return _make_workload(name, folder, "full", records=str(scratch / "records"))


def prepare_cached(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Start from decoded pixels, 256 x 256, in memory; at most 8,000 images (1.5 GiB)."""
    count = min(count or len(images.list_readable(data)), 8_000)
    folder = images.resize_images(images.link_images(data, scratch / "files", count), scratch / "256", (256, 256))
    return _make_workload(name, folder, "full", pixels=str(images.decode_images(folder, scratch / "pixels.npy")))


def texts(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read `label text` lines; each yields itself and nine variants, EDA's default."""
    from pipeline.errors import SourceError

    try:
        lines = [line for line in data.read_text("utf-8", "replace").splitlines() if line.partition(" ")[2].strip()]
    except OSError as error:
        raise SourceError(f"cannot read {data}: {error.strerror}; `text` needs a file of `label text` lines") from None
    if not lines:
        raise SourceError(f"no `label text` lines in {data}")
    chosen = lines[: None if count is None else max(1, count // VARIANTS)]
    file = scratch / "texts.txt"
    file.write_text("".join(f"{line}\n" for line in chosen), "utf-8")
    parallel = len(os.sched_getaffinity(0))
    return Workload(
        name=name,
        folder=str(scratch),
        count=VARIANTS * len(chosen),
        policy="eda",
        batch_size=128,
        parallel=parallel,
        texts=str(file),
    )


def _make_workload(name: str, folder: Path, policy: str, **options: Any) -> Workload:
    count, parallel = len(images.list_labeled_files(folder)), len(os.sched_getaffinity(0))
    return Workload(name=name, folder=str(folder), count=count, policy=policy, parallel=parallel, **options)


RECIPES: dict[str, WorkloadRecipe] = {
    "resize": WorkloadRecipe(about="decode, and resize to 224 x 224", prepare=prepare_files, contenders=FROM_FILES),
    "light": WorkloadRecipe(about="RandomResizedCrop and flip", prepare=prepare_files, contenders=FROM_FILES),
    "full": WorkloadRecipe(about="five transforms from JPEGs", prepare=prepare_files, contenders=FROM_FILES),
    "tfrecord": WorkloadRecipe(
        about="full, from TFRecords with a short side of 256", prepare=records, contenders=FROM_RECORDS
    ),
    "cached": WorkloadRecipe(
        about="full, from decoded 256 x 256 in memory", prepare=prepare_cached, contenders=FROM_MEMORY
    ),
    "small": WorkloadRecipe(
        about="pad, crop and flip of 32 x 32 files",
        prepare=prepare_small,
        contenders=FROM_FILES,
        samples="benchmarks.audit:write_small_images",
    ),
}
"""The workloads whose rate is measured, by name."""

FIRST_BATCH = WorkloadRecipe(
    about="time to the first batch of 60,000 files",
    prepare=prepare_first_batch,
    contenders=STARTING,
    command="first",
)
"""The workload of `python -m benchmarks first-batch`: a time, not a rate."""

WORKLOADS: dict[str, WorkloadRecipe] = {
    **RECIPES,
    "text": WorkloadRecipe(
        about="EDA, nine variants of each text (--data FILE of `label text` lines)",
        prepare=texts,
        contenders=FROM_TEXTS,
        audit="benchmarks.audit_texts:audit",
        samples="benchmarks.audit_texts:write_texts",
        unit="texts",
    ),
    "convert": WorkloadRecipe(
        about="pass-through into TFRecords, with a check of the number of records, against tar",
        prepare=prepare_files,
        contenders=CONVERSIONS,
        audit=None,
        unit="files",
    ),
    "first-batch": FIRST_BATCH,
}
"""All workloads by name; those outside `RECIPES` run only if they are named."""
