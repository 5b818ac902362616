"""One text as a `tf.train.Example`, as a conversion writes it and `TextLoader` reads it."""

from collections.abc import Callable, Sequence

from pipeline.errors import ReadError
from pipeline.records import tfrecord
from pipeline.records.example import Value
from pipeline.sampling.labels import check_label
from pipeline.sources.base import Sample


def make_text_features(
    sample: Sample, class_names: Sequence[str], decode: Callable[[str, bytes], str]
) -> dict[str, Value]:
    """Return the features of a sample of a source of texts.

    Args:
        sample: returned by `open_text_source(...).read(index)`.
        class_names: the classes in the order of their labels; empty where the texts have no labels.
        decode: returns the text, from its key and bytes.

    Returns:
        `text` (UTF-8), `text/filename` (the sample's key) and, where there are classes, `label` (int64, 0-based) and
        `label/text`; before them, other features of its TFRecord.

    Raises:
        DecodeError: the text cannot be decoded.
        ReadError: it has no label, or one that is not a class index.
    """
    names = tfrecord.TEXT
    features: dict[str, Value] = {
        **dict(sample.extra),
        names.content: decode(sample.key, sample.encoded or b"").encode("utf-8", "replace"),
        names.key: sample.key.encode("utf-8", "surrogateescape"),
    }
    if sample.label_fault:
        raise ReadError(sample.key, sample.label_fault)
    if class_names:
        label = check_label(sample, class_names)
        features[names.label] = label
        features[names.class_name] = class_names[label].encode("utf-8", "surrogateescape")
    return features
