"""WordNet's synonyms from a table in the package: no nltk, no download, thread-safe.

The table is WordNet 3.0 (Princeton University; its license is the file `WORDNET-LICENSE`), built by
`python -m augment.text.build_synonyms`. Inflected forms follow WordNet's morphology (manual page morphy(7WN)): a list
of exceptions, otherwise detached endings.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLE = Path(__file__).with_name("wordnet.npz")

PARTS_OF_SPEECH = "nvar"
"""Nouns, verbs, adjectives and adverbs, in the order in which nltk lists the synsets of a word."""

DETACHMENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "n": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}
"""Endings and their replacements by part of speech: morphy(7WN), and "ves" as in nltk."""


class SynonymTable:
    """The synsets of words, and the lemmas of synsets.

    Args:
        arrays: texts are ASCII in uint8, one entry per line. "names": all lemmas in their own case, sorted ignoring
            case; "exceptions": part of speech, form, and its base forms; "parts": index of the first synset of each
            part of speech, int32 [5]; "senses": the synsets of each distinct lower-case lemma, by part of speech and
            frequency, int32, with their number per lemma in "sense_counts"; "members": the lemmas of each synset as
            indices into `names`, int32, with their number per synset in "member_counts".
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._names = _split_lines(arrays["names"])
        self._indices = {form: index for index, form in enumerate(dict.fromkeys(map(str.lower, self._names)))}
        self._parts = arrays["parts"].tolist()
        self._senses, self._sense_ends = arrays["senses"], _compute_ends(arrays["sense_counts"])
        self._members, self._member_ends = arrays["members"], _compute_ends(arrays["member_counts"])
        self._exceptions: dict[tuple[str, str], list[str]] = {}
        for line in _split_lines(arrays["exceptions"]):
            part, form, *bases = line.split()
            self._exceptions[part, form] = bases

    def synsets(self, word: str) -> Iterator[tuple[str, ...]]:
        """Yield the lemmas of each synset of a word, in the order of nltk's `wordnet.synsets(word)`."""
        word = word.lower()
        for number, part in enumerate(PARTS_OF_SPEECH):
            first, last = self._parts[number], self._parts[number + 1]
            for form in dict.fromkeys((word, *self._find_base_forms(part, word))):
                for synset in self._find_synsets(form):
                    if first <= synset < last:
                        yield tuple(self._names[name] for name in _get_row(self._members, self._member_ends, synset))

    def _find_base_forms(self, part: str, word: str) -> Iterable[str]:
        listed = self._exceptions.get((part, word))
        if listed is not None:
            return listed
        return [word[: -len(old)] + new for old, new in DETACHMENTS[part] if word.endswith(old)]

    def _find_synsets(self, form: str) -> list[int]:
        index = self._indices.get(form)
        return [] if index is None else _get_row(self._senses, self._sense_ends, index)


def synsets(word: str) -> tuple[tuple[str, ...], ...]:
    """Return the synsets of an English word, each as the names of its lemmas.

    Args:
        word: a word in any case, also inflected ("mice": mouse); "_" joins the words of a compound.

    Returns:
        nltk's `[tuple(synset.lemma_names()) for synset in wordnet.synsets(word)]`, in the same order.
    """
    return tuple(_load_table().synsets(word))


def synonyms(word: str) -> tuple[str, ...]:
    """Return the synonyms of an English word: all lemmas of its synsets except the word itself, in their own case.

    Args:
        word: see `synsets`.

    Returns:
        Names that differ not only in case, in the order of the synsets, compounds with spaces ("ice cream").
    """
    found: dict[str, str] = {}
    for synset in synsets(word):
        for name in synset:
            found.setdefault(name.lower(), name.replace("_", " "))
    found.pop(word.lower(), None)
    return tuple(found.values())


_lock = threading.Lock()
_loaded: list[SynonymTable] = []


def _load_table() -> SynonymTable:
    """Load the table in the first call."""
    if not _loaded:
        with _lock:
            if not _loaded:
                with np.load(TABLE, allow_pickle=False) as arrays:
                    _loaded.append(SynonymTable({name: arrays[name] for name in arrays.files}))
    return _loaded[0]


def _split_lines(text: NDArray[np.uint8]) -> list[str]:
    return text.tobytes().decode("ascii").split("\n")


def _compute_ends(counts: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _get_row(values: NDArray[np.int32], ends: NDArray[np.int64], number: int) -> list[int]:
    row: list[int] = values[ends[number] : ends[number + 1]].tolist()
    return row
