"""Augmentation of texts: EDA with WordNet's synonyms, single operations, compositions, and nlpaug's augmenters.

Everything is a pure function of a text and a key. Neither nltk nor nlpaug is imported unless their adapters are used.
"""

from augment.text.eda import EDA as EDA
from augment.text.synonyms import synonyms as synonyms
from augment.text.synonyms import synsets as synsets

__all__ = ["EDA", "synonyms", "synsets"]
