"""Text augmentations to plain data for JSON, and back; data that are read are never executed."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from augment.errors import AugmentError
from augment.text.eda import EDA
from augment.text.nltk_data import NltkSynonyms
from augment.text.synonyms import synonyms as wordnet_synonyms
from augment.text.transforms import (
    Compose,
    OneOf,
    RandomDeletion,
    RandomInsertion,
    RandomSwap,
    SynonymReplacement,
    TextTransform,
)

TextAugmentation = EDA | TextTransform

_KINDS: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (EDA, SynonymReplacement, RandomInsertion, RandomSwap, RandomDeletion, Compose, OneOf)
}


def to_dict(augmentation: TextAugmentation) -> dict[str, Any]:
    """Serialize an augmentation: {"EDA": {"alpha_sr": 0.1, ...}}.

    Raises:
        AugmentError: a value cannot be serialized, such as an nlpaug augmenter or your own function.
    """
    name = type(augmentation).__name__
    if _KINDS.get(name) is not type(augmentation):
        raise AugmentError(f"cannot serialize {name}; serializable: {', '.join(_KINDS)}")
    return {
        name: {one.name: _encode_value(getattr(augmentation, one.name)) for one in fields(augmentation) if one.init}
    }


def from_dict(description: Mapping[str, Any]) -> Any:
    """Build an augmentation from the result of `to_dict`.

    Raises:
        AugmentError: the description is not valid.
    """
    try:
        ((name, options),) = description.items()
        arguments = {option: _decode_value(option, value) for option, value in options.items()}
        return _KINDS[name](**arguments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, AugmentError):
            raise
        reason = f"{type(error).__name__}: {error}"
        raise AugmentError(f"cannot build an augmentation from {description!r}: {reason}") from None


def _encode_value(value: Any) -> Any:
    if value is wordnet_synonyms:
        return "eng"
    if isinstance(value, NltkSynonyms):
        return value.lang if value.lang != "eng" else "nltk"
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [to_dict(item) if isinstance(item, (EDA, TextTransform)) else item for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise AugmentError(f"cannot serialize {value!r}")


def _decode_value(option: str, value: Any) -> Any:
    if option == "synonyms":
        return wordnet_synonyms if value == "eng" else NltkSynonyms("eng" if value == "nltk" else value)
    if option == "stop_words":
        return frozenset(value)
    if option == "transforms":
        return [from_dict(item) for item in value]
    return value
