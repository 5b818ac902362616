"""The options of a conversion, and what can be wrong with them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import OptionError
from pipeline.images.encode import FORMATS
from pipeline.sources.row_formats import FORMATS as TEXT_FORMATS

if TYPE_CHECKING:
    from augment.plan.plan import Plan
    from pipeline.conversion.reencode import Reencoding

SHARD_BYTES = 128 * 2**20
"""The size that shards are given by default: large enough to read in one stretch, small enough to share out among
workers (TensorFlow's guide to TFRecords recommends 100 MB and more)."""

SHARD_RECORDS = 16_384
"""The records that a shard has by default at most: so that small ones, too, are shared out among workers, and a kill
costs no more than a second of work."""

MAX_PARTS = 100_000
"""Shards of a part: their numbers have five digits."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """The definition of a conversion: what is read, what is written, and how.

    What is written is a pure function of the source and of the options down to `encoding`; the others say who does
    it and what happens on the way.

    Attributes:
        source: anything that `pipeline.Loader` or `pipeline.TextLoader` takes.
        destination: the directory to make.
        to: "tfrecord" or "folder" (class-folders).
        shards: the number of TFRecord files, in each part of a split.
        shard_size: about how many bytes a file has, instead of their number; by default 128 MiB, and
            16,384 records at most. With re-encoding it is measured by what is read.
        shuffle: mixes the records by the seed, so that every shard holds all classes; otherwise the order of the source
            stays.
        seed: of order, split and augmentation, from 0 on.
        split: names of parts and their shares, which add up to 1: each part becomes a dataset in a subfolder.
        stratify: splits each class by itself.
        resize_short: the length of the shorter side in pixels.
        image_size: (height, width) in pixels, instead.
        format: "jpeg", "png" or "webp".
        quality: of JPEG and WebP, 1 to 100; by default 95. Given by itself it re-encodes every image.
        augment: an Albumentations transform, composition or list, for augmented copies.
        copies: of each sample, beside the original.
        class_names: the classes in the order of their labels; by default what the source says.
        label_offset: subtracted from the labels of a source of TFRecords.
        text_format: of a file of labelled texts: "label text", "text" (no label), "tsv", "csv" or "jsonl"; None tells
            it by the extension. This and the next three say that the source holds texts, where that is not evident.
        text_column: the column of the text in such a file, by name or by number from 0 on.
        label_column: the same for the label.
        encoding: of the texts, by default UTF-8; what is not in it is read as Latin-1. Written is UTF-8.
        on_error: whether a bad sample ends the job ("raise") or is left out and listed in `skipped.jsonl` ("skip").
        max_errors: how many are left out at most: a number (int), a share (float), or any (None).
        workers: processes; by default as many as there are processors. Threads of this process where it is one.
        executor: "processes", or "ray" for the machines of a Ray cluster.
        address: of the cluster, for example "10.0.0.1:6379" or "auto".
        overwrite: replaces a destination that is a converted dataset and nothing else, once the new one is verified.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
    """

    source: Any
    destination: str | os.PathLike[str]
    _: KW_ONLY
    to: Literal["tfrecord", "folder"] = "tfrecord"
    shards: int | None = None
    shard_size: int | None = None
    shuffle: bool = False
    seed: int = 0
    split: Mapping[str, float] | None = None
    stratify: bool = False
    resize_short: int | None = None
    image_size: tuple[int, int] | None = None
    format: Literal["jpeg", "png", "webp"] | None = None
    quality: int | None = None
    augment: Any = None
    copies: int = 0
    class_names: Sequence[str] | None = None
    label_offset: int = 0
    text_format: Literal["label text", "text", "tsv", "csv", "jsonl"] | None = None
    text_column: str | int | None = None
    label_column: str | int | None = None
    encoding: str | None = None
    on_error: Literal["raise", "skip"] = "raise"
    max_errors: float | None = None
    workers: int | None = None
    executor: Literal["processes", "ray"] = "processes"
    address: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        for messages in (_check_values(self), _check_combinations(self)):
            for message in messages:
                raise OptionError(message)

    @property
    def target(self) -> Path:
        """The destination, without links and dots."""
        return Path(os.path.realpath(self.destination))

    @property
    def reencoding(self) -> "Reencoding | None":
        """What images are made to be; None where their bytes are passed through."""
        wanted = {
            "short_side": self.resize_short,
            "size": None if self.image_size is None else tuple(map(int, self.image_size)),
            "format": self.format,
            "quality": self.quality,
        }
        if all(value is None for value in wanted.values()):
            return None
        from pipeline.conversion.reencode import Reencoding  # OpenCV, which passing bytes through does not need

        return Reencoding(**wanted)  # type: ignore[arg-type]

    @property
    def plan(self) -> "Plan | None":
        """The compiled augmentation."""
        if self.augment is None:
            return None
        from augment.plan.plan import Plan  # OpenCV and all transforms

        plan = Plan(self.augment)
        plan.check_inputs()
        return plan

    def get_output_options(self) -> dict[str, Any]:
        """Give the options that shape what is written, as JSON holds them and the manifest lists them."""
        names = (
            "to",
            "shards",
            "shard_size",
            "shuffle",
            "stratify",
            "resize_short",
            "format",
            "quality",
            "label_offset",
            "text_format",
            "text_column",
            "label_column",
            "encoding",
        )
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        options["image_size"] = None if self.image_size is None else list(map(int, self.image_size))
        options["split"] = None if self.split is None else {name: float(share) for name, share in self.split.items()}
        if self.shuffle or self.split is not None or self.copies:
            options["seed"] = int(self.seed)
        plan = self.plan
        options |= {} if plan is None else {"augment": plan.to_dict(), "copies": self.copies}
        return {
            name: value
            for name, value in options.items()
            if value is not None and value is not False and (name, value) != ("label_offset", 0)
        }


_KNOWN: dict[str, tuple[str | None, ...]] = {
    "to": ("tfrecord", "folder"),
    "format": (*FORMATS, None),
    "on_error": ("raise", "skip"),
    "executor": ("processes", "ray"),
    "text_format": (*TEXT_FORMATS, None),
}
_RANGES: dict[str, tuple[int, float, bool]] = {
    "shard_size": (1, float("inf"), True),
    "seed": (0, float("inf"), False),
    "resize_short": (1, 65_535, True),
    "quality": (1, 100, True),
    "copies": (0, 10_000, False),
    "workers": (1, 1_024, True),
}


def _check_values(options: Conversion) -> Iterator[str]:
    for name, known in _KNOWN.items():
        if getattr(options, name) not in known:
            yield f"{name} must be one of {', '.join(map(repr, known))}; got {getattr(options, name)!r}"
    for name, (least, most, may_be_none) in _RANGES.items():
        value = getattr(options, name)
        if not (value is None and may_be_none) and not (_is_integer(value) and least <= value <= most):
            upper = "" if most == float("inf") else f" to {most:.0f}"
            yield f"{name} must be an integer from {least}{upper}{' on' * (not upper)}, got {value!r}"
    size = options.image_size
    if size is not None and not (
        isinstance(size, Sequence) and len(size) == 2 and all(_is_integer(side) and 0 < side <= 65_535 for side in size)
    ):
        yield f"image_size must be (height, width) in pixels, or None; got {size!r}"
    bound = options.max_errors
    if (
        bound is not None
        and not (_is_integer(bound) and bound >= 0)
        and not (isinstance(bound, float) and 0 <= bound <= 1)
    ):
        yield f"max_errors must be a number (int), a share from 0.0 to 1.0 (float), or None; got {bound!r}"
    if options.encoding is not None and not _is_encoding(options.encoding):
        yield f"encoding must be one that Python knows, got {options.encoding!r}"
    if options.split is not None:
        yield from _check_split(options.split)


def _check_split(split: Mapping[str, float]) -> Iterator[str]:
    if not isinstance(split, Mapping) or len(split) < 2:
        yield f"split must name two parts or more with their shares, got {split!r}"
        return
    for name, share in split.items():
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            yield f"a part of a split is named {name!r}, which is no name for a folder"
        if not isinstance(share, Real) or not 0 < share < 1:
            yield f"the share of {name!r} must lie between 0 and 1, got {share!r}"
    if all(isinstance(share, Real) for share in split.values()) and abs(sum(split.values()) - 1) > 1e-6:
        yield f"the shares of a split must add up to 1, got {dict(split)}"


def _check_combinations(options: Conversion) -> Iterator[str]:
    pairs = (
        (options.shards is not None and options.shard_size is not None, "give shards or shard_size, not both"),
        (
            options.resize_short is not None and options.image_size is not None,
            "give resize_short or image_size, not both",
        ),
        (options.stratify and options.split is None, "stratify needs split"),
        ((options.augment is None) != (options.copies == 0), "augment and copies must be given together"),
        (options.to == "folder" and options.shards is not None, 'shards are of TFRecords, and to="folder" makes files'),
        (options.address is not None and options.executor != "ray", 'address is for executor="ray"'),
    )
    yield from (message for wrong, message in pairs if wrong)


def _is_encoding(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        b"a".decode(name)
    except LookupError:  # of "hex", too, which is a codec, but none of text
        return False
    except UnicodeError:
        return True  # one byte is no text in it
    return True


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
