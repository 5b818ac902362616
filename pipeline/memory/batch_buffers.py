"""Memory for batches that is used again.

A batch is some megabytes. Fresh memory of that size costs a page fault every 4 KiB, and TensorFlow copies an array
unless it is aligned as TensorFlow's own tensors are. So batches are written into aligned memory that has been used
before; it is free again when no array or tensor refers to it.
"""

import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64
"""The alignment of TensorFlow's tensors in bytes (Eigen's `EIGEN_MAX_ALIGN_BYTES` on processors with AVX-512)."""

_MAX_KEPT = 16
"""Number of free buffers that are kept; the memory of others returns to the system."""


T = TypeVar("T")


class BufferPool(Generic[T]):
    """Lends memory as arrays, and knows what has been returned. Any number of threads may use it.

    No Python code runs when an array is freed: an exception that a signal handler raises inside a finalizer is
    swallowed. `weakref.finalize` lost one Ctrl-C in forty.
    """

    def __init__(self) -> None:
        self._leased: set[_Lease[T]] = set()
        self._returned: deque[_Lease[T]] = deque()

    def __len__(self) -> int:
        """The number of returned leases that have not been taken."""
        return len(self._returned)

    def lend(self, memory: memoryview, shape: Sequence[int], dtype: DTypeLike, name: T) -> NDArray[Any]:
        """Return an array at the beginning of memory.

        Args:
            memory: at least as many bytes as the array has.
            shape: of the array, which is not empty.
            dtype: of the array.
            name: returned to the pool when the array and all its views are gone.
        """
        dtype = np.dtype(dtype)
        # NumPy shortens chains of views: a view of a view refers to the owner of the memory. A memoryview stops that.
        array = np.frombuffer(memory[: math.prod(shape) * dtype.itemsize], dtype)
        lease = _Lease(array, self._returned.append)
        lease.name = name
        self._leased.add(lease)  # a weak reference calls back only while it is alive itself
        return array.reshape(shape)

    def take_newest(self) -> T | None:
        """Take the name that was returned last; None if there is none."""
        return self._pop_lease(self._returned.pop)

    def take_oldest(self) -> T | None:
        """Take the name that was returned first; None if there is none."""
        return self._pop_lease(self._returned.popleft)

    def _pop_lease(self, take: "Callable[[], _Lease[T]]") -> T | None:
        try:
            lease = take()
        except IndexError:
            return None
        self._leased.discard(lease)
        return lease.name


class _Lease(weakref.ref[NDArray[Any]], Generic[T]):
    """A reference to a lent array; it is equal to itself only, because the array has no hash."""

    __slots__ = ("name",)
    name: T
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Buffers:
    """Allocates memory for batches, and uses it again. Any number of threads may use it."""

    def __init__(self) -> None:
        self._pool: BufferPool[NDArray[np.uint8]] = BufferPool()

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Return an uninitialized array, as `np.empty` does, aligned to `ALIGNMENT` bytes.

        Its memory is used again when the array and all its views are gone.
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
