"""The hook that times the stages. `pipeline.diagnosis.diagnosis` measures with it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

STAGES = ("read", "decode", "augment", "batch")
"""The stages that the time of a dataset is divided into: reading bytes and header; decoding; augmenting and resizing;
and all work per batch: order, keys, drawing the parameters, stacking, labels, mixing, and tf.data around them."""


class StageTimer(Protocol):
    """Times blocks of stages. Any number of threads may call it at once."""

    def __call__(self, stage: str, /) -> AbstractContextManager[Any]:
        """Return the context manager of a block of one of `STAGES`; blocks of other stages may be nested in it."""
        ...


_NOTHING = nullcontext()


def no_timer(stage: str, /) -> AbstractContextManager[Any]:  # noqa: ARG001  # a `StageTimer`
    """Measure nothing: 0.2 us per block."""
    return _NOTHING
