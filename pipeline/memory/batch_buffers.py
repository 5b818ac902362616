"""Memory for batches, used again and again.

A batch is some megabytes. Fresh memory of that size costs a page fault every 4 KiB, and TensorFlow copies what an array
holds unless it begins where TensorFlow's own tensors do. So batches are written into memory that has served before, and
that begins there; it is free again when neither an array nor a tensor refers to it any more.
"""

import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64
"""Bytes: where TensorFlow's tensors begin (Eigen's `EIGEN_MAX_ALIGN_BYTES` on processors with AVX-512)."""

_MAX_KEPT = 16
"""Buffers that wait to be used again; the memory of others goes back to the system."""


T = TypeVar("T")


class BufferPool(Generic[T]):
    """Lends memory as arrays, and tells what has come back. Safe to use from any number of threads.

    When an array goes, no line of Python runs: a signal may come within any line, and what its handler raises within a
    finalizer goes nowhere. `weakref.finalize` lost one Ctrl-C of forty so.
    """

    def __init__(self) -> None:
        self._leased: set[_Lease[T]] = set()
        self._returned: deque[_Lease[T]] = deque()

    def __len__(self) -> int:
        """How much has come back, and was not taken yet."""
        return len(self._returned)

    def lend(self, memory: memoryview, shape: Sequence[int], dtype: DTypeLike, name: T) -> NDArray[Any]:
        """Give an array at the beginning of some memory.

        Args:
            memory: bytes, as many as the array has, or more.
            shape: of the array, which is not empty.
            dtype: of the array.
            name: comes back when the array and all that is made of it without a copy are gone.
        """
        dtype = np.dtype(dtype)
        # A view of a view refers to what has the memory, past the view. A memoryview between them is not passed by.
        array = np.frombuffer(memory[: math.prod(shape) * dtype.itemsize], dtype)
        lease = _Lease(array, self._returned.append)
        lease.name = name
        self._leased.add(lease)  # a reference that is gone itself would tell nobody
        return array.reshape(shape)

    def take_newest(self) -> T | None:
        """Take what has come back last; None where there is nothing."""
        return self._pop_lease(self._returned.pop)

    def take_oldest(self) -> T | None:
        """Take what has come back first; None where there is nothing."""
        return self._pop_lease(self._returned.popleft)

    def _pop_lease(self, take: "Callable[[], _Lease[T]]") -> T | None:
        try:
            lease = take()
        except IndexError:
            return None
        self._leased.discard(lease)
        return lease.name


class _Lease(weakref.ref[NDArray[Any]], Generic[T]):
    """A reference to an array that was lent; it is equal to itself only, as the array has no hash."""

    __slots__ = ("name",)
    name: T
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Buffers:
    """Gives memory for batches and takes it back. Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._pool: BufferPool[NDArray[np.uint8]] = BufferPool()

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Give an array that holds anything, as `np.empty` does, beginning at a multiple of `ALIGNMENT` bytes.

        Its memory is used again when the array and all that is made of it without a copy are gone.
        """
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        while len(self._pool) > _MAX_KEPT:
            self._pool.take_oldest()
        memory = self._pool.take_newest()
        if memory is None or len(memory) < size:
            memory = _allocate_aligned(size)
        return self._pool.lend(memory.data, shape, dtype, memory)


def _allocate_aligned(size: int) -> NDArray[np.uint8]:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
