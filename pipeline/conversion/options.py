"""The options of a conversion, and their checks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import OptionError
from pipeline.images.formats import ENCODED_FORMATS
from pipeline.sources.text_row_formats import FORMATS as TEXT_FORMATS

if TYPE_CHECKING:
    from augment.plan.plan import Plan
    from pipeline.conversion.reencode import Reencoding

SHARD_BYTES = 128 * 2**20
"""Default size of a shard; TensorFlow's guide to TFRecords recommends 100 MB and more."""

SHARD_RECORDS = 16_384
"""Default maximum number of records per shard: small records, too, are divided among workers, and a kill costs at most
a second of work."""

MAX_SHARDS = 100_000
"""Maximum number of shards per split: their numbers have five digits."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """The definition of a conversion.

    The output is a pure function of the source and of the options down to `encoding`. The options below it choose who
    runs the conversion, and what happens to bad samples and to an existing destination.

    Attributes:
        source: anything that `pipeline.Loader` or `pipeline.TextLoader` takes.
        destination: the directory to create.
        to: "tfrecord" or "folder" (class-folders).
        shards: the number of TFRecord files, per split.
        shard_size: the approximate bytes per file, instead of `shards`; by default 128 MiB, and at most 16,384
            records. With re-encoding, the size of the source counts.
        shuffle: orders the records by the seed, so that every shard contains all classes. Without it the order of the
            source stays.
        seed: of order, split and augmentation, from 0.
        split: a fraction per name; the fractions add up to 1. Each split becomes a dataset in a subfolder.
        stratify: splits each class by itself.
        resize_short: the length of the shorter side in pixels.
        image_size: (height, width) in pixels, instead of `resize_short`.
        format: "jpeg", "png" or "webp".
        quality: of JPEG and WebP, 1 to 100; by default 95. If set, every image is re-encoded.
        augment: an Albumentations transform, composition or list, for augmented copies.
        copies: augmented copies per sample, in addition to the original.
        augment_splits: the names of the splits that get copies; by default "train" or "training".
        class_names: the classes in the order of their labels; by default those of the source.
        label_offset: a number to subtract from the labels of TFRecords.
        text_format: format of a file of labeled texts: "label text", "text" (no label), "tsv", "csv" or "jsonl"; None
            takes it from the extension. This option and the next four mark the source as texts.
        delimiter: the character between the columns of such a file; None is a tab in "tsv" and a comma in "csv".
        text_column: the column of the text in such a file: a name, or a number from 0.
        label_column: the column of the label.
        encoding: of the texts, by default UTF-8; texts that are not valid in it are read as Latin-1. The output is
            UTF-8.
        on_error: a bad sample ends the conversion ("raise"), or is skipped and listed in `skipped.jsonl` ("skip").
        max_errors: maximum number of bad samples: a count (int), a fraction (float), or None.
        workers: number of worker processes, by default the number of processors; 1 uses threads of this process.
        executor: "processes", or "ray" for the machines of a Ray cluster.
        address: the address of the cluster, for example "10.0.0.1:6379" or "auto".
        overwrite: replaces an existing converted dataset when the new one is verified. Nothing else is replaced.

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
    augment_splits: Sequence[str] | None = None
    class_names: Sequence[str] | None = None
    label_offset: int = 0
    text_format: Literal["label text", "text", "tsv", "csv", "jsonl"] | None = None
    delimiter: str | None = None
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
        """The target size and format of images; None passes their bytes through."""
        target = {
            "short_side": self.resize_short,
            "size": None if self.image_size is None else tuple(map(int, self.image_size)),
            "format": self.format,
            "quality": self.quality,
        }
        if all(value is None for value in target.values()):
            return None
        from pipeline.conversion.reencode import Reencoding  # imports OpenCV, which pass-through does not need

        return Reencoding(**target)  # type: ignore[arg-type]

    @property
    def plan(self) -> "Plan | None":
        """The compiled augmentation."""
        if self.augment is None:
            return None
        from augment.plan.plan import compile_for_images  # imports OpenCV and all transforms

        return compile_for_images(self.augment)

    @property
    def augmented_splits(self) -> tuple[str, ...]:
        """The splits that get augmented copies, in the order of `split`; empty without copies or without a split."""
        if self.split is None or not self.copies:
            return ()
        chosen = _TRAINING_NAMES if self.augment_splits is None else self.augment_splits
        return tuple(name for name in self.split if name in chosen)

    def get_copies(self, split: str) -> int:
        """Return the number of augmented copies per sample of a split."""
        return self.copies if self.split is None or split in self.augmented_splits else 0

    def get_output_options(self) -> dict[str, Any]:
        """Return the options that change the output, as the manifest lists them in JSON."""
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
            "delimiter",
            "text_column",
            "label_column",
            "encoding",
        )
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        options["image_size"] = None if self.image_size is None else list(map(int, self.image_size))
        options["split"] = (
            None if self.split is None else {name: float(fraction) for name, fraction in self.split.items()}
        )
        if self.shuffle or self.split is not None or self.copies:
            options["seed"] = int(self.seed)
        plan = self.plan
        options |= {} if plan is None else {"augment": plan.to_dict(), "copies": self.copies}
        options["augment_splits"] = list(self.augmented_splits) or None
        return {
            name: value
            for name, value in options.items()
            if value is not None and value is not False and (name, value) != ("label_offset", 0)
        }


_TRAINING_NAMES = ("train", "training")
"""The names of splits that get augmented copies by default; other splits measure a model on unchanged images."""

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "to": ("tfrecord", "folder"),
    "format": (*ENCODED_FORMATS, None),
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
    for name, choices in _CHOICES.items():
        if getattr(options, name) not in choices:
            yield f"{name} must be one of {', '.join(map(repr, choices))}; got {getattr(options, name)!r}"
    for name, (least, most, may_be_none) in _RANGES.items():
        value = getattr(options, name)
        if not (value is None and may_be_none) and not (_is_integer(value) and least <= value <= most):
            bounds = f"of at least {least}" if most == float("inf") else f"from {least} to {most:.0f}"
            yield f"{name} must be an integer {bounds}; got {value!r}"
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
        yield f"max_errors must be a count (int), a fraction from 0.0 to 1.0 (float), or None; got {bound!r}"
    if options.encoding is not None and not _is_encoding(options.encoding):
        yield f"encoding must be a text encoding that Python knows; got {options.encoding!r}"
    if options.split is not None:
        yield from _check_split(options.split)


def _check_split(split: Mapping[str, float]) -> Iterator[str]:
    if not isinstance(split, Mapping) or len(split) < 2:
        yield f"split must map two or more names to fractions; got {split!r}"
        return
    for name, fraction in split.items():
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            yield f"split name {name!r} is not a valid folder name; choose another"
        if not isinstance(fraction, Real) or not 0 < fraction < 1:
            yield f"the fraction of split {name!r} must be in (0, 1); got {fraction!r}"
    if all(isinstance(fraction, Real) for fraction in split.values()) and abs(sum(split.values()) - 1) > 1e-6:
        yield f"the fractions of split must add up to 1; got {dict(split)}"


def _check_augment_splits(options: Conversion) -> Iterator[str]:
    parts, split = options.augment_splits, options.split
    if parts is not None and (split is None or options.augment is None):
        yield "augment_splits needs split and augment: it names the splits that get copies"
    elif parts is not None and (isinstance(parts, str) or not parts or set(parts) - set(split or ())):
        yield f"augment_splits must be a list of names among {list(split or ())}; got {parts!r}"
    elif split is not None and options.copies and not options.augmented_splits:
        names = " or ".join(map(repr, _TRAINING_NAMES))
        yield f"split {list(split)} has no {names} to augment; set augment_splits to the splits that get copies"


def _check_combinations(options: Conversion) -> Iterator[str]:
    pairs = (
        (options.shards is not None and options.shard_size is not None, "set shards or shard_size, not both"),
        (
            options.resize_short is not None and options.image_size is not None,
            "set resize_short or image_size, not both",
        ),
        (options.stratify and options.split is None, "stratify needs split"),
        ((options.augment is None) != (options.copies == 0), "augment and copies must be set together"),
        (
            options.to == "folder" and options.shards is not None,
            'shards applies to to="tfrecord"; drop it for to="folder"',
        ),
        (options.address is not None and options.executor != "ray", 'address needs executor="ray"'),
    )
    yield from (message for wrong, message in pairs if wrong)
    yield from _check_augment_splits(options)


def _is_encoding(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        b"a".decode(name)
    except LookupError:  # also for "hex", a codec that is not a text encoding
        return False
    except UnicodeError:
        return True  # a text encoding in which one byte is not a text
    return True


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
