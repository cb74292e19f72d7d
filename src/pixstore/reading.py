"""Rows of a dataset as arrays: located or read, checked, decoded."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.disk import is_network
from pixstore.memory_limit import memory_limit
from pixstore.rows import Indices, Records, Rows
from pixstore.store import StoreRows

Io: TypeAlias = Literal["auto", "map", "pread"]
MAPPED_PART = 0.5
"""Of the memory there is: stores with more pixels than that are read, not mapped."""


def chosen_io(rows: Rows, io: Io) -> Literal["map", "pread"]:
    """Return how files are read where that is left to us."""
    if io != "auto":
        return io
    if not isinstance(rows, StoreRows):
        return "map"
    # A fault on a mapped page reads all that the device reads ahead around it, again and again where memory does not hold it.
    is_larger = rows.pixel_bytes > MAPPED_PART * memory_limit()
    return "pread" if is_larger or is_network(rows.path) else "map"


def located(rows: Rows, field: str, chosen: Indices) -> Records:
    """Return where these rows' records lie, or their bytes where only the format's own library finds them."""
    return rows.locate(field, chosen) or rows.read(field, chosen)


def decoded(
    rows: Rows, field: str, chosen: Indices, *, threads: int | None, verify: bool, io: Literal["map", "pread"]
) -> NDArray[Any] | list[Any]:
    """Return the arrays of these rows; a list with None in the places of samples that have no such field."""
    absent = rows.absent(field, chosen)
    if not len(absent):
        return codec.decode(located(rows, field, chosen), threads=threads, verify=verify, io=io)
    arrays: list[Any] = [None] * len(chosen)
    present = np.setdiff1d(np.arange(len(chosen)), absent)
    if len(present):
        found = codec.decode(located(rows, field, chosen[present]), threads=threads, verify=verify, io=io)
        for place, array in zip(present.tolist(), found, strict=True):
            arrays[place] = array
    return arrays
