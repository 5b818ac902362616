"""The repeats of a sample in an epoch: copies with keys of their own, and fixed views of its image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augment import keys
from augment.views import View, Views


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """The repeats of each sample: `copies` times all views, or `copies` times the image.

    Before shuffling, the repeats of one source sample are adjacent; the repeat index counts them from 0.

    Attributes:
        copies: how often an epoch contains each sample, each time with another key.
        views: the views of its image; None for the whole image.
    """

    copies: int = 1
    views: Views | None = None

    def __len__(self) -> int:
        return self.copies * (1 if self.views is None else len(self.views))

    def fold(self, sample_keys: keys.Key, repeat_index: NDArray[np.int64]) -> keys.Key:
        """Fold repeat indices [N] into the keys [N] of their samples; repeat 0 keeps the sample's own key."""
        if len(self) == 1:
            return sample_keys
        return np.where(repeat_index == 0, sample_keys, keys.fold_in(sample_keys, "copy", repeat_index))

    def view(self, repeat_index: int, size: tuple[int, int], out: tuple[int, int] | None) -> View | None:
        """Return the view that one repeat shows of an image (height, width) that is finally resized to `out`."""
        return None if self.views is None else self.views.windows(size, out)[repeat_index % len(self.views)]
