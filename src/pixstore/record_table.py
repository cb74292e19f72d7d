"""The records of one field in a shard's table: where each lies, its checksum, its format."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError
from pixstore.rows import Extents, Indices
from pixstore.schema import MOST_DIMENSIONS, Format, sound_format

MOST_EXPANSION = {"raw": 1, "png": 1 << 14, "jpeg": 1 << 14, "zstd": 1 << 15, "lz4": 255, "qoi": 248}
"""How many bytes of pixels a stored byte can become: deflate reaches 1,032 and a byte for each row, JPEG about 1,400, a block of zstd
128 KiB in 4 bytes, a byte of an LZ4 length 255, a byte of QOI 62 pixels."""

MOST_SMALL = 127
"""How many distinct values an int8 index tells apart."""

FOLDER = "shards"
PLAIN = re.compile(rf"{FOLDER}/[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""A path in the folder of the shards that can lead nowhere else."""

NONE = -1
"""In place of an index: the record has no codec, dtype or shape."""


def record_type(paths: int) -> pa.DataType:
    """Return the type of a field's records where they lie in so many files: small stores of small images pay for every byte of it."""
    file = pa.int8() if paths <= MOST_SMALL else pa.int32()
    return pa.struct([
        ("file", pa.dictionary(file, pa.string())),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("checksum", pa.uint64()),
        ("codec", pa.dictionary(pa.int8(), pa.string())),
        ("shape", pa.list_(pa.int32())),
        ("dtype", pa.dictionary(pa.int8(), pa.string())),
    ])  # fmt: skip


RECORD_TYPES = (record_type(0), record_type(MOST_SMALL + 1))
PARTS = tuple(each.name for each in RECORD_TYPES[0])


class RecordTable:
    """One field's records in an opened table, as NumPy views of the mapped file."""

    def __init__(self, array: pa.StructArray, path: Path) -> None:
        """Raise CorruptStoreError, naming the table's `path`, where a file lies outside the store or a record nowhere."""
        children = {name: array.field(index) for index, name in enumerate(PARTS)}
        if any(children[name].null_count for name in ("offset", "length", "checksum")):
            raise CorruptStoreError(f"{path}: a record without offset, length or checksum")
        _check_paths(children["file"].dictionary, path)
        self.file = _indices(children["file"])
        self.paths: pa.Array = children["file"].dictionary
        self.offset: NDArray[np.int64] = children["offset"].to_numpy()
        self.length: NDArray[np.int64] = children["length"].to_numpy()
        self.checksum: NDArray[np.uint64] = children["checksum"].to_numpy()
        self.present: NDArray[np.bool_] | None = None
        if array.null_count:
            self.present = array.is_valid().to_numpy(zero_copy_only=False)
        self.is_located = self._find_located(children["file"], path)
        """Whether extents find every record; an engine without extents has none that they find."""
        self._formats = _Formats(children["codec"], children["shape"], children["dtype"], path)

    def formats(self, rows: Indices) -> tuple[list[Format], NDArray[np.int32]]:
        """Return the distinct formats of these rows, and which of them each row has."""
        return self._formats.of(rows)

    def place_of(self, row: int) -> tuple[str, int] | None:
        """Return the file of this row's record, relative to the store, and the byte it begins at; None where it lies in no file."""
        file = int(self.file[row])
        is_missing = self.present is not None and not self.present[row]
        return None if is_missing or file < 0 else (self.paths[file].as_py(), int(self.offset[row]))

    def _find_located(self, file: pa.DictionaryArray, path: Path) -> bool:
        if not file.null_count:
            return True
        located = (self.file if self.present is None else self.file[self.present]) >= 0
        if not located.all() and located.any():
            raise CorruptStoreError(f"{path}: a record that lies in no file")
        return bool(located.all())


class _Formats:
    """The columns of a table that say what its records are."""

    def __init__(self, codec: pa.DictionaryArray, shape: pa.ListArray, dtype: pa.DictionaryArray, path: Path) -> None:
        self._codec, self._dtype, self._shape = codec, dtype, shape
        self._path = path
        self._known: dict[bytes, Format] = {}

    def of(self, rows: Indices) -> tuple[list[Format], NDArray[np.int32]]:
        """Return the distinct formats of these rows, and which of them each row has. Raises CorruptStoreError for one that no image has."""
        numbers = self._numbers(rows)
        if len(numbers) and bool((numbers == numbers[0]).all()):
            return [self._format(numbers[0].tobytes())], np.zeros(len(rows), np.int32)
        kind = pa.binary(numbers.shape[1] * numbers.itemsize)
        distinct = pa.FixedSizeBinaryArray.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)]).dictionary_encode()
        index: NDArray[np.int32] = distinct.indices.to_numpy()
        return [self._format(each) for each in distinct.dictionary.to_pylist()], index

    @functools.cached_property
    def _columns(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32], NDArray[np.int32]]:
        """Index of codec and of dtype by row, where each row's dimensions begin, the dimensions of all."""
        if self._shape.values.null_count:
            raise CorruptStoreError(f"{self._path}: a shape with a dimension missing")
        return _indices(self._codec), _indices(self._dtype), self._shape.offsets.to_numpy(), self._shape.values.to_numpy()

    def _numbers(self, rows: Indices) -> NDArray[np.int32]:
        """Return codec, dtype, number of dimensions and dimensions of each row, as numbers that tell them apart."""
        codec, dtype, offsets, sizes = self._columns
        begins = offsets[rows]
        counts = offsets[rows + 1] - begins
        most = int(counts.max(initial=0))
        if most > MOST_DIMENSIONS:
            raise CorruptStoreError(f"{self._path}: an image of {most} dimensions, above {MOST_DIMENSIONS}")
        numbers = np.zeros((len(rows), 3 + most), np.int32)
        numbers[:, 0], numbers[:, 1], numbers[:, 2] = codec[rows], dtype[rows], counts
        if self._shape.null_count:
            numbers[:, 2][~self._shape.is_valid().to_numpy(zero_copy_only=False)[rows]] = NONE
        for axis in range(most):
            has = np.flatnonzero(counts > axis)
            numbers[has, 3 + axis] = sizes[begins[has] + axis]
        return numbers

    def _format(self, key: bytes) -> Format:
        if key not in self._known:
            codec, dtype, count, *sizes = np.frombuffer(key, np.int32).tolist()
            shape = None if count == NONE else tuple(sizes[:count])
            try:
                self._known[key] = sound_format(_value(self._codec, codec), shape, _value(self._dtype, dtype))
            except (ValueError, TypeError) as error:
                raise CorruptStoreError(f"{self._path}: {error}") from error
        return self._known[key]


def _indices(array: pa.DictionaryArray) -> NDArray[np.int8] | NDArray[np.int32]:
    """Return which value each row has, NONE where it has none; a view where every row has one."""
    indices = array.indices
    found: NDArray[np.int32] = (indices.fill_null(NONE) if indices.null_count else indices).to_numpy()
    return found


def _value(array: pa.DictionaryArray, index: int) -> str | None:
    value: str | None = None if index == NONE else array.dictionary[index].as_py()
    return value


def _check_paths(paths: pa.Array, path: Path) -> None:
    """Raise CorruptStoreError where one of the paths does not lie beside the table at `path`."""
    # Arrow looks at a million paths in a moment, but at the one of most tables no faster.
    if len(paths) == 1 and PLAIN.fullmatch(paths[0].as_py() or ""):
        return
    inside = pc.and_(pc.starts_with(paths, f"{FOLDER}/"), pc.invert(pc.match_substring_regex(paths, r"(^|/)\.\.(/|$)|\x00")))
    if paths.null_count or not pc.all(inside, min_count=0).as_py():
        raise CorruptStoreError(f"{path}: names a file outside the store: {paths.filter(pc.invert(inside)).to_pylist()[:1]}")


def impossible_places(formats: Sequence[Format], index: NDArray[np.int32] | None, length: NDArray[np.int64]) -> Indices:
    """Return the places of records that are too short to be what their table says, found before memory is taken for them.

    `formats[index[i]]` is the format of record i; `index` is None where all have the first one.
    """
    least = np.array([least_length(each) for each in formats], np.int64)
    return np.flatnonzero(length < (least[0] if index is None else least[index]))


@functools.lru_cache(4096)
def least_length(known: Format) -> int:
    """Return how many bytes a record of this format has at least; 0 where nobody can say."""
    most = MOST_EXPANSION.get(known.codec or "")
    return 0 if most is None or not known.is_known else -(-known.decoded_bytes // most)


def extents_of(records: RecordTable, rows: Indices, root: str) -> Extents:
    """Return where these rows' records lie, in those files alone that hold one of them; `root` ends with a separator."""
    if len(records.paths) == 1:
        paths = [root + records.paths[0].as_py()]
        return Extents(paths, np.zeros(len(rows), np.uint32), records.offset[rows], records.length[rows])
    used, place = np.unique(records.file[rows], return_inverse=True)
    paths = [root + each for each in records.paths.take(pa.array(used)).to_pylist()]
    return Extents(paths, place.astype(np.uint32), records.offset[rows], records.length[rows])


def missing_places(records: RecordTable | None, rows: Indices) -> Indices:
    """Return which of these rows have no record in this field, as places in `rows`."""
    if records is None:
        return np.arange(len(rows))
    return np.flatnonzero(~records.present[rows]) if records.present is not None else np.empty(0, np.int64)
