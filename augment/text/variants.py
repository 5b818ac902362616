"""Numbered variants of texts, for datasets in which each text appears several times."""

from collections.abc import Sequence
from dataclasses import replace

from augment import keys as keyed
from augment.text.eda import EDA
from augment.text.transforms import TextTransform


class Variants:
    """Returns the text itself as number 0, and its variants as numbers 1 to `num_aug`.

    The variants of an EDA are those of `eda(text, key)`; if there are fewer than `num_aug`, they repeat from the first.
    Each variant of a transform has its own key, folded from the text's key and the number.

    Args:
        augmentation: an EDA, or a transform.
        num_aug: variants per text; None for one variant, the transform with the text's own key.
    """

    def __init__(self, augmentation: EDA | TextTransform, num_aug: int | None) -> None:
        self._is_numbered = num_aug is not None
        self._augmentation = (
            replace(augmentation, num_aug=num_aug or 1) if isinstance(augmentation, EDA) else augmentation
        )

    def __call__(self, texts: Sequence[str], keys: Sequence[int], numbers: Sequence[int]) -> list[str]:
        """Return one variant of each text.

        Args:
            texts: N texts.
            keys: their keys.
            numbers: the number of the variant of each text.
        """
        if isinstance(self._augmentation, EDA):
            # The copies of a text have one key: all its variants are made at once.
            wanted = {key: text for text, key, number in zip(texts, keys, numbers, strict=True) if number}
            lists = dict(zip(wanted, self._augmentation.batch(list(wanted.values()), list(wanted)), strict=True))
            return [
                lists[key][(number - 1) % len(lists[key])] if number else text
                for text, key, number in zip(texts, keys, numbers, strict=True)
            ]
        return [self._transform(text, key, number) for text, key, number in zip(texts, keys, numbers, strict=True)]

    def list_variants(self, texts: Sequence[str], keys: Sequence[int]) -> list[list[str]]:
        """Return all variants of each text, in the order of EDA.

        Args:
            texts: N texts.
            keys: their keys.
        """
        if isinstance(self._augmentation, EDA):
            return self._augmentation.batch(texts, keys)
        return [[self._transform(text, key, 1)] for text, key in zip(texts, keys, strict=True)]

    def _transform(self, text: str, key: int, number: int) -> str:
        if not number:
            return text
        assert isinstance(self._augmentation, TextTransform)  # noqa: S101  # for the type checker
        return self._augmentation.apply(text, keyed.fold_one(key, number) if self._is_numbered else key)
