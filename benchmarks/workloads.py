"""What is measured: images, an augmentation, and the size of what is delivered.

`RECIPES` is the list; a new workload is one entry there. Its `prepare` makes what all contenders read, once, in the
parent process; what it returns is plain data and travels to the contenders' processes as JSON.
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
"""Of a text: itself and the nine that EDA makes unless asked otherwise."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One workload, ready to be read.

    Attributes:
        name: how it is asked for.
        folder: class-folders that hold nothing but images that decode.
        count: the number of samples in an epoch.
        policy: the augmentation; see `transform`.
        size: (height, width) of what is delivered, in pixels.
        batch_size: samples in a batch.
        parallel: threads, processes or parallel calls that a contender may use.
        records: TFRecords of the folder, where the workload is to read those.
        pixels: `.npy` of decoded images uint8 [N, H, W, 3], with the labels beside it in `labels.npy`.
        texts: the file of `label text` lines that stands in place of the folder, where texts are read.
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
        """The batches of an epoch."""
        return -(-self.count // self.batch_size)

    def transform(self) -> Any:
        """Make the augmentation: an Albumentations composition that gives images of `size`."""
        import albumentations as A  # noqa: N812  # its users know it by this name

        from augment import policy

        if self.policy == "resize":
            return A.Compose([A.Resize(*self.size)])
        if self.policy == "pad_crop_flip":  # as for CIFAR in He et al. 2015 (arXiv:1512.03385), section 4.2
            return A.Compose([A.Pad(4), A.RandomCrop(*self.size), A.HorizontalFlip()])
        return policy(self.policy, self.size)

    def files(self) -> list[tuple[str, int]]:
        """List the images with their labels, class by class in the order of the names."""
        return images.list_labeled_files(Path(self.folder))

    def to_dict(self) -> dict[str, Any]:
        """Describe it as JSON can."""
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> "Workload":
        """Make one from what `to_dict` gave."""
        return cls(**{**described, "size": tuple(described["size"])})


@dataclass(frozen=True, kw_only=True)
class WorkloadRecipe:
    """How a workload is made, and who can run it.

    Attributes:
        about: what it does, in a few words.
        prepare: makes it: (name, data, an empty folder to write to, how many samples or None for all) -> `Workload`.
        contenders: by name; what each can run.
        audit: `module:function` that checks what a contender delivers; see `benchmarks.audit.audit`. None where
            nothing is delivered.
        samples: `module:function` that writes what is audited: (a folder to make) -> what `prepare` takes as its data.
        unit: what is counted.
        command: what the contenders are asked for: "epoch", or the "first" batch.
    """

    about: str
    prepare: Callable[[str, Path, Path, int | None], Workload]
    contenders: Mapping[str, Contender]
    audit: str | None = "benchmarks.audit:audit"
    samples: str = "benchmarks.audit:write_images"
    unit: str = "images"
    command: str = "epoch"


def prepare_files(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read the photographs as they are."""
    policy = {"light": "crop_flip"}.get(name, name)
    folder = images.link_images(data, scratch / "files", count)
    return _make_workload(name, folder, policy)


def prepare_first_batch(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read from a folder of many files: the photographs again and again, as links."""
    return _make_workload(name, images.link_images(data, scratch / "files", count or 60_000), "full")


def prepare_small(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read images of 32 x 32 pixels: those of `data`, made smaller where they are larger; at least 10,000 of them."""
    folder = images.resize_images(images.link_images(data, scratch / "files"), scratch / "small", (32, 32))
    if count is None:
        count = max(10_000, len(images.list_labeled_files(folder)))
    return _make_workload(name, images.link_images(folder, scratch / "many", count), "pad_crop_flip", size=(32, 32))


def records(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read TFRecords of the photographs, their short sides resized to 256."""
    import pipeline

    folder = images.resize_images(images.link_images(data, scratch / "files", count), scratch / "short-256", 256)
    pipeline.convert(folder, scratch / "records", shards=4)
    return _make_workload(name, folder, "full", records=str(scratch / "records"))


def prepare_cached(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Begin with decoded pixels, 256 x 256, in memory; at most 8,000 images (1.5 GiB)."""
    count = min(count or len(images.list_readable(data)), 8_000)
    folder = images.resize_images(images.link_images(data, scratch / "files", count), scratch / "256", (256, 256))
    return _make_workload(name, folder, "full", pixels=str(images.decode_images(folder, scratch / "pixels.npy")))


def texts(name: str, data: Path, scratch: Path, count: int | None) -> Workload:
    """Read `label text` lines, of which each gives nine variants and itself: EDA's defaults."""
    from pipeline.errors import SourceError

    try:
        lines = [line for line in data.read_text("utf-8", "replace").splitlines() if line.partition(" ")[2].strip()]
    except OSError as error:
        raise SourceError(
            f"{data} cannot be read: {error.strerror}; `text` takes a file of `label text` lines"
        ) from None
    if not lines:
        raise SourceError(f"{data} holds no `label text` lines")
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
    about="until the first batch of 60,000 files",
    prepare=prepare_first_batch,
    contenders=STARTING,
    command="first",
)
"""What `python -m benchmarks first-batch` measures: a time, not a rate."""

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
        about="into TFRecords as they are, whose number of records is checked, beside tar",
        prepare=prepare_files,
        contenders=CONVERSIONS,
        audit=None,
        unit="files",
    ),
    "first-batch": FIRST_BATCH,
}
"""All that can be asked for by name; those that are no `RECIPES` are run only where they are."""
