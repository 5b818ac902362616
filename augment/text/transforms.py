"""Single operations on a text and their composition, with the names and meanings of Albumentations."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from augment import keys as keyed
from augment.errors import AugmentError
from augment.text.checks import check_fraction, check_text, check_texts
from augment.text.lexicon import Lexicon, SynonymLookup
from augment.text.operations import (
    Draw,
    Sentence,
    delete_words,
    insert_synonyms,
    replace_synonyms,
    swap_words,
)
from augment.text.synonyms import synonyms as wordnet_synonyms
from augment.text.text_keys import TextKey, to_key, to_keys
from augment.text.words import STOP_WORDS


@dataclass(frozen=True)
class TextTransform(ABC):
    """A transform of a text: a pure function of the text and a key; thread-safe."""

    def __call__(self, text: str, key: TextKey) -> str:
        """Transform one text.

        Args:
            text: any text.
            key: (seed, epoch, index), or a key of `augment.keys`.
        """
        check_text(text)
        return self.apply(text, to_key(key))

    def batch(self, texts: Sequence[str], keys: Sequence[TextKey] | NDArray[np.uint64]) -> list[str]:
        """Transform several texts; equal to one call per text.

        Args:
            texts: N texts.
            keys: one key per text; fastest as uint64 [N].
        """
        check_texts(texts)
        for text in texts:
            check_text(text)
        all_keys = to_keys(keys, len(texts))
        return [self.apply(text, key) for text, key in zip(texts, all_keys, strict=True)]

    @abstractmethod
    def apply(self, text: str, key: int, *, force: bool = False) -> str:
        """Transform one text by its key, an integer; `force` ignores the probability."""


@dataclass(frozen=True)
class _Operation(TextTransform):
    """An operation that is applied with probability `p`."""

    p: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("alpha", "p_rd", "p"):
            check_fraction(f"{type(self).__name__}: {name}", getattr(self, name, 0))

    def apply(self, text: str, key: int, *, force: bool = False) -> str:
        draw = keyed.make_uniform_draw(key)
        return self.change(text, draw) if force or self.p == 1 or draw() < self.p else text

    @abstractmethod
    def change(self, text: str, draw: Draw) -> str:
        """Change a text."""


@dataclass(frozen=True)
class _WithSynonyms(_Operation):
    alpha: float = 0.1
    synonyms: SynonymLookup = field(default=wordnet_synonyms, repr=False, kw_only=True)
    stop_words: Collection[str] = field(default=STOP_WORDS, repr=False, kw_only=True)
    lexicon: Lexicon = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "lexicon", Lexicon(self.synonyms, self.stop_words))


@dataclass(frozen=True)
class SynonymReplacement(_WithSynonyms):
    """Replaces every occurrence of up to n distinct words, each by a random synonym; n = max(1, int(alpha * words)).

    Attributes:
        alpha: fraction of the words, 0 to 1.
        synonyms: a function that returns the synonyms of a lower-case word; by default WordNet's (English).
        stop_words: lower-case words that are not replaced.
        p: probability that a text is changed.
    """

    def change(self, text: str, draw: Draw) -> str:
        """Change a text."""
        sentence = Sentence(text, self.lexicon)
        return replace_synonyms(sentence, sentence.count_changes(self.alpha), draw)


@dataclass(frozen=True)
class RandomInsertion(_WithSynonyms):
    """Inserts n synonyms of random words at random positions, the end included; n = max(1, int(alpha * words)).

    Attributes:
        alpha: fraction of the words, 0 to 1.
        synonyms: a function that returns the synonyms of a lower-case word; by default WordNet's (English).
        stop_words: lower-case words whose synonyms are not inserted.
        p: probability that a text is changed.
    """

    def change(self, text: str, draw: Draw) -> str:
        """Change a text."""
        sentence = Sentence(text, self.lexicon)
        return insert_synonyms(sentence, sentence.count_changes(self.alpha), draw)


_WORDS_ONLY = Lexicon(synonyms=lambda _: ())


@dataclass(frozen=True)
class RandomSwap(_Operation):
    """Exchanges two random words, n times; n = max(1, int(alpha * words)).

    Attributes:
        alpha: fraction of the words, 0 to 1.
        p: probability that a text is changed.
    """

    alpha: float = 0.1

    def change(self, text: str, draw: Draw) -> str:
        """Change a text."""
        sentence = Sentence(text, _WORDS_ONLY)
        return swap_words(sentence, sentence.count_changes(self.alpha), draw)


@dataclass(frozen=True)
class RandomDeletion(_Operation):
    """Deletes each word with a probability; at least one word stays.

    Attributes:
        p_rd: probability that a word is deleted, 0 to 1.
        p: probability that a text is changed.
    """

    p_rd: float = 0.1

    def change(self, text: str, draw: Draw) -> str:
        """Change a text."""
        return delete_words(Sentence(text, _WORDS_ONLY), self.p_rd, draw) if self.p_rd else text


@dataclass(frozen=True)
class _Composition(TextTransform):
    transforms: Sequence[TextTransform]

    def __post_init__(self) -> None:
        if not isinstance(self.transforms, Sequence) or not all(
            isinstance(transform, TextTransform) for transform in self.transforms
        ):
            raise AugmentError(
                f"{type(self).__name__}: transforms must be a list of text transforms, got {self.transforms!r} (EDA "
                "returns several texts: compose its operations instead)"
            )
        object.__setattr__(self, "transforms", tuple(self.transforms))
        check_fraction(f"{type(self).__name__}: p", getattr(self, "p", 1))


@dataclass(frozen=True)
class Compose(_Composition):
    """Applies transforms one after another, each with its own key.

    Attributes:
        transforms: the transforms.
        p: probability that the composition is applied.
    """

    p: float = 1.0

    def apply(self, text: str, key: int, *, force: bool = False) -> str:
        """Transform one text by its key."""
        if force or self.p == 1 or keyed.make_uniform_draw(key)() < self.p:
            for number, transform in enumerate(self.transforms, start=1):
                text = transform.apply(text, keyed.fold_one(key, number))
        return text


@dataclass(frozen=True)
class OneOf(_Composition):
    """Always applies exactly one of the transforms; as in Albumentations, their own `p` are the weights of the choice.

    Attributes:
        transforms: the transforms.
        p: probability that the composition is applied.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.transforms:
            raise AugmentError("OneOf needs at least one transform")
        if not sum(map(_get_weight, self.transforms)):
            raise AugmentError("OneOf weights its transforms by p: at least one p must be above 0")

    def apply(self, text: str, key: int, *, force: bool = False) -> str:
        """Transform one text by its key."""
        draw = keyed.make_uniform_draw(key)
        if not (force or self.p == 1 or draw() < self.p):
            return text
        weights = [_get_weight(transform) for transform in self.transforms]
        left = draw() * sum(weights)
        for transform, weight in zip(self.transforms, weights, strict=True):
            left -= weight
            if left < 0:
                return transform.apply(text, keyed.fold_one(key, 1), force=True)
        return text


def _get_weight(transform: TextTransform) -> float:
    return float(getattr(transform, "p", 1.0))
