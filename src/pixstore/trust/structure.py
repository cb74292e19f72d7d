"""What a shard's own files say of each other: table against manifest, key index against keys, places of records against files.

Nothing is parsed whose digest does not match, so no damage reaches Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import CorruptStoreError, StoreTruncatedError
from pixstore.keys import CountedKeys, KeyIndex
from pixstore.manifest import ShardEntry, ShardFile
from pixstore.record_table import FOLDER, RecordTable, impossible_places, missing_places
from pixstore.rows import Indices
from pixstore.schema import KEY, Schema
from pixstore.shard import Shard, check_digests, check_size
from pixstore.trust.findings import MOST_LISTED, Finding, Kind


def check_sizes(store: Path, entry: ShardEntry) -> Iterator[Finding]:
    """Yield the files of the shard that are not there or have another size."""
    for file in (entry.table, entry.keys, entry.pixels):
        if file is None:
            continue
        path = store / FOLDER / file.name
        if not path.exists():
            rows = 0 if file is entry.keys else entry.rows - entry.deleted_rows
            yield Finding("missing", "is not there, though the manifest names it", f"{FOLDER}/{file.name}", entry.id, rows=rows)
            continue
        try:
            check_size(path, file)
        except CorruptStoreError as error:
            where = file.bytes if not isinstance(error, StoreTruncatedError) else path.stat().st_size
            yield Finding("size", without(path, error), f"{FOLDER}/{file.name}", entry.id, offset=where)
    for name in entry.borrows:
        if not (store / FOLDER / name).exists():
            live = entry.rows - entry.deleted_rows
            yield Finding("missing", "is not there, though records lie in it", f"{FOLDER}/{name}", entry.id, rows=live)


def bytes_there(store: Path, file: ShardFile | None) -> int:
    """Return the size of a file as the manifest states it, or as it is where that is less: what it claims beyond that is no work."""
    if file is None or file.bytes is None:
        return 0
    try:
        return min(file.bytes, (store / FOLDER / file.name).stat().st_size)
    except OSError:
        return 0


def open_table(store: Path, entry: ShardEntry, schema: Schema) -> Shard:
    """Return the shard with its table alone, whatever has become of its other files. Raises CorruptStoreError where that is damaged."""
    path = store / FOLDER / entry.table.name
    try:
        shard = Shard(store, replace(entry, keys=None, pixels=None), schema)
        for field in schema.field_names:
            shard.records(field)
    except (OSError, pa.ArrowException) as error:
        raise CorruptStoreError(f"{path}: cannot be read ({error})") from error
    return shard.with_deleted(entry)


def check_keys(store: Path, entry: ShardEntry, keys: pa.Array) -> Iterator[Finding]:
    """Yield the finding where the index is not that of the table's keys."""
    file = entry.keys or entry.table
    path = store / FOLDER / file.name
    try:
        _prove_keys(path, entry, keys)
    except (CorruptStoreError, OSError) as error:
        yield Finding("keys", without(path, error), f"{FOLDER}/{file.name}", entry.id)


def _prove_keys(path: Path, entry: ShardEntry, keys: pa.Array) -> None:
    if entry.keys is None:
        CountedKeys(keys, path)
        return
    data = np.fromfile(path, np.uint8)
    check_digests(data, path, entry.keys)
    index = KeyIndex(data, entry.rows, path)
    rows = index.rows.astype(np.int64)
    each_once = bool((np.bincount(rows, minlength=entry.rows) == 1).all())
    ascending = bool((index.hashes[1:] >= index.hashes[:-1]).all())
    if not each_once or not ascending or not np.array_equal(index.hashes, codec.hash_keys(keys)[rows]):
        raise CorruptStoreError(f"{path}: not the index of the keys in {entry.table.name}")


@dataclass(frozen=True)
class Places:
    """Where the records of all fields lie: path number, offset and length of each, and the row of the shard's files it belongs to."""

    paths: list[str]
    file: NDArray[np.int64]
    offset: Indices
    length: Indices
    row: Indices


def check_places(store: Path, entry: ShardEntry, shard: Shard) -> Iterator[Finding]:
    """Yield what the table says of records' places and formats that cannot be."""
    places = _places(shard)
    allowed = {entry.pixels.name if entry.pixels else "", *entry.borrows}
    for number, path in enumerate(places.paths):
        if path.split("/")[1] not in allowed:
            rows = places.row[places.file == number]
            yield _places_finding("a record lies in a file that the manifest does not name for this shard", path, shard, rows)
    yield from _outside(store, entry, shard, places)
    yield from _overlapping(shard, places)
    for field in shard.schema.field_names:
        records = shard.records(field)
        if records is not None:
            yield from _impossible(field, records, shard)


def _places(shard: Shard) -> Places:
    paths: list[str] = []
    parts: list[tuple[NDArray[np.int64], Indices, Indices, Indices]] = []
    for field in shard.schema.field_names:
        records = shard.records(field)
        if records is None or not records.is_located:
            continue
        rows = np.flatnonzero(records.file >= 0) if records.present is None else np.flatnonzero(records.present)
        parts.append((records.file[rows].astype(np.int64) + len(paths), records.offset[rows], records.length[rows], rows))
        paths += records.paths.to_pylist()
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Places([], nothing, nothing, nothing, nothing)
    file, offset, length, row = (np.concatenate(each) for each in zip(*parts, strict=True))
    distinct = {path: number for number, path in enumerate(dict.fromkeys(paths))}
    return Places(list(distinct), np.array([distinct[path] for path in paths])[file], offset, length, row)


def _outside(store: Path, entry: ShardEntry, shard: Shard, places: Places) -> Iterator[Finding]:
    """Yield records that begin or end outside their file; files of one record each are measured when they are read."""
    negative = (places.offset < 0) | (places.length < 0)
    if negative.any():
        yield _places_finding("a record begins before its file does", entry.table.name, shard, places.row[negative])
    if len(places.paths) > len(entry.borrows) + 1:
        return
    for number, path in enumerate(places.paths):
        file = store / path
        if not file.is_file():
            continue
        size = file.stat().st_size
        beyond = (places.file == number) & (places.offset + places.length > size)
        if beyond.any():
            yield _places_finding(
                f"records end beyond its {size:,} bytes", path, shard, places.row[beyond], int(places.offset[beyond].min())
            )


def _overlapping(shard: Shard, places: Places) -> Iterator[Finding]:
    filled = np.flatnonzero(places.length > 0)
    order = filled[np.lexsort((places.offset[filled], places.file[filled]))]
    file, begin, end = places.file[order], places.offset[order], (places.offset + places.length)[order]
    clash = np.flatnonzero((file[1:] == file[:-1]) & (end[:-1] > begin[1:]))
    for number in np.unique(file[clash]).tolist():
        here = clash[file[clash] == number]
        rows = np.unique(places.row[order[np.concatenate((here, here + 1))]])
        yield _places_finding("two records lie over each other", places.paths[number], shard, rows, int(begin[here[0] + 1]))


def _impossible(field: str, records: RecordTable, shard: Shard) -> Iterator[Finding]:
    """Yield records whose length is not that of an array of their shape, or too short for any image of it."""
    rows = np.delete(np.arange(shard.entry.rows), missing_places(records, np.arange(shard.entry.rows)))
    formats, index = records.formats(rows)
    length = records.length[rows]
    exact = np.array([each.decoded_bytes if each.codec == "raw" and each.is_known else -1 for each in formats], np.int64)[index]
    wrong = np.union1d(np.flatnonzero((exact >= 0) & (length != exact)), impossible_places(formats, index, length))
    path = f"{FOLDER}/{shard.entry.table.name}"
    if len(wrong):
        yield _places_finding(f"{field!r} has records of a length that their shape cannot have", path, shard, rows[wrong])
    uniform = shard.entry.formats.get(field)
    if uniform is not None and len(rows) and (formats != [uniform] or len(rows) < shard.entry.rows):
        reason = f"{field!r} has other formats than the one that the manifest says"
        yield Finding("table", reason, path, shard.entry.id)


def _places_finding(reason: str, file: str, shard: Shard, rows: Indices, offset: int | None = None) -> Finding:
    return row_finding("place", reason, file if "/" in file else f"{FOLDER}/{file}", shard, rows, offset)


def row_finding(kind: Kind, reason: str, file: str, shard: Shard, rows: Indices, offset: int | None = None) -> Finding:
    """Return a finding about rows of the shard's files, named by their keys."""
    keys = shard.whole[KEY].take(pa.array(rows[:MOST_LISTED])).to_pylist()
    return Finding(kind, reason, file, shard.entry.id, offset, tuple(keys), len(rows))


def without(path: Path, error: Exception) -> str:
    """Return what an error says, without the path that the finding names beside it."""
    return str(error).removeprefix(f"{path}: ")
