"""nlpaug's augmenters with a key; no other file uses nlpaug.

nlpaug 1.1.11 draws from the global generators of `random` and NumPy, through three class methods. Here each object
gets its own methods, which draw from a generator made from the text's key.
"""

import copy
import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from augment import keys as keyed
from augment.errors import AugmentError, TransformError
from augment.text.checks import check_fraction
from augment.text.nltk_data import describe_missing_data
from augment.text.transforms import TextTransform

_log = logging.getLogger(__name__)
_lock = threading.RLock()
"""nltk's readers and nlpaug's models have state: they process one text at a time."""

_NOT_TEXT = ("audio", "spectrogram")
"""nlpaug's methods that are not for texts."""

_MAX_SORTED = 10_000
_TAGGER = "averaged_perceptron_tagger_eng"


@dataclass(frozen=True)
class NlpAug(TextTransform):
    """Runs a word or character augmenter of nlpaug, or a flow of them, as a pure function of a text and a key.

    Thread-safe, but only one thread runs at a time. The augmenter is not changed, and the global generators are neither
    read nor seeded. Draws through nlpaug's own methods are keyed; an augmenter that calls `random` directly is not
    reproducible.

    `SynonymAug` asks nltk for parts of speech. If nltk's tagger has no data, it uses the synonyms of every part of
    speech, and the log says so.

    Attributes:
        augmenter: an `nlpaug.Augmenter`.
        p: probability that a text is changed.

    Raises:
        AugmentError: `augmenter` is not an `nlpaug.Augmenter`, or nltk data that it needs are missing.
    """

    augmenter: Any
    p: float = 1.0
    _augmenter_copy: Any = field(init=False, repr=False, compare=False)
    _source: "_Source" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fraction("NlpAug: p", self.p)
        try:
            from nlpaug import Augmenter
        except ImportError as error:
            raise AugmentError(f"NlpAug needs nlpaug: pip install nlpaug ({error})") from None
        if not isinstance(self.augmenter, Augmenter):
            raise AugmentError(f"augmenter must be an nlpaug.Augmenter, got {self.augmenter!r}")
        if self.augmenter.method in _NOT_TEXT:
            name = type(self.augmenter).__name__
            raise AugmentError(f"augmenter must augment texts, got {name} for {self.augmenter.method}")
        source = _Source()
        object.__setattr__(self, "_source", source)
        object.__setattr__(self, "_augmenter_copy", _copy_with_source(self.augmenter, source))

    def apply(self, text: str, key: int, *, force: bool = False) -> str:
        """Transform one text by its key.

        Raises:
            TransformError: the augmenter failed.
        """
        if not text.strip() or not (force or self.p == 1 or keyed.make_uniform_draw(key)() < self.p):
            return text
        with _lock:
            self._source.generator = keyed.python_random(keyed.fold_one(key, 1))
            try:
                augmented = self._augmenter_copy.augment(text)
            except Exception as error:  # an augmenter may raise anything
                raise TransformError(f"{type(error).__name__} in {type(self.augmenter).__name__}: {error}") from error
        if isinstance(augmented, list):  # empty if there was nothing to change
            augmented = augmented[0] if augmented else text
        return str(augmented[0] if isinstance(augmented, tuple) else augmented)

    def __deepcopy__(self, memo: dict[int, Any]) -> "NlpAug":
        return self  # it is changed only under the lock


class _Source:
    """An augmenter's source of random numbers: a generator that is replaced per text."""

    def __init__(self) -> None:
        self.generator = random.Random(0)  # noqa: S311  # not for cryptography

    def sample(self, items: Any, num: int | None = None) -> Any:
        """Replace `Augmenter.sample`: distinct items of a list, or a position inside a word of some length."""
        if isinstance(items, int):
            return self.generator.randrange(1, items - 1)
        if len(items) < _MAX_SORTED and all(isinstance(item, str) for item in items):
            items = sorted(items)  # nlpaug makes some lists from sets, whose order depends on PYTHONHASHSEED
        return self.generator.sample(items, num or 1)

    def prob(self) -> float:
        """Replace `Augmenter.prob`: a number in [0, 1)."""
        return self.generator.random()

    def sample_by_model(self, items: Any, num: int | None = None) -> Any:
        """Replace `Model.sample`: one or several items of a list, or numbers below an integer."""
        if isinstance(items, int):
            return self.generator.randrange(items) if num is None else [self.generator.randrange(items)] * num
        return self.generator.choice(items) if num is None else self.generator.sample(items, num)

    def choice(self, items: Sequence[Any], p: Sequence[float], size: int = 1) -> list[int]:
        """Replace `WordStatistics.choice`: indices of items, drawn by their probabilities."""
        return self.generator.choices(range(len(items)), p, k=size)


def _copy_with_source(augmenter: Any, source: _Source) -> Any:
    """Copy an augmenter and the augmenters in it; they share the models' data."""
    own = copy.copy(augmenter)
    own.sample, own.prob = source.sample, source.prob
    if isinstance(own, list):
        own[:] = [_copy_with_source(inner, source) for inner in own]
    model: Any = getattr(own, "model", None)
    if hasattr(model, "__dict__") and type(model).__module__.startswith("nlpaug."):
        own.model = model = copy.copy(model)
        if hasattr(model, "sample"):
            model.sample = source.sample_by_model
        if hasattr(model, "choice"):
            model.choice = source.choice
        if type(model).__name__ == "WordNet":
            _prepare(model, type(augmenter).__name__)
    return own


def _prepare(model: Any, name: str) -> None:
    """Check that nltk has the data of an nlpaug dictionary, which would try to download them."""
    resources = ["corpora/wordnet", *(["corpora/omw-1.4"] if model.lang != "eng" else [])]
    if missing := describe_missing_data(*resources):
        raise AugmentError(f"{name} needs nltk data: {missing}")
    if not (missing := describe_missing_data(f"taggers/{_TAGGER}")):
        from nltk import pos_tag

        model.pos_tag = _with_lock(pos_tag)  # nlpaug would use the tagger of nltk before 3.9
        return
    if not model.is_synonym:
        raise AugmentError(f"{name} needs nltk's tagger to find verbs, adjectives and adverbs: {missing}")
    _log.warning("%s uses synonyms of every part of speech because nltk's tagger is missing: %s", name, missing)
    model.pos_tag = _tag_nothing


def _with_lock(tag: Callable[[list[str]], Any]) -> Callable[[list[str]], Any]:
    def locked(tokens: list[str]) -> Any:
        with _lock:
            return tag(tokens)

    return locked


def _tag_nothing(tokens: list[str]) -> list[tuple[str, str]]:
    return [(token, "") for token in tokens]
