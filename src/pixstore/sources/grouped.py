"""The common part of sources whose records come a group at a time: a row group, a compressed shard; no record lies plainly in a file."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from pixstore.errors import CorruptStoreError
from pixstore.rows import Buffer, Indices, Records, Slices
from pixstore.schema import KEY, Format, Schema
from pixstore.source import Source, SourceReport
from pixstore.sources.foreign_file import FileState, refuse_changed
from pixstore.sources.located import checked_rows

KEPT_BYTES = 256 << 20
"""Of decoded groups that are kept for the next read; one larger group is kept alone."""


class GroupedSource(Source):
    """An open source whose groups of rows are decoded whole, each once while rows are read in order; layouts add `load_group`."""

    def __init__(
        self,
        schema: Schema,
        table: pa.Table,
        report: SourceReport,
        *,
        paths: Sequence[str],
        counts: Sequence[int],
        states: Mapping[str, FileState],
        lacking: Collection[str] = (),
    ) -> None:
        """Group i has `counts[i]` rows and lies in `paths[i]`; `states` are those of the files when they were opened.

        `lacking` are the fields that some row may have no image in.
        """
        self._schema = schema
        self._table = table
        self.report = report
        self._paths = paths
        self._counts = counts
        self._starts = np.cumsum([0, *counts], dtype=np.int64)
        self._states = states
        self._lacking = frozenset(lacking)
        self._kept: OrderedDict[tuple[str, int], Slices] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def table(self) -> pa.Table:
        return self._table

    @property
    def states(self) -> Mapping[str, FileState]:
        return self._states

    @abstractmethod
    def load_group(self, field: str, group: int) -> Slices:
        """Return the records of one group, decoded."""

    def formats(self, field: str, rows: Indices) -> tuple[Sequence[Format], Indices]:
        """Return the formats there are and which of them each of these rows has; encoded images say it themselves."""
        return [Format(None, None, None)], np.zeros(len(rows), np.int64)

    def locate(self, field: str, rows: Indices) -> Records | None:
        """Return None: the bytes lie nowhere as they are. Raises SchemaError for an unknown field, RowNotFoundError."""
        checked_rows(self, field, rows)
        return None

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' records. Raises StoreBusyError for a file that has changed, CorruptStoreError for one that does not decode."""
        rows = checked_rows(self, field, rows)
        group_of = np.searchsorted(self._starts, rows, side="right") - 1
        formats, numbers = self.formats(field, rows)

        def name(record: int) -> tuple[int, str, str]:
            row = int(rows[record])
            return row, self._table[KEY][row].as_py(), self._paths[int(group_of[record])]

        return Records(self._gathered(field, rows, group_of), formats, numbers.astype(np.int32), name)

    def absent(self, field: str, rows: Indices) -> Indices:
        """Return the places in `rows` of those whose image is null; the groups of a field that may have such are decoded for it."""
        if field not in self._lacking:
            return np.empty(0, np.int64)
        rows = checked_rows(self, field, rows)
        group_of = np.searchsorted(self._starts, rows, side="right") - 1
        is_absent = np.zeros(len(rows), np.bool_)
        for group in np.unique(group_of).tolist():
            places = np.flatnonzero(group_of == group)
            is_absent[places] = self._group(field, group).length[rows[places] - self._starts[group]] < 0
        return np.flatnonzero(is_absent)

    def close(self) -> None:
        with self._lock:
            self._kept.clear()

    def _gathered(self, field: str, rows: Indices, group_of: Indices) -> Slices:
        """Return the records in the order asked. Those of several groups are copied, so that no batch holds the memory of many."""
        groups = np.unique(group_of)
        if len(groups) == 1:
            held, local = self._group(field, int(groups[0])), rows - self._starts[groups[0]]
            return Slices(held.data, held.offset[local], held.length[local])
        parts: list[bytes | memoryview] = [b""] * len(rows)
        length = np.zeros(len(rows), np.int64)
        for group in groups.tolist():
            places = np.flatnonzero(group_of == group)
            held, local = self._group(field, group), rows[places] - self._starts[group]
            data, offset = memoryview(cast(Buffer, held.data)), held.offset[local].tolist()
            length[places] = held.length[local]
            for place, begin, size in zip(places.tolist(), offset, length[places].tolist(), strict=True):
                parts[place] = bytes(data[begin : begin + max(size, 0)])
        return Slices.end_to_end(b"".join(parts), length)

    def _group(self, field: str, group: int) -> Slices:
        with self._lock:
            if (found := self._kept.pop((field, group), None)) is None:
                path = self._paths[group]
                refuse_changed(path, self._states[path])
                found = self.load_group(field, group)
                if len(found) != self._counts[group]:
                    raise CorruptStoreError(
                        f"{path}: {len(found)} records where its own counts say {self._counts[group]}; get the file again"
                    )
            self._kept[field, group] = found
            while len(self._kept) > 1 and sum(map(_bytes_of, self._kept.values())) > KEPT_BYTES:
                self._kept.popitem(last=False)
            return found


def _bytes_of(held: Slices) -> int:
    return memoryview(cast(Buffer, held.data)).nbytes


def slices_of(values: pa.ChunkedArray | pa.Array) -> Slices:
    """Return the records of a column of bytes; a null is a missing record."""
    array = values.cast(pa.large_binary())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if not len(array):
        return Slices(b"", np.zeros(0, np.int64), np.zeros(0, np.int64))
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8)
    length = np.diff(ends)
    if array.null_count:
        length = np.where(array.is_null().to_numpy(zero_copy_only=False), -1, length)
    return Slices(b"" if data is None else memoryview(data), ends[:-1], length)
