"""The records of one field over all rows of a store whose shards have one format each: arrays to take any rows from.

Of one shard they are views of its mapped table. Those of several shards are copied into one array each, 28 bytes or fewer a row: a batch
of a shuffled epoch has a few rows of every shard, and a few NumPy calls for each shard would cost more than all else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.record_table import RecordTable, impossible_places, least_length
from pixstore.rows import Extents, Indices, Records, arrow_rows
from pixstore.schema import Format

MOST_COPIED_ROWS = 4 << 20
"""Larger stores of several shards are located shard by shard."""
ASKED_TO_ALL = 16
"""What pays for all rows is made once a sixteenth of them was asked for: no epoch waits for it, nor does who reads a few rows."""
MOST_LISTED_PATHS = 4096
"""Above this, the paths of a batch are made for it: where each record is a file, a list of all would hold a string for every row."""


@dataclass(frozen=True)
class Stretch:
    """The records of one shard, all of one format, with their keys; `kept` are the rows of its files that are not deleted, None for all."""

    records: RecordTable
    format: Format
    keys: pa.Array
    kept: Indices | None

    def __len__(self) -> int:
        return len(self.keys) if self.kept is None else len(self.kept)


class UniformRecords:
    """Where the records of one field lie, by row of the store."""

    def __init__(self, field: str, stretches: Sequence[Stretch], root: str) -> None:
        """`root` ends with a separator; the tables' paths begin there."""
        self._field = field
        self._root = root
        self._kept = stretches[0].kept if len(stretches) == 1 else None
        self._offset = _joined(stretches, [each.records.offset for each in stretches])
        length = _joined(stretches, [each.records.length for each in stretches])
        self._length = int(length[0]) if len(length) and length.min() == length.max() else length
        self._checksum = _joined(stretches, [each.records.checksum for each in stretches])
        self._file = _file(stretches)
        self._paths = pa.concat_arrays([each.records.paths for each in stretches])
        self._listed = [root + each for each in self._paths.to_pylist()] if len(self._paths) <= MOST_LISTED_PATHS else None
        self._formats = list(dict.fromkeys(each.format for each in stretches))
        numbers = [self._formats.index(each.format) for each in stretches]
        self._format = _repeated(numbers, stretches, np.int32) if len(self._formats) > 1 else None
        self._keys = stretches[0].keys
        self._seed: NDArray[np.uint64] | None = None
        if len(stretches) > 1:
            self._seed = np.concatenate([codec.seeds(field, _kept_keys(each)) for each in stretches])
        self._asked = 0
        self._short = _short(stretches)

    def locate(self, rows: Indices, name: Callable[[int], tuple[int, str, str]]) -> Records:
        """Return the records of these rows in the order asked; `name` says (row, key, place) of one of them."""
        local = rows if self._kept is None else self._kept[rows]
        format_index = np.zeros(len(rows), np.int32) if self._format is None else self._format[local]
        return Records(self._extents(local), self._formats, format_index, name, self._checksum[local], self._seeds(local))

    def impossible(self, rows: Indices) -> Indices:
        """Return the places in `rows` of records that are too short to be what the table says."""
        if self._short is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self._short[rows if self._kept is None else self._kept[rows]])

    def _seeds(self, local: Indices) -> NDArray[np.uint64]:
        if self._seed is None:
            self._asked += len(local)
            if self._asked * ASKED_TO_ALL < len(self._keys):
                return codec.seeds(self._field, take_keys(self._keys, local))
            self._seed = codec.seeds(self._field, self._keys)
        return self._seed[local]

    def _extents(self, local: Indices) -> Extents:
        offset = self._offset[local]
        length = np.full(len(local), self._length) if isinstance(self._length, int) else self._length[local]
        file = np.zeros(len(local), np.uint32) if self._file is None else self._file[local].astype(np.uint32, copy=False)
        if self._listed is not None:
            return Extents(self._listed, file, offset, length)
        paths = [self._root + each for each in self._paths.take(arrow_rows(file.astype(np.int64))).to_pylist()]
        return Extents(paths, np.arange(len(local), dtype=np.uint32), offset, length)


def uniform_records(field: str, stretches: Sequence[Stretch], root: str) -> UniformRecords | None:
    """Return the records of these shards as arrays; None where one is missing or lies in no file, or copies would be too large."""
    if not stretches or any(each.records.present is not None or not each.records.is_located for each in stretches):
        return None
    is_small = len(stretches) == 1 or sum(map(len, stretches)) <= MOST_COPIED_ROWS
    return UniformRecords(field, stretches, root) if is_small else None


def take_keys(keys: pa.Array, rows: Indices) -> pa.Array:
    """Return the keys of these rows; a view where the rows follow each other."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (len(rows) < 3 or bool((np.diff(rows) == 1).all())):
        return keys.slice(int(rows[0]), len(rows))
    return keys.take(arrow_rows(rows))


def _joined(stretches: Sequence[Stretch], columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the stretches' columns as one; the only one as it is."""
    if len(stretches) == 1:
        return columns[0]
    return np.concatenate([column if each.kept is None else column[each.kept] for each, column in zip(stretches, columns, strict=True)])


def _file(stretches: Sequence[Stretch]) -> NDArray[Any] | None:
    """Return the number of each record's path among those of all stretches; None where there is only one."""
    counts = [len(each.records.paths) for each in stretches]
    if sum(counts) == 1:
        return None
    if len(stretches) == 1:
        return stretches[0].records.file
    first = np.cumsum([0, *counts[:-1]])
    if max(counts) == 1:
        return _repeated(first.tolist(), stretches, np.uint32)
    return _joined(stretches, [each.records.file.astype(np.uint32) + np.uint32(base) for each, base in zip(stretches, first, strict=True)])


def _repeated(numbers: Sequence[int], stretches: Sequence[Stretch], kind: type) -> NDArray[Any]:
    return np.repeat(np.array(numbers, kind), [len(each) for each in stretches])


def _kept_keys(stretch: Stretch) -> pa.Array:
    return stretch.keys if stretch.kept is None else stretch.keys.take(arrow_rows(stretch.kept))


def _short(stretches: Sequence[Stretch]) -> NDArray[np.bool_] | None:
    """Return which records are too short for their format; None where none is, as in every store that was not tampered with."""
    if all(int(each.records.length.min(initial=np.iinfo(np.int64).max)) >= least_length(each.format) for each in stretches):
        return None
    short = []
    for each in stretches:
        marks = np.zeros(len(each.keys), np.bool_)
        marks[impossible_places([each.format], None, each.records.length)] = True
        short.append(marks if each.kept is None or len(stretches) == 1 else marks[each.kept])
    return np.concatenate(short)
