"""What the headers of a field's images say, each looked at once: formats where nothing else states them, and EXIF orientations."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.records import Failure, Io
from pixstore.rows import Indices, Records
from pixstore.schema import Format

UPRIGHT = 1
NOT_SEEN = 0
MAY_BE_TURNED = frozenset({"avif", "jpeg", "png", "tiff", "webp"})
"""Codecs whose files can hold an EXIF orientation."""


@dataclass(frozen=True)
class Described:
    """Records whose formats are known, and the orientation of each; None where all are upright."""

    records: Records
    orientation: NDArray[np.uint8] | None
    failures: list[Failure]


class Descriptions:
    """One field's formats and orientations by row, as far as they were needed: 5 bytes for each row of the dataset.

    An image that changes after it was looked at no longer decodes to the shape that is kept here, which is an error, never another image.
    """

    def __init__(self, count: int, *, orient: bool) -> None:
        self._count = count
        self._orient = orient
        self._formats: list[Format] = []
        self._numbers: dict[Format, int] = {}
        self._format: NDArray[np.int32] | None = None
        self._orientation: NDArray[np.uint8] | None = None
        # Two passes over one loader may overlap, each in a thread of its own.
        self._lock = threading.Lock()

    def describe(self, records: Records, rows: Indices, *, threads: int | None = None, io: Io = "map") -> Described:
        """Return the records with their formats and orientations; `rows` are their numbers in the dataset."""
        failures: list[Failure] = []
        if not all(each.is_known for each in records.formats):
            records, failures = self._with_formats(records, rows)
        if failures or not self._orient or not any(each.codec in MAY_BE_TURNED for each in records.formats):
            return Described(records, None, failures)
        return Described(records, self._orientations(records, rows, threads, io), [])

    def _with_formats(self, records: Records, rows: Indices) -> tuple[Records, list[Failure]]:
        if self._format is None:
            self._format = np.full(self._count, -1, np.int32)
        seen = self._format[rows]
        if (seen >= 0).all():
            return replace(records, formats=self._formats, format=seen), []
        probed, failures = codec.probe_all(records)
        if failures:
            return probed, failures
        with self._lock:
            numbers = [self._numbers.setdefault(each, len(self._numbers)) for each in probed.formats]
            self._formats = list(self._numbers)
        self._format[rows] = np.array(numbers, np.int32)[probed.format]
        return probed, failures

    def _orientations(self, records: Records, rows: Indices, threads: int | None, io: Io) -> NDArray[np.uint8] | None:
        if self._orientation is None:
            self._orientation = np.full(self._count, NOT_SEEN, np.uint8)
        found = self._orientation[rows]
        if (found == NOT_SEEN).any():
            found = codec.orientations(records, threads=threads, io=io)
            self._orientation[rows] = found
        return None if (found == UPRIGHT).all() else found
