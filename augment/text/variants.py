"""Numbered variants of texts: what a dataset that holds each text several times delivers at each place."""

from collections.abc import Sequence
from dataclasses import replace

from augment import keys as keyed
from augment.text.eda import EDA
from augment.text.transforms import TextTransform


class Variants:
    """Gives the text itself as number 0, and its variants as numbers 1 to `num_aug`.

    Those of an EDA are what `eda(text, key)` lists, once more from the beginning where there are fewer of them. Those
    of a transform are drawn each with a key of its own, folded from the text's key and the number.

    Args:
        augmentation: an EDA, or a transform.
        num_aug: how many variants there are of each text; None for one, the transform by the text's own key.
    """

    def __init__(self, augmentation: EDA | TextTransform, num_aug: int | None) -> None:
        self._is_numbered = num_aug is not None
        self._augmentation = (
            replace(augmentation, num_aug=num_aug or 1) if isinstance(augmentation, EDA) else augmentation
        )

    def __call__(self, texts: Sequence[str], keys: Sequence[int], numbers: Sequence[int]) -> list[str]:
        """Give one variant of each text.

        Args:
            texts: N texts.
            keys: their keys.
            numbers: which variant of each.
        """
        if isinstance(self._augmentation, EDA):
            # The copies of a text have its key: where several are asked for, they are made at once.
            wanted = {key: text for text, key, number in zip(texts, keys, numbers, strict=True) if number}
            lists = dict(zip(wanted, self._augmentation.batch(list(wanted.values()), list(wanted)), strict=True))
            return [
                lists[key][(number - 1) % len(lists[key])] if number else text
                for text, key, number in zip(texts, keys, numbers, strict=True)
            ]
        return [self._transform(text, key, number) for text, key, number in zip(texts, keys, numbers, strict=True)]

    def list_variants(self, texts: Sequence[str], keys: Sequence[int]) -> list[list[str]]:
        """Give all variants of each text, as an EDA lists them.

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
