"""nlpaug's augmenters with a key: this file is the only one that knows nlpaug.

nlpaug 1.1.11 draws from the two global generators, of `random` and of NumPy, through three class methods. Here each
object gets its own in their place, which draw from a generator made from the text's key.
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
"""nltk's readers and nlpaug's models hold state: one text at a time, in whatever thread."""

_MAX_SORTED = 10_000
_TAGGER = "averaged_perceptron_tagger_eng"


@dataclass(frozen=True)
class NlpAug(TextTransform):
    """Runs a word or character augmenter of nlpaug, or a flow of them, as a pure function of a text and a key.

    Safe in any number of threads, of which one runs at a time. The augmenter itself is not changed, and the global
    generators are neither read nor seeded. What is keyed is what nlpaug draws by its own methods; an augmenter of
    your own that calls `random` directly stays as random as it is.

    `SynonymAug` asks nltk for parts of speech. Where nltk's tagger has no data, it draws from the synonyms of every
    part of speech, and the log says so.

    Attributes:
        augmenter: an `nlpaug.Augmenter`.
        p: the probability with which anything is done.

    Raises:
        AugmentError: this is no such augmenter, or data of nltk is missing that it cannot do without.
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
            raise AugmentError(f"NlpAug takes an augmenter of nlpaug, got {self.augmenter!r}")
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
            except Exception as error:  # an augmenter may raise anything at all
                raise TransformError(f"{type(error).__name__} in {type(self.augmenter).__name__}: {error}") from error
        if isinstance(augmented, list):  # no text at all where there was nothing to change
            augmented = augmented[0] if augmented else text
        return str(augmented[0] if isinstance(augmented, tuple) else augmented)

    def __deepcopy__(self, memo: dict[int, Any]) -> "NlpAug":
        return self  # nothing in it is ever changed but under the lock


class _Source:
    """Where an augmenter draws from: a generator that is replaced for each text."""

    def __init__(self) -> None:
        self.generator = random.Random(0)  # noqa: S311  # not for cryptography

    def sample(self, items: Any, num: int | None = None) -> Any:
        """Stand in for `Augmenter.sample`: distinct items of a list, or a place inside a word of some length."""
        if isinstance(items, int):
            return self.generator.randrange(1, items - 1)
        if len(items) < _MAX_SORTED and all(isinstance(item, str) for item in items):
            items = sorted(items)  # nlpaug makes some of its lists from sets, whose order changes with PYTHONHASHSEED
        return self.generator.sample(items, num or 1)

    def prob(self) -> float:
        """Stand in for `Augmenter.prob`: a number in [0, 1)."""
        return self.generator.random()

    def sample_by_model(self, items: Any, num: int | None = None) -> Any:
        """Stand in for `Model.sample`: one or several, of a list or of the numbers below one."""
        if isinstance(items, int):
            return self.generator.randrange(items) if num is None else [self.generator.randrange(items)] * num
        return self.generator.choice(items) if num is None else self.generator.sample(items, num)

    def choice(self, items: Sequence[Any], p: Sequence[float], size: int = 1) -> list[int]:
        """Stand in for `WordStatistics.choice`: numbers of items, by their probabilities."""
        return self.generator.choices(range(len(items)), p, k=size)


def _copy_with_source(augmenter: Any, source: _Source) -> Any:
    """Copy an augmenter, and those in it, as far as they draw; what models have loaded is shared."""
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
    """See to it that a dictionary of nlpaug's finds nltk's data, which it would try to download."""
    resources = ["corpora/wordnet", *(["corpora/omw-1.4"] if model.lang != "eng" else [])]
    if missing := describe_missing_data(*resources):
        raise AugmentError(f"{name} needs data of nltk: {missing}")
    if not (missing := describe_missing_data(f"taggers/{_TAGGER}")):
        from nltk import pos_tag

        model.pos_tag = _with_lock(pos_tag)  # nlpaug's own would look for the tagger of nltk before 3.9
        return
    if not model.is_synonym:
        raise AugmentError(f"{name} needs nltk's tagger to find verbs, adjectives and adverbs: {missing}")
    _log.warning("%s draws from the synonyms of every part of speech, as nltk's tagger is not there: %s", name, missing)
    model.pos_tag = _tag_nothing


def _with_lock(tag: Callable[[list[str]], Any]) -> Callable[[list[str]], Any]:
    def locked(tokens: list[str]) -> Any:
        with _lock:
            return tag(tokens)

    return locked


def _tag_nothing(tokens: list[str]) -> list[tuple[str, str]]:
    return [(token, "") for token in tokens]
