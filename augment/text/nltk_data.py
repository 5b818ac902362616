"""nltk's corpora at run time: synonyms in other languages, and what to download where data is missing."""

import threading
from dataclasses import dataclass

from augment.errors import AugmentError

_lock = threading.Lock()
"""nltk's readers load themselves at first use, and read files with a shared position."""


@dataclass(frozen=True)
class NltkSynonyms:
    """Synonyms of a language that the Open Multilingual Wordnet has, through nltk: `EDA(synonyms=NltkSynonyms("fra"))`.

    Give stop words of that language as well: `EDA(synonyms=..., stop_words=...)`.

    Attributes:
        lang: the language by its three letters (ISO 639-3): "fra", "spa", "jpn", ...

    Raises:
        AugmentError: nltk or its data is missing, or it has no such language.
    """

    lang: str

    def __post_init__(self) -> None:
        try:
            from nltk.corpus import wordnet
        except ImportError as error:
            raise AugmentError(f"NltkSynonyms needs nltk: pip install nltk ({error})") from None
        if missing := describe_missing_data("corpora/wordnet", *(["corpora/omw-1.4"] if self.lang != "eng" else [])):
            raise AugmentError(f"synonyms in {self.lang!r} need data of nltk: {missing}")
        with _lock:
            known = wordnet.langs() if self.lang != "eng" else ["eng"]
        if self.lang not in known:
            raise AugmentError(f"nltk has no synonyms in {self.lang!r}; it has {', '.join(sorted(known))}")

    def __call__(self, word: str) -> tuple[str, ...]:
        """Give the synonyms of a lower-case word: all lemmas of all its synsets but the word itself."""
        from nltk.corpus import wordnet

        with _lock:
            synsets = wordnet.synsets(word.replace(" ", "_"), lang=self.lang)
            names = [name for synset in synsets for name in synset.lemma_names(self.lang)]
        found: dict[str, str] = {}
        for name in names:
            found.setdefault(name.lower(), name.replace("_", " "))
        found.pop(word.lower(), None)
        return tuple(found.values())


def describe_missing_data(*resources: str) -> str:
    """Say how to get what nltk does not find of some resources ("corpora/wordnet"); an empty text where it has all."""
    import nltk

    missing = []
    for resource in resources:
        try:
            nltk.data.find(resource)
        except LookupError:
            try:
                nltk.data.find(f"{resource}.zip")
            except LookupError:
                missing.append(resource.split("/")[-1])
    if not missing:
        return ""
    calls = "; ".join(f'nltk.download("{name}")' for name in missing)
    return f"{calls}, or name the folder that has it in the environment variable NLTK_DATA"
