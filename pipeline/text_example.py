"""One text as a `tf.train.Example`: what a conversion writes, and `TextLoader` reads."""

from collections.abc import Sequence

from pipeline import tfrecord
from pipeline.labels import checked_label
from pipeline.sources.base import Sample
from pipeline.text_stages import TextDecoder


def text_example(sample: Sample, class_names: Sequence[str], decode: TextDecoder) -> bytes:
    """Serialise a sample of a source of texts.

    Args:
        sample: what `open_text_source(...).read(index)` gives.
        class_names: the classes in the order of their labels; none where the texts have no labels.
        decode: says how the bytes are read, and counts those that are not in the encoding.

    Returns:
        An example with `text` (UTF-8), `text/filename` (the sample's key) and, where there are classes, `label` (int64,
        0-based) and `label/text`.

    Raises:
        DecodeError: the text cannot be decoded.
        ReadError: it has no label, or one of no class.
    """
    names = tfrecord.TEXT
    features: dict[str, bytes | int] = {
        names.content: decode(sample.key, sample.encoded or b"").encode("utf-8", "replace"),
        names.key: sample.key.encode("utf-8", "surrogateescape"),
    }
    if class_names:
        label = checked_label(sample, class_names)
        features[names.label] = label
        features[names.class_name] = class_names[label].encode("utf-8", "surrogateescape")
    return tfrecord.example(features)
