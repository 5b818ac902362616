"""The loader of texts, and the `tf.data.Dataset` that it makes."""

import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Literal

from augment import keys
from augment.errors import AugmentError
from augment.text.eda import EDA
from augment.text.specification import to_dict
from augment.text.transforms import TextTransform
from augment.text.variants import Variants
from pipeline.base_loader import BaseLoader, delivering
from pipeline.errors import OptionError
from pipeline.ledger import Ledger
from pipeline.options import check_classes, check_common, check_integer
from pipeline.sources.base import Source, digest
from pipeline.sources.row_formats import FORMATS
from pipeline.sources.rows import RowSource
from pipeline.sources.text import open_text_source
from pipeline.text_stages import MakeVariants, TextDecoder, TextStages, check_encoding
from pipeline.text_workers import TextWorkers


@dataclass(frozen=True, eq=False)
class TextLoader(BaseLoader):
    """The definition of a dataset of texts: where the samples are, their order, and what is done to each.

    What is said of `pipeline.Loader` holds here, too: everything is a pure function of the options, the epoch and the
    position. Files are read where they are needed.

    Attributes:
        source: a class-folder directory of .txt files; a TFRecord file, directory, glob or list of files, with features
            `text`, `label` and `label/text`; or a file of rows: `label text` lines, TSV, CSV or JSONL.
        batch_size: samples in a batch; None delivers single samples.
        augment: an `augment.text.EDA`, a transform of `augment.text`, or None.
        num_aug: None delivers each text once an epoch, augmented. A number delivers it as it is, and in so many
            variants: an epoch is `num_aug + 1` times as long. Variants are new in each epoch, those of an EDA distinct:
            `EDA(num_aug=n)(text, key=(seed, epoch, index))`, with the text's number in the source.
        label_mode: "int" (int32 [B]), "categorical" (one-hot float32 [B, classes]), "binary" (float32 [B, 1]) or None
            (no labels).
        class_names: the classes in the order of their labels, and no others; by default all, sorted (numbers as
            numbers). Once made, a loader has the names here in any case.
        format: of a file of rows: "label text", "text" (no label), "tsv", "csv" or "jsonl"; None tells it by the
            extension, and what has none of those as "label text".
        text_column: the column of the text in such a file, by name or by number from 0 on; by default "text",
            "sentence" or the like in the header, or column 1 where there is no header.
        label_column: the same for the label; by default "label" or the like, or column 0.
        encoding: of the texts.
        fallback: what a text that is not in `encoding` is read in, which `recoded` counts; None makes it a bad sample.
        shuffle: a new order of all samples in each epoch; False keeps the order of the source.
        seed: of the order, the augmentation and the split, from 0 on; None draws one and logs it.
        validation_split: the share of the texts that makes up the validation part, between 0 and 1.
        subset: which part this loader delivers: "training" or "validation". All copies of a text are in one.
        stratify: splits each class by itself, so that both parts have the same shares of the classes.
        limit: how many texts of that part take part at all: a number (int), a share (float), or all (None). They are
            chosen by the seed so that each class keeps its share, and a smaller limit's texts are among a larger one's.
        shard: (index, count): this loader delivers the index-th of count parts of each epoch.
        drop_remainder: leaves out a last batch that is not full.
        on_error: what a bad sample does: "raise"; "skip" (it is left out, its batch is smaller); or "replace" (the next
            good sample takes its place).
        max_errors: under "skip" and "replace", how many bad samples are borne: a number (int), a share of all samples
            (float), or any (None).
        label_offset: subtracted from the labels in TFRecords: 1 where the classes are counted from 1.
        workers: processes that augment. By default as many as `num_parallel_calls`, and none where that is 1, or where
            `augment` holds what cannot be told to another process (nlpaug, a function of yours).
        num_parallel_calls: batches that are computed at once; by default the number of usable processors.
        prefetch: batches that are kept ready.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
        SourceError: the source cannot be opened, or holds no sample.
    """

    source: Any
    _: KW_ONLY
    batch_size: int | None = 32
    augment: EDA | TextTransform | None = None
    num_aug: int | None = None
    label_mode: Literal["int", "categorical", "binary"] | None = "int"
    class_names: Sequence[str] | None = None
    format: Literal["label text", "text", "tsv", "csv", "jsonl"] | None = None
    text_column: str | int | None = None
    label_column: str | int | None = None
    encoding: str = "utf-8"
    fallback: str | None = "latin-1"
    shuffle: bool = True
    seed: int | None = 0
    validation_split: float | None = None
    subset: Literal["training", "validation"] | None = None
    stratify: bool = False
    limit: float | None = None
    shard: tuple[int, int] = (0, 1)
    drop_remainder: bool = False
    on_error: Literal["raise", "skip", "replace"] = "raise"
    max_errors: float | None = None
    label_offset: int = 0
    workers: int | None = None
    num_parallel_calls: int | None = None
    prefetch: int = 2

    def __post_init__(self) -> None:
        self._draw_seed()
        check_common(self)
        self._check()
        object.__setattr__(self, "shard", tuple(map(int, self.shard)))
        object.__setattr__(self, "class_names", self._source.class_names)
        self._check_encodings(rows=isinstance(self._source, RowSource))
        check_classes(self)
        _ = self._variants  # what cannot be told to workers is refused now

    @property
    def recoded(self) -> tuple[str, ...]:
        """The keys of the texts met so far that were not in `encoding`, and were read in `fallback`."""
        return self._decoder.recoded

    @cached_property
    def fingerprint(self) -> str:
        """Names what the loader delivers: equal fingerprints, equal streams."""
        delivered = (self.batch_size, self.label_mode, self.encoding, self.fallback, self.shuffle, self.num_aug)
        chosen = (
            self.seed,
            self.validation_split,
            self.subset,
            self.stratify,
            self.limit,
            self.shard,
            self.drop_remainder,
        )
        return digest((self._source.fingerprint, self._described, delivered, chosen, self.on_error))

    def _check(self) -> None:
        for name, least in (("num_aug", 1), ("workers", 0)):
            for message in check_integer(name, getattr(self, name), least, may_be_none=True):
                raise OptionError(message)
        if self.augment is not None and not isinstance(self.augment, (EDA, TextTransform)):
            raise OptionError(f"augment must be an EDA or a transform of augment.text, got {self.augment!r}")
        if self.num_aug is not None and self.augment is None:
            raise OptionError("num_aug says how many variants there are of each text, and needs augment to make them")
        if self.format not in (*FORMATS, None):
            raise OptionError(f"format must be one of {', '.join(map(repr, FORMATS))}, or None; got {self.format!r}")
        self._check_encodings(rows=False)

    def _check_encodings(self, *, rows: bool) -> None:
        check_encoding("encoding", self.encoding, rows=rows)
        if self.fallback is not None:
            check_encoding("fallback", self.fallback, rows=rows)

    @property
    def _described(self) -> str:
        try:
            return repr(None if self.augment is None else to_dict(self.augment))
        except AugmentError:
            return repr(self.augment)

    @cached_property
    def _source(self) -> Source:
        return open_text_source(
            self.source,
            class_names=self.class_names,
            label_offset=self.label_offset,
            kind=self.format,
            text_column=self.text_column,
            label_column=self.label_column,
        )

    @cached_property
    def _decoder(self) -> TextDecoder:
        return TextDecoder(self.encoding, self.fallback)

    @cached_property
    def _variants(self) -> MakeVariants | None:
        if self.augment is None:
            return None
        count = self.workers if self.workers is not None else self.num_parallel_calls or len(os.sched_getaffinity(0))
        if count > (1 if self.workers is None else 0):
            try:
                return TextWorkers(self.augment, self.num_aug, count)
            except AugmentError as error:
                if self.workers is not None:
                    raise OptionError(f"workers={self.workers}: {error}; workers=0 augments in this process") from None
        return Variants(self.augment, self.num_aug)

    @cached_property
    def _stages(self) -> TextStages:
        copies = None if self.num_aug is None else self.num_aug + 1
        order = self._order(len(self._source) if self._members is None else len(self._members), copies or 1)
        return TextStages(
            order=order,
            members=self._members,
            source=self._source,
            decoder=self._decoder,
            variants=self._variants,
            copies=copies,
            augment_key=keys.fold_in(self._key, "augment"),
            label_mode=self.label_mode,
            ledger=Ledger(self.on_error, self.max_errors, max(1, len(order) // (copies or 1))),
            replaces=self.on_error == "replace",
        )


text_dataset = delivering(
    TextLoader,
    "text_dataset",
    """Make a dataset of texts: `TextLoader(...).dataset()`.

    Takes the parameters of `pipeline.TextLoader`, and returns a `tf.data.Dataset` of (text, label), strings [B] and
    labels, that goes into `TextVectorization` and `model.fit`; iterating it again gives the next epoch. The definition
    is attached as `.loader`, the classes as `.class_names`.
    """,
)
