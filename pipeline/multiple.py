"""How one sample becomes several: copies with keys of their own, and fixed views of its image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.views import View, Views


@dataclass(frozen=True, kw_only=True)
class Multiple:
    """What a sample becomes: each of its copies is, or has, all views.

    The samples of an epoch are numbered, those of one source sample side by side: `len(multiple)` numbers each.

    Attributes:
        copies: how often each sample stands in an epoch, each time with another key.
        views: the views of its image; None for the image as a whole.
    """

    copies: int = 1
    views: Views | None = None

    def __len__(self) -> int:
        return self.copies * (1 if self.views is None else len(self.views))

    def fold(self, sample_keys: keys.Key, which: NDArray[np.int64]) -> keys.Key:
        """Make the keys [N] of copies and views from those of their samples; the first one has the sample's own."""
        if len(self) == 1:
            return sample_keys
        return np.where(which == 0, sample_keys, keys.fold_in(sample_keys, "copy", which))

    def view(self, which: int, size: tuple[int, int], out: tuple[int, int] | None) -> View | None:
        """Give the view that one of a sample's copies is, of an image (height, width) that becomes `out` at last."""
        return None if self.views is None else self.views.windows(size, out)[which % len(self.views)]
