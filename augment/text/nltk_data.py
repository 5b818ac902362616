"""nltk's corpora at run time: synonyms in other languages, and which data to download."""

import threading
from dataclasses import dataclass

from augment.errors import AugmentError

_lock = threading.Lock()
"""nltk's readers load themselves at first use, and share a file position."""


@dataclass(frozen=True)
class NltkSynonyms:
    """Synonyms in a language of the Open Multilingual Wordnet, through nltk: `EDA(synonyms=NltkSynonyms("fra"))`.

    Pass stop words of that language, too: `EDA(synonyms=..., stop_words=...)`.

    Attributes:
        lang: the language's three letters (ISO 639-3): "fra", "spa", "jpn", ...

    Raises:
        AugmentError: nltk or its data are missing, or nltk does not have the language.
    """

    lang: str

    def __post_init__(self) -> None:
        try:
            from nltk.corpus import wordnet
        except ImportError as error:
            raise AugmentError(f"NltkSynonyms needs nltk: pip install nltk ({error})") from None
        if missing := describe_missing_data("corpora/wordnet", *(["corpora/omw-1.4"] if self.lang != "eng" else [])):
            raise AugmentError(f"synonyms in {self.lang!r} need nltk data: {missing}")
        with _lock:
            known = wordnet.langs() if self.lang != "eng" else ["eng"]
        if self.lang not in known:
            names = ", ".join(sorted(known))
            raise AugmentError(f"nltk has no synonyms for language {self.lang!r}; choose from {names}")

    def __call__(self, word: str) -> tuple[str, ...]:
        """Return the synonyms of a lower-case word: all lemmas of its synsets except the word itself."""
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
    """Return how to get the resources ("corpora/wordnet") that nltk does not find; "" if it finds all."""
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
    return f"run {calls}, or set the environment variable NLTK_DATA to the folder that contains it"
