"""The loader of texts: the definition of a stream, and the `tf.data.Dataset` that it builds."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from augment import keys
from augment.description import digest as digest_contents
from augment.errors import AugmentError
from augment.text.eda import EDA
from augment.text.specification import to_dict
from augment.text.transforms import TextTransform
from augment.text.variants import Variants
from pipeline.base_loader import BaseLoader, dataset_function
from pipeline.errors import OptionError
from pipeline.identity import make_fingerprint
from pipeline.options import check_integer
from pipeline.sources.base import Source
from pipeline.sources.rows import RowSource
from pipeline.sources.text import open_text_source
from pipeline.sources.text_format import TextFormat
from pipeline.texts.stages import MakeVariants, TextDecoder, TextStages
from pipeline.texts.workers import TextWorkers


@dataclass(frozen=True, kw_only=True, eq=False)
class TextLoader(BaseLoader):
    """The definition of a dataset of texts: its source, order, augmentation and batches.

    As in `pipeline.Loader`, the stream is a pure function of the options, the epoch and the position. Files are read
    when they are needed.

    Data:
        source: a class-folder directory of .txt files; a TFRecord file, directory, glob or list of files, with features
            `text`, `label` and `label/text`; or a file of rows: `label text` lines, TSV, CSV or JSONL.
        format: of a file of rows: "label text", "text" (no label), "tsv", "csv" or "jsonl"; None takes it from the
            extension. A `pipeline.TextFormat` also sets columns and encodings.
        batch_size: number of samples per batch; None yields single samples.
        label_mode: "int" (int32 [B]), "categorical" (one-hot float32 [B, classes]), "binary" (float32 [B, 1]) or None
            (no labels).
        class_names: the classes in the order of their labels; all other classes are dropped. By default all classes,
            sorted (numbers as numbers). A loader always has the names in this attribute.
        label_offset: number to subtract from the labels of TFRecords: 1 if their classes count from 1.

    Order:
        shuffle: draws a new order of all samples in each epoch; False keeps the order of the source.
        seed: seed of the order, the augmentation and the split, from 0; None draws a seed and logs it.
        shard: (index, count): this loader yields shard `index` of the `count` shards of each epoch.
        drop_remainder: drops a last batch that is not full.

    Subset:
        validation_split: fraction of the texts in the validation subset, between 0 and 1.
        subset: the subset to yield: "training" or "validation". All copies of a text are in one subset.
        stratify: splits each class separately, so that both subsets have the same fractions of the classes.
        limit: number of texts of the subset to use: a count (int), a fraction (float), or all (None). The seed chooses
            them, each class keeps its fraction, and a smaller limit's texts are among a larger one's.

    Augmentation:
        augment: an `augment.text.EDA`, a transform of `augment.text`, or None.
        num_aug: None yields each text once per epoch, augmented. A number yields it unchanged and in that many
            variants: an epoch is `num_aug + 1` times as long. Variants are new in each epoch, those of an EDA distinct:
            `EDA(num_aug=n)(text, key=(seed, epoch, index))`, with the text's index in the source.

    Errors:
        on_error: what to do with a bad sample: "raise" its error; "skip" it, so that its batch is smaller; or
            "replace" it with the next good sample.
        max_errors: maximum number of bad samples: a count (int), a fraction of all samples (float), or None (no
            maximum). A further one ends the iteration.

    Resources:
        workers: number of worker processes that augment; 0 augments in threads, which share the GIL. By default
            `num_parallel_calls`, but 0 if that is 1, or if `augment` cannot be sent to another process (nlpaug, your
            own function).
        num_parallel_calls: number of batches to compute at once; by default the number of usable processors.
        prefetch: number of batches to keep ready.

    Raises:
        OptionError: an option is unknown, out of range, or contradicts another.
        SourceError: the source cannot be opened, or has no sample.
    """

    format: Literal["label text", "text", "tsv", "csv", "jsonl"] | TextFormat | None = None
    augment: EDA | TextTransform | None = None
    num_aug: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self._source, RowSource):
            self._text_format.check_rows()
        _ = self._variants  # refuses now what cannot be sent to workers

    def _check_options(self) -> Iterator[str]:
        yield from super()._check_options()
        yield from check_integer("num_aug", self.num_aug, 1, may_be_none=True)
        yield from check_integer("workers", self.workers, 0, may_be_none=True)
        if self.augment is not None and not isinstance(self.augment, (EDA, TextTransform)):
            yield f"augment must be an EDA or a transform of augment.text, got {self.augment!r}"
        if self.num_aug is not None and self.augment is None:
            yield f"num_aug={self.num_aug} needs augment: it sets the number of variants per text; set augment"

    @property
    def fallback_decoded(self) -> tuple[str, ...]:
        """The keys of the texts so far that were not valid in the encoding and were decoded in the fallback."""
        return self._decoder.fallback_decoded

    @cached_property
    def fingerprint(self) -> str:
        """Name the stream: loaders with equal fingerprints yield equal streams."""
        encodings = self._encodings
        sample_options = (self.batch_size, self.label_mode, *encodings, self.shuffle, self.num_aug)
        return make_fingerprint(
            (self._source.fingerprint, self._augment_repr, sample_options, self._order_options, self.on_error)
        )

    @property
    def _normalized_options(self) -> dict[str, Any]:
        return {"augment": self._augment_repr, "format": self._encodings}

    @property
    def _encodings(self) -> tuple[str, str | None]:
        return self._text_format.encoding, self._text_format.fallback

    @property
    def _augment_repr(self) -> str:
        try:
            return repr(None if self.augment is None else to_dict(self.augment))
        except AugmentError:
            return digest_contents(self.augment)

    @cached_property
    def _text_format(self) -> TextFormat:
        return TextFormat.from_option(self.format)

    @cached_property
    def _source(self) -> Source:
        return open_text_source(
            self.source,
            class_names=None if self.class_names == () else self.class_names,  # () in a copy of an unlabeled loader
            label_offset=self.label_offset,
            text_format=self._text_format,
        )

    @cached_property
    def _decoder(self) -> TextDecoder:
        return TextDecoder(self._text_format.encoding, self._text_format.fallback)

    @cached_property
    def _variants(self) -> MakeVariants | None:
        if self.augment is None:
            return None
        count = self._calls if self.workers is None else self.workers
        if count > (1 if self.workers is None else 0):
            try:
                return TextWorkers(self.augment, self.num_aug, count)
            except AugmentError as error:
                if self.workers is not None:
                    raise OptionError(f"workers={self.workers}: {error}; use workers=0") from None
        return Variants(self.augment, self.num_aug)

    @cached_property
    def _stages(self) -> TextStages:
        copies = None if self.num_aug is None else self.num_aug + 1
        order = self._order(copies or 1)
        return TextStages(
            order=order,
            members=self._members,
            source=self._source,
            decoder=self._decoder,
            variants=self._variants,
            copies=copies,
            augment_key=keys.fold_in(self._key, "augment"),
            label_mode=self.label_mode,
            error_log=self._create_error_log(order, copies or 1),
            replaces=self.on_error == "replace",
        )


text_dataset = dataset_function(
    TextLoader,
    "text_dataset",
    """Build a dataset of texts: `TextLoader(...).dataset()`.

    The parameters are those of `pipeline.TextLoader`. The `tf.data.Dataset` of (text, label), strings [B] and labels,
    goes into `TextVectorization` and `model.fit`; each iteration yields the next epoch. Its attribute `loader` is the
    `TextLoader`, and `class_names` lists the classes.
    """,
)
