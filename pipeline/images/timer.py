"""The hook by which stages say what they are working on. `pipeline.diagnosis.diagnosis` measures with it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

STAGES = ("read", "decode", "augment", "batch")
"""What the time of a dataset divides into: reading bytes and header; decoding; augmenting and resizing; and all that is
done per batch: order, keys, drawing the parameters, stacking, labels, mixing, and what tf.data does around it."""


class StageTimer(Protocol):
    """Is told where time is spent. Any number of threads may call it at once."""

    def __call__(self, stage: str, /) -> AbstractContextManager[Any]:
        """Return the context manager of a block of one of `STAGES`; blocks of other stages may lie within it."""
        ...


_NOTHING = nullcontext()


def no_timer(stage: str, /) -> AbstractContextManager[Any]:  # noqa: ARG001  # a `StageTimer`
    """Measure nothing: 0.2 us per block."""
    return _NOTHING
