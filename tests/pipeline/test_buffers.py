"""Memory for batches is used again, but never while anything still refers to it."""

import gc

import numpy as np

from pipeline.buffers import ALIGNMENT, Buffers


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
