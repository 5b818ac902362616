"""Memory that processes share, in files that have no name: arrays that are put there once, and slots for batches.

A slot holds one batch at a time. A worker writes it there; the caller hands out arrays that are this memory, and when
nothing refers to them any more, has the worker write another batch there. So a batch is never copied, and never written
over.
"""

import math
import mmap
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.memory.batch_buffers import ALIGNMENT, BufferPool

Spec = tuple[str, list[int], int]
"""An array in a file: its dtype, its shape, and the byte at which it begins."""

Slot = tuple[int, int]
"""A part of a file: the byte at which it begins, and its bytes; both are multiples of a page."""

_MAX_FREE = 4
"""Slots of a worker that wait to be used again; the memory of others goes back to the system."""

MAX_SLOTS = 128
"""Slots that are in sight at once, in either process: each is an open file, of which a process may have 1,024."""


def put(memory: int, arrays: Sequence[NDArray[Any]]) -> list[Spec]:
    """Write arrays to a file in memory, one behind the other."""
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
    """Give the arrays that were put into a file in memory; they cannot be written to."""
    shared = mmap.mmap(memory, os.fstat(memory).st_size, prot=mmap.PROT_READ)
    return [np.ndarray(shape, dtype, shared, start) for dtype, shape, start in specs]


class WriterSlots:
    """The slots of a file in memory, for the worker that writes to them.

    Attributes:
        slot: that of the batch under way; None before it has one.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._mapped = lru_cache(MAX_SLOTS)(self._map)
        self.slot: Slot | None = None

    def offer(self, slot: Sequence[int] | None) -> None:
        """Say which slot the next batch may have; None where no slot is free, and it needs a new one."""
        self.slot = None if slot is None else (slot[0], slot[1])

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Give an array in the slot, which is a new one where there is none, or it is too small."""
        dtype = np.dtype(dtype)
        count = math.prod(shape)
        if not count:
            return np.empty(shape, dtype)
        if self.slot is None or self.slot[1] < count * dtype.itemsize:
            start = os.fstat(self._memory).st_size
            self.slot = start, -(-count * dtype.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
            os.ftruncate(self._memory, sum(self.slot))
        return np.frombuffer(self._mapped(self.slot), dtype, count).reshape(shape)

    def put(self, array: NDArray[Any]) -> None:
        """Put an array into the slot, where it does not stand there already."""
        place = self.empty(array.shape, array.dtype)
        if array.ctypes.data != place.ctypes.data or not array.flags.c_contiguous:
            place[...] = array

    def _map(self, slot: Slot) -> mmap.mmap:
        return mmap.mmap(self._memory, slot[1], offset=slot[0])


class ReaderSlots:
    """The slots of a file in memory, for the process whose worker writes to them.

    For one thread at a time; what it gives may be let go by any.

    Args:
        memory: the file.
        max_lent: how many batches are handed out without a copy at once: each is an open file.
    """

    def __init__(self, memory: int, max_lent: int) -> None:
        self._memory = memory
        self._max_lent = max_lent
        self._mapped: dict[Slot, mmap.mmap] = {}
        self._pool: BufferPool[Slot] = BufferPool()

    def take(self) -> Slot | None:
        """Take a slot that is free, if there is one. `array` or `remove` must follow."""
        while len(self._pool) > _MAX_FREE and (slot := self._pool.take_oldest()):
            self.remove(slot)
        return self._pool.take_newest()

    def array(self, slot: Slot, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Give the array that a worker has put into a slot. The slot is free when that and all its views are gone."""
        array = self._pool.lend(memoryview(self._map(slot)), shape, dtype, slot)
        return array if len(self._mapped) <= self._max_lent else array.copy()

    def remove(self, slot: Slot) -> None:
        """Give the memory of a slot back to the system."""
        self._map(slot).madvise(mmap.MADV_REMOVE)
        del self._mapped[slot]

    def _map(self, slot: Slot) -> mmap.mmap:
        if slot not in self._mapped:
            self._mapped[slot] = mmap.mmap(self._memory, slot[1], offset=slot[0])
        return self._mapped[slot]
