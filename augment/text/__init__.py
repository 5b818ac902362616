"""Augmentation of texts: EDA with WordNet's synonyms, single operations, compositions, and nlpaug's augmenters.

Everything is a pure function of a text and a key. nltk and nlpaug are imported only by their adapters.
"""

from augment.text.eda import EDA as EDA
from augment.text.nlpaug_adapter import NlpAug as NlpAug
from augment.text.nltk_data import NltkSynonyms as NltkSynonyms
from augment.text.synonyms import synonyms as synonyms
from augment.text.synonyms import synsets as synsets
from augment.text.transforms import Compose as Compose
from augment.text.transforms import OneOf as OneOf
from augment.text.transforms import RandomDeletion as RandomDeletion
from augment.text.transforms import RandomInsertion as RandomInsertion
from augment.text.transforms import RandomSwap as RandomSwap
from augment.text.transforms import SynonymReplacement as SynonymReplacement
from augment.text.transforms import TextTransform as TextTransform
from augment.text.words import STOP_WORDS as STOP_WORDS

__all__ = [
    "EDA",
    "STOP_WORDS",
    "Compose",
    "NlpAug",
    "NltkSynonyms",
    "OneOf",
    "RandomDeletion",
    "RandomInsertion",
    "RandomSwap",
    "SynonymReplacement",
    "TextTransform",
    "synonyms",
    "synsets",
]
