"""EDA, "easy data augmentation": several variants of a sentence by four simple operations.

Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks",
arXiv:1901.11196.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from augment import keys as keyed
from augment.checks import check_integer
from augment.errors import AugmentError
from augment.text import enumerate_changes
from augment.text.checks import check_fraction, check_text, check_texts
from augment.text.lexicon import Lexicon, SynonymLookup
from augment.text.operations import (
    Draw,
    Sentence,
    delete_words,
    draw_items,
    insert_synonyms,
    replace_synonyms,
    swap_words,
)
from augment.text.paper import PaperLexicon, PaperOperations, clean
from augment.text.synonyms import synonyms as wordnet_synonyms
from augment.text.text_keys import TextKey, to_key, to_keys
from augment.text.words import STOP_WORDS

_Operation = Callable[[Sentence, float, Draw], str]

_MAX_VARIANTS = 10_000

_TRIES = 2
"""How often an operation that gave no new text is drawn again before other operations are tried."""


@dataclass(frozen=True)
class EDA:
    """Makes variants of a sentence: a pure function of the text and a key; thread-safe.

    Attributes:
        alpha_sr: fraction of the words that synonym replacement changes, 0 to 1; n = max(1, int(alpha * words)).
            0 disables an operation.
        alpha_ri: fraction of the words for random insertion.
        alpha_rs: fraction of the words for random swap.
        p_rd: probability that random deletion drops a word, 0 to 1.
        num_aug: variants per sentence, 1 to 10,000.
        mode: "fixed" keeps case, punctuation and every script. It returns exactly `num_aug` distinct variants, none of
            them the text itself; fewer if fewer exist, and the text alone if none exists (a text without words, or of
            one word without synonyms). "paper" is the published algorithm: lower-case letters a to z,
            int(num_aug / 4) + 1 candidates per operation, shuffled, cut to `num_aug`, followed by the cleaned original.
        synonyms: a function that returns the synonyms of a lower-case word; by default WordNet's (English).
        stop_words: lower-case words that are not replaced, and whose synonyms are not inserted.

    Raises:
        AugmentError: a value is out of range, or all four rates are 0.
    """

    alpha_sr: float = 0.1
    alpha_ri: float = 0.1
    alpha_rs: float = 0.1
    p_rd: float = 0.1
    num_aug: int = 9
    mode: Literal["fixed", "paper"] = "fixed"
    synonyms: SynonymLookup = field(default=wordnet_synonyms, repr=False)
    stop_words: Collection[str] = field(default=STOP_WORDS, repr=False)
    _lexicon: Lexicon = field(init=False, repr=False, compare=False)
    _paper: PaperOperations = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rates = {name: getattr(self, name) for name in ("alpha_sr", "alpha_ri", "alpha_rs", "p_rd")}
        for name, rate in rates.items():
            check_fraction(name, rate)
        if not any(rates.values()):
            raise AugmentError(f"at least one of {', '.join(rates)} must be above 0")
        check_integer("num_aug", self.num_aug, 1, _MAX_VARIANTS)
        if self.mode not in ("fixed", "paper"):
            raise AugmentError(f"mode must be 'fixed' or 'paper', got {self.mode!r}")
        object.__setattr__(self, "_lexicon", Lexicon(self.synonyms, self.stop_words))
        object.__setattr__(self, "_paper", PaperOperations(PaperLexicon(self.synonyms), self.stop_words))

    def __call__(self, text: str, key: TextKey) -> list[str]:
        """Make the variants of one text.

        Args:
            text: any text.
            key: (seed, epoch, index), or a key of `augment.keys`.

        Returns:
            The variants.
        """
        draw = keyed.python_random(to_key(key)).random
        check_text(text)
        return self._make_paper_variants(text, draw) if self.mode == "paper" else self._make_distinct(text, draw)

    def batch(self, texts: Sequence[str], keys: Sequence[TextKey] | NDArray[np.uint64]) -> list[list[str]]:
        """Make the variants of several texts; equal to one call per text.

        Args:
            texts: N texts.
            keys: one key per text; fastest as uint64 [N].

        Returns:
            N lists of variants.
        """
        check_texts(texts)
        return [self(text, key) for text, key in zip(texts, to_keys(keys, len(texts)), strict=True)]

    def _make_distinct(self, text: str, draw: Draw) -> list[str]:
        sentence = Sentence(text, self._lexicon)
        operations = self._list_operations(sentence)
        if not operations:
            return [text]
        found: dict[str, None] = {text: None}
        turns = draw_items(operations * (self.num_aug // len(operations) + 1), self.num_aug, draw)
        missed = []
        for turn in turns:
            variant = turn[0](sentence, turn[1], draw)
            if variant in found:
                missed.append(turn)
            else:
                found[variant] = None
        if missed:
            self._fill_missing(found, sentence, itertools.chain(missed * _TRIES, operations * self.num_aug), draw)
        del found[text]
        return list(found) or [text]

    def _fill_missing(
        self, found: dict[str, None], sentence: Sentence, turns: Iterable[tuple[_Operation, float]], draw: Draw
    ) -> None:
        """Find the missing variants: draw again, then enumerate all texts that one change makes."""
        drawn = (operation(sentence, amount, draw) for operation, amount in turns)
        for variant in itertools.chain(drawn, self._iter_all_changes(sentence, draw)):
            found[variant] = None
            if len(found) > self.num_aug:
                return

    def _list_operations(self, sentence: Sentence) -> list[tuple[_Operation, float]]:
        """Return the operations that can change a sentence, each with its amount of change."""
        operations: list[tuple[_Operation, float]] = []
        if sentence.replaceable:
            if self.alpha_sr:
                operations.append((replace_synonyms, sentence.count_changes(self.alpha_sr)))
            if self.alpha_ri:
                operations.append((insert_synonyms, sentence.count_changes(self.alpha_ri)))
        if len(sentence.words) > 1:
            if self.alpha_rs:
                operations.append((swap_words, sentence.count_changes(self.alpha_rs)))
            if self.p_rd:
                operations.append((delete_words, self.p_rd))
        return operations

    def _iter_all_changes(self, sentence: Sentence, draw: Draw) -> Iterator[str]:
        ways = (
            (self.alpha_sr, enumerate_changes.iter_replacements),
            (self.alpha_ri, enumerate_changes.iter_insertions),
            (self.alpha_rs, enumerate_changes.iter_swaps),
            (self.p_rd, enumerate_changes.iter_deletions),
        )
        first = int(draw() * len(sentence.words))
        return itertools.chain.from_iterable(way(sentence, first) for rate, way in ways if rate)

    def _make_paper_variants(self, text: str, draw: Draw) -> list[str]:
        original = clean(text)
        words = original.split()
        if not words:
            return [original]
        operations: list[Callable[[], list[str]]] = []
        for alpha, operation in (
            (self.alpha_sr, self._paper.replace),
            (self.alpha_ri, self._paper.insert),
            (self.alpha_rs, self._paper.swap),
        ):
            if alpha:
                operations.append(partial(operation, words, max(1, int(alpha * len(words))), draw))
        if self.p_rd:
            operations.append(partial(self._paper.delete, words, self.p_rd, draw))
        # An operation's candidates have equal distributions: the ones that would be cut off need not be made.
        turns = draw_items(operations * (self.num_aug // 4 + 1), self.num_aug, draw)
        return [*(" ".join(operation()) for operation in turns), original]
