"""`python -m augment.text.build_synonyms`: build the synonym table from WordNet 3.0, through nltk.

Needs nltk and its "wordnet" corpus: `nltk.download("wordnet")`, or set `NLTK_DATA` to a folder that contains it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augment.text.synonyms import PARTS_OF_SPEECH, TABLE


def compile_table(wordnet: Any) -> dict[str, Any]:
    """Build the arrays that `augment.text.synonyms.SynonymTable` reads.

    Args:
        wordnet: nltk's `WordNetCorpusReader`.

    Returns:
        The arrays by name; `SynonymTable` describes them.
    """
    synsets = [synset for part in PARTS_OF_SPEECH for synset in _sort_by_offset(wordnet.all_synsets(part))]
    numbers = {(_get_part_of_speech(synset), synset.offset()): number for number, synset in enumerate(synsets)}
    names = sorted({name for synset in synsets for name in synset.lemma_names()}, key=lambda name: (name.lower(), name))
    indices = {name: index for index, name in enumerate(names)}
    index = wordnet._lemma_pos_offset_map
    forms = dict.fromkeys(name.lower() for name in names)
    if forms.keys() != index.keys():
        raise ValueError("the WordNet data are inconsistent: its index and its synsets list different words")
    senses = [
        [numbers[part, offset] for part in PARTS_OF_SPEECH for offset in index[form].get(part, ())] for form in forms
    ]
    exceptions = [
        " ".join((part, form, *bases))
        for part in PARTS_OF_SPEECH
        for form, bases in sorted(wordnet._exception_map[part].items())
    ]
    members = [[indices[name] for name in synset.lemma_names()] for synset in synsets]
    counts = [sum(_get_part_of_speech(synset) == part for synset in synsets) for part in PARTS_OF_SPEECH]
    return {
        "names": _encode_lines(names),
        "exceptions": _encode_lines(exceptions),
        "parts": np.cumsum([0, *counts]).astype(np.int32),
        "sense_counts": np.array(list(map(len, senses)), np.uint8),
        "senses": _flatten(senses),
        "member_counts": np.array(list(map(len, members)), np.uint8),
        "members": _flatten(members),
    }


def main() -> None:
    """Write the table."""
    from nltk.corpus import wordnet

    parser = argparse.ArgumentParser(prog="python -m augment.text.build_synonyms", description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE, help="file to write; default: the table of the package")
    path = parser.parse_args().out
    np.savez_compressed(path, **compile_table(wordnet))
    print(f"{path}: {path.stat().st_size:,} bytes")  # noqa: T201  # a command


def _sort_by_offset(synsets: Any) -> list[Any]:
    return sorted(synsets, key=lambda synset: synset.offset())


def _get_part_of_speech(synset: Any) -> str:
    return "a" if synset.pos() == "s" else str(synset.pos())  # satellites count as adjectives


def _encode_lines(lines: Sequence[str]) -> Any:
    return np.frombuffer("\n".join(lines).encode("ascii"), np.uint8)


def _flatten(rows: Sequence[Sequence[int]]) -> Any:
    return np.array([value for row in rows for value in row], np.int32)


if __name__ == "__main__":
    main()
