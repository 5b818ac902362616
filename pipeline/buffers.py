"""Memory for batches, used again and again.

A batch is some megabytes. Fresh memory of that size costs a page fault every 4 KiB, and TensorFlow copies what an array
holds unless it begins where TensorFlow's own tensors do. So batches are written into memory that has served before, and
that begins there; it is free again when neither an array nor a tensor refers to it any more.
"""

import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes: where TensorFlow's tensors begin (Eigen's `EIGEN_MAX_ALIGN_BYTES` on processors with AVX-512)."""

_MOST_KEPT = 16
"""Buffers that wait to be used again; what is freed beyond that goes back to the system."""


class Buffers:
    """Gives memory for batches and takes it back. Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=_MOST_KEPT)

    def empty(self, shape: Sequence[int], dtype: "np.typing.DTypeLike") -> NDArray[Any]:
        """Give an array that holds anything, as `np.empty` does, beginning at a multiple of `ALIGNMENT` bytes.

        Its memory is used again when the array and all that is made of it without a copy are gone.
        """
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        memory = self._taken(size)
        return lent(memory.data, shape, dtype, partial(self._free.append, memory))

    def _taken(self, size: int) -> NDArray[np.uint8]:
        try:
            memory = self._free.pop()
        except IndexError:
            return _aligned(size)
        return memory if len(memory) >= size else _aligned(size)


def lent(
    memory: memoryview, shape: Sequence[int], dtype: "np.typing.DTypeLike", back: Callable[[], object]
) -> NDArray[Any]:
    """Give an array at the beginning of some memory.

    Args:
        memory: bytes, as many as the array has, or more.
        shape: of the array, which is not empty.
        dtype: of the array.
        back: is called when the array and all that is made of it without a copy are gone.
    """
    dtype = np.dtype(dtype)
    # A view of a view refers to what has the memory, past the view. A memoryview between them is not passed by.
    array = np.frombuffer(memory[: math.prod(shape) * dtype.itemsize], dtype)
    weakref.finalize(array, back).atexit = False
    return array.reshape(shape)


def _aligned(size: int) -> NDArray[np.uint8]:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
