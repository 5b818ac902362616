"""Memory for batches is used again, but never while anything still refers to it."""

import gc
import sys
import tracemalloc

import numpy as np

from pipeline.memory.batch_buffers import ALIGNMENT, Buffers


def test_memory_is_used_again_when_nothing_refers_to_it() -> None:
    """Arrays that live at once have memory of their own; one that is gone leaves its memory to the next."""
    buffers = Buffers()
    first, second = buffers.empty((4, 5), np.uint8), buffers.empty((4, 5), np.uint8)
    places = {first.ctypes.data, second.ctypes.data}
    assert len(places) == 2
    del first, second
    gc.collect()
    third = buffers.empty((2, 5), np.float32)
    assert third.ctypes.data not in places  # it needs more
    assert buffers.empty((4, 5), np.uint8).ctypes.data in places


def test_a_view_holds_the_memory() -> None:
    """What was made of an array without a copy is not written over."""
    buffers = Buffers()
    array = buffers.empty((4, 5), np.uint8)
    array[...] = 7
    part = array[1:3].reshape(-1)[2:]
    del array
    gc.collect()
    buffers.empty((4, 5), np.uint8)[...] = 9
    assert (part == 7).all()


def test_arrays_are_aligned_and_of_any_shape() -> None:
    """TensorFlow takes over what begins at a multiple of its alignment; empty and scalar shapes exist, too."""
    buffers = Buffers()
    for shape, dtype in (((3, 7, 5, 3), np.uint8), ((3, 7), np.float32), ((0, 7), np.float32), ((), np.int64)):
        array = buffers.empty(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert not array.size or array.ctypes.data % ALIGNMENT == 0
        assert array.flags.writeable or not array.size


def test_little_memory_is_kept() -> None:
    """Of many arrays that lived at once, the memory of a few is kept; the others' goes back to the system."""
    buffers = Buffers()
    tracemalloc.start()
    arrays = [buffers.empty((1 << 20,), np.uint8) for _ in range(40)]
    del arrays
    gc.collect()
    array = buffers.empty((1 << 20,), np.uint8)
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(array) <= traced < 20 << 20


def test_no_python_runs_when_an_array_goes() -> None:
    """A Ctrl-C that came within a finalizer would be lost: Python can raise it to nobody."""
    buffers = Buffers()
    arrays = [buffers.empty((4, 5), np.uint8)]
    place = arrays[0].ctypes.data
    calls: list[str] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        arrays.clear()
    finally:
        sys.setprofile(None)
    assert calls == []
    assert buffers.empty((4, 5), np.uint8).ctypes.data == place
