"""Kim's convolutional network for sentences.

Source: Kim 2014, "Convolutional Neural Networks for Sentence Classification" (arXiv:1408.5882), the variant CNN-rand:
word vectors from scratch, convolutions over 3, 4 and 5 words, the largest value of each over the sentence, dropout, and
a dense layer whose weight vectors are kept at a norm of at most 3.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def text_cnn(
    vocabulary: int,
    *,
    classes: int = 2,
    embedding: int = 300,
    widths: Sequence[int] = (3, 4, 5),
    filters: int = 100,
    dropout: float = 0.5,
) -> "keras.Model":
    """Build Kim's network, not yet compiled.

    The model maps word numbers [B, T], integers from 0 (padding) to below `vocabulary`, to probabilities [B, classes],
    float32 under every dtype policy. T may vary from batch to batch, and may be smaller than a width.

    Args:
        vocabulary: the number of words, with padding and unknown words: `len(layer.get_vocabulary())` of a
            `keras.layers.TextVectorization`.
        classes: the number of classes, with a softmax over them; 1 gives a sigmoid, for two classes 0 and 1.
        embedding: the length of a word vector.
        widths: numbers of words that filters span.
        filters: number of filters per width.
        dropout: the fraction of features that training drops.

    Returns:
        A functional model; its layers are named "vectors", "conv3", "max3", ..., "features", "dropout",
        "probabilities".

    Raises:
        ValueError: a number is not positive, `widths` is empty, or `dropout` is not in [0, 1).
    """
    for name, value in (
        ("vocabulary", vocabulary),
        ("classes", classes),
        ("embedding", embedding),
        ("filters", filters),
        *(("widths", width) for width in widths),
    ):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
    if not widths:
        raise ValueError("widths is empty; give at least one width")
    from keras import Input, Model, constraints, layers

    words = Input((None,), dtype="int32", name="words")
    x = layers.Embedding(vocabulary, embedding, name="vectors")(words)
    features = []
    for width in widths:
        # With padding, a sentence may be shorter than a filter.
        convolved = layers.Conv1D(filters, width, padding="same", activation="relu", name=f"conv{width}")(x)
        features.append(layers.GlobalMaxPooling1D(name=f"max{width}")(convolved))
    x = layers.Concatenate(name="features")(features) if len(features) > 1 else features[0]
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(
        classes,
        activation="softmax" if classes > 1 else "sigmoid",
        kernel_constraint=constraints.MaxNorm(3),
        dtype="float32",
        name="probabilities",
    )(x)
    return Model(words, x, name="text_cnn")
