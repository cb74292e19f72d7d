"""The data as it lies: read in place, nothing stored. Opening it — listing a folder, unpacking an archive — is not timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench import disk
from pixstore.bench.measurements import Bytes
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.errors import InvalidInputError
from pixstore.rows import WHOLE_FILE, Extents


class SourceWay(Way):
    """Reads the rows of the sample out of the open source."""

    name = "source"
    stores = False

    def __init__(self, dataset: pixstore.Dataset, field: str, threads: int) -> None:
        self._dataset = dataset
        self._field = field
        self.threads = threads

    def usage(self, folder: Path, work: Work) -> Bytes | None:
        """Return the size of the images' own files; None where several images share a file."""
        place = self._dataset.located(self._field, rows_of(work)).place
        if not isinstance(place, Extents) or bool((place.length != WHOLE_FILE).any()):
            return None
        return disk.usage_of(place.paths[number] for number in place.file.tolist())

    def store_many(self, folder: Path, work: Work) -> None:
        raise InvalidInputError("the data as it lies is only read; `source` has no store experiments")

    def read_one(self, folder: Path, work: Work) -> Found:
        return self._read(rows_of(work)[:1], work.labels[:1])

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._read(rows_of(work), work.labels)

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._read(rows_of(work)[work.order], work.labels[work.order])

    def reader(self, folder: Path, work: Work) -> Reader:
        return SourceReader(self._read, work)

    def _read(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Found:
        # The labels of a source lie in its table, which opening has read.
        return Found(self._dataset.read(rows, fields=[self._field], columns=[], threads=self.threads)[self._field], labels)


class SourceReader(Reader):
    """Rows of the open source, by their places in the work."""

    def __init__(self, read: Callable[[NDArray[np.int64], NDArray[np.int64]], Found], work: Work) -> None:
        self._read = read
        self._rows = rows_of(work)
        self._labels = work.labels

    def read(self, rows: NDArray[np.int64]) -> Found:
        return self._read(self._rows[rows], self._labels[rows])


def rows_of(work: Work) -> NDArray[np.int64]:
    if work.rows is None:
        raise InvalidInputError("built-in images lie nowhere: the way `source` needs a SOURCE")
    return work.rows
