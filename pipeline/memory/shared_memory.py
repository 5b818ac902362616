"""Memory that processes share, in anonymous files: arrays that are written once, and slots for batches.

A slot contains one batch at a time. A worker writes it; the main process returns arrays in this memory, and offers the
slot to the worker again when nothing refers to them. So a batch is never copied, and never overwritten while in use.
"""

import math
import mmap
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.memory.batch_buffers import ALIGNMENT, BufferPool

Spec = tuple[str, list[int], int]
"""An array in a file: dtype, shape, and the offset of its first byte."""

Slot = tuple[int, int]
"""A part of a file: offset and length in bytes, both multiples of a page."""

MAX_SLOTS = 128
"""Number of slots that each process maps at once: each is an open file, and a process may have 1,024."""


def write_arrays(memory: int, arrays: Sequence[NDArray[Any]]) -> list[Spec]:
    """Write arrays to a file in memory, one after the other."""
    specs: list[Spec] = []
    end = 0
    for array in map(np.ascontiguousarray, arrays):
        start = -(-end // ALIGNMENT) * ALIGNMENT
        rest = array.data.cast("B") if array.nbytes else memoryview(b"")
        end = start + array.nbytes
        while rest:  # one call writes 2 GiB at most
            rest = rest[os.pwrite(memory, rest, end - len(rest)) :]
        specs.append((array.dtype.str, list(array.shape), start))
    return specs


def map_arrays(memory: int, specs: Sequence[Spec]) -> list[NDArray[Any]]:
    """Return the arrays that `write_arrays` wrote to a file in memory, read-only."""
    shared = mmap.mmap(memory, os.fstat(memory).st_size, prot=mmap.PROT_READ)
    return [np.ndarray(shape, dtype, shared, start) for dtype, shape, start in specs]


class SlotFile:
    """A file of slots, for the worker that writes to them. Any number of threads may use it.

    Args:
        memory: the file.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self.map = lru_cache(MAX_SLOTS)(self._map)
        """Returns the memory of a slot."""

    def create(self, size: int) -> Slot:
        """Create a slot of at least `size` bytes at the end of the file."""
        with self._lock:
            slot = os.fstat(self._memory).st_size, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
            os.ftruncate(self._memory, sum(slot))
        return slot

    def _map(self, slot: Slot) -> mmap.mmap:
        return mmap.mmap(self._memory, slot[1], offset=slot[0])


class WriterSlots:
    """The slots that one thread of a worker writes to, one batch after the other.

    Attributes:
        slot: the slot of the current batch; None before it has one.
    """

    def __init__(self, file: SlotFile) -> None:
        self._file = file
        self.slot: Slot | None = None

    def offer(self, slot: Sequence[int] | None) -> None:
        """Set the slot that the next batch may use; None if no slot is free, and it needs a new one."""
        self.slot = None if slot is None else (slot[0], slot[1])

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array in the slot; create a new slot if there is none, or if it is too small."""
        dtype = np.dtype(dtype)
        count = math.prod(shape)
        if not count:
            return np.empty(shape, dtype)
        if self.slot is None or self.slot[1] < count * dtype.itemsize:
            self.slot = self._file.create(count * dtype.itemsize)
        return np.frombuffer(self._file.map(self.slot), dtype, count).reshape(shape)

    def put(self, array: NDArray[Any]) -> None:
        """Copy an array into the slot, unless it is there already."""
        target = self.empty(array.shape, array.dtype)
        if array.ctypes.data != target.ctypes.data or not array.flags.c_contiguous:
            target[...] = array


class ReaderSlots:
    """The slots of a file in memory, for the process whose worker writes to them. Any number of threads may use it.

    Args:
        memory: the file.
        max_lent: maximum number of batches that are lent without a copy: each is an open file.
        max_free: maximum number of free slots that are kept; the memory of others returns to the system.
    """

    def __init__(self, memory: int, max_lent: int, max_free: int) -> None:
        self._memory = memory
        self._max_lent = max_lent
        self._max_free = max_free
        self._mapped: dict[Slot, mmap.mmap] = {}
        self._pool: BufferPool[Slot] = BufferPool()
        self._lock = threading.RLock()  # of `_mapped`

    def take(self) -> Slot | None:
        """Take a free slot, if there is one. A call of `array` or `remove` must follow."""
        while len(self._pool) > self._max_free and (slot := self._pool.take_oldest()):
            self.remove(slot)
        return self._pool.take_newest()

    def array(self, slot: Slot, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Return the array that a worker wrote into a slot. The slot is free when the array and its views are gone."""
        with self._lock:
            array = self._pool.lend(memoryview(self._map(slot)), shape, dtype, slot)
            return array if len(self._mapped) <= self._max_lent else array.copy()

    def remove(self, slot: Slot) -> None:
        """Return the memory of a slot to the system."""
        with self._lock:
            self._map(slot).madvise(mmap.MADV_REMOVE)
            del self._mapped[slot]

    def _map(self, slot: Slot) -> mmap.mmap:
        if slot not in self._mapped:
            self._mapped[slot] = mmap.mmap(self._memory, slot[1], offset=slot[0])
        return self._mapped[slot]
