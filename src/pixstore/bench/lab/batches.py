"""Reading in batches through an open reader, and holding each batch against what was stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixstore.bench.lab.lab import Lab
from pixstore.bench.timing import Timing, timed
from pixstore.bench.ways import tutorial_hdf5
from pixstore.bench.ways.base import Found, Reader, Way, Work


def reads_in_parts(way: Way) -> bool:
    """Return whether this way reads what it is asked for: the tutorial's HDF5 reads everything when it opens, and then copies."""
    return way.name != tutorial_hdf5.WAY.name


def read_in_batches(reader: Reader, rows: NDArray[np.int64], batch: int) -> list[Found]:
    """Return the images of these rows, `batch` at a time; the last batch holds the rest."""
    return [reader.read(rows[start : start + batch]) for start in range(0, len(rows), batch)]


def check_batches(lab: Lab, way: Way, batches: Sequence[Found], work: Work, rows: NDArray[np.int64], batch: int) -> None:
    """Raise DifferenceError unless these batches hold the images and labels of the rows."""
    for number, found in enumerate(batches):
        lab.check(way, found, work, rows[number * batch : (number + 1) * batch])


def timed_batches(lab: Lab, way: Way, images: int, rows: NDArray[np.int64], batch: int) -> Timing:
    """Return what reading these rows of the shared store of so many images takes, opening and checking apart.

    Raises DifferenceError where other images or labels came back than were stored.
    """
    work = lab.work(images)
    reader = way.reader(lab.stored(way, work), work)
    try:
        timing, batches = timed(lambda: read_in_batches(reader, rows, batch), work.pixel_bytes)
    finally:
        reader.close()
    check_batches(lab, way, batches, work, rows, batch)
    return timing
