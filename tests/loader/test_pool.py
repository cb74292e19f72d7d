"""Buffers come back when the last view of an array is gone, and never before."""

from __future__ import annotations

import gc
import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixstore.loader.pool import ALIGNMENT_BYTES, BufferPool

U8, F4 = np.dtype(np.uint8), np.dtype(np.float32)


def test_buffer_is_used_again_after_its_array_died() -> None:
    pool = BufferPool()
    array = pool.array((64, 32, 32, 3), U8)
    address = array.ctypes.data
    del array
    assert pool.free_bytes > 0
    assert pool.array((64, 32, 32, 3), U8).ctypes.data == address


def test_kept_array_and_every_kept_view_keep_their_pixels() -> None:
    pool = BufferPool()
    array = pool.array((4, 100), F4)
    array[:] = 7
    view = array[1:3].T
    del array
    gc.collect()
    other = pool.array((4, 100), F4)
    other[:] = 9
    assert (view == 7).all() and not np.shares_memory(view, other)


@given(shape=st.lists(st.integers(0, 40), min_size=1, max_size=4).map(tuple), dtype=st.sampled_from(["u1", "u2", "f2", "f4", "f8"]))
def test_array_has_the_shape_and_is_aligned_and_writable(shape: tuple[int, ...], dtype: str) -> None:
    array = BufferPool().array(shape, np.dtype(dtype))
    assert array.shape == shape and array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable
    assert not array.size or array.ctypes.data % ALIGNMENT_BYTES == 0
    array[...] = 1


def test_pool_keeps_no_more_than_it_may() -> None:
    pool = BufferPool(kept_bytes=100_000)
    arrays = [pool.array((30_000,), U8) for _ in range(10)]
    arrays.clear()
    assert 30_000 <= pool.free_bytes <= 100_000


def test_buffers_are_not_shared_between_threads_that_take_and_drop_them() -> None:
    pool = BufferPool()
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(300):
            array = pool.array((1000,), U8)
            array[:] = number
            copies = array[::100].copy()
            if (array != number).any() or (copies != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_array_outlives_its_pool() -> None:
    array = BufferPool().array((100,), U8)
    gc.collect()
    array[:] = 3
    assert array.sum() == 300
