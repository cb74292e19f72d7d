"""The bytes of a shard against what is known of them: digests of whole files, a checksum for every record. Read, never mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixstore import codec
from pixstore.core import core
from pixstore.manifest import TILE_BYTES, ShardEntry, ShardFile
from pixstore.record_table import FOLDER, extents_of, missing_places
from pixstore.rows import WHOLE_FILE, Extents, Indices, Records
from pixstore.shard import Shard
from pixstore.trust.cells import Hashes
from pixstore.trust.findings import MOST_LISTED, Finding, Kind
from pixstore.trust.own_files import has_own_files, header_failures
from pixstore.trust.structure import row_finding

RECORDS_AT_ONCE = 1 << 16
NOT_SEALED = f"{TILE_BYTES:,} bytes from here on are not those that were sealed (their digest differs)"


@dataclass(frozen=True)
class Checked:
    """Findings, the rows of the shard's files whose records are not proven, and how many bytes were read."""

    findings: Sequence[Finding]
    damaged: Indices
    bytes: int


@dataclass(frozen=True)
class FileRecords:
    """Records of a shard's own file: the field's number and the row of each, its place, checksum and seed."""

    field: Indices
    row: Indices
    offset: Indices
    length: Indices
    checksum: Hashes
    seed: Hashes


def records_of_tiles(shard: Shard, tiles: range, count: int) -> FileRecords:
    """Return the records that begin in these of the `count` tiles of the shard's file; those that cannot be go with the nearest tile."""
    parts = [_field_records(shard, number, tiles, count) for number in range(len(shard.schema.field_names))]
    present = [each for each in parts if each is not None] or [no_records()]
    names = ("field", "row", "offset", "length", "checksum", "seed")
    return FileRecords(*(np.concatenate([getattr(each, name) for each in present]) for name in names))


def no_records() -> FileRecords:
    """Return no records, for a file whose table is damaged."""
    places, hashes = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    return FileRecords(places, places, places, places, hashes, hashes)


def _field_records(shard: Shard, number: int, tiles: range, count: int) -> FileRecords | None:
    field = shard.schema.field_names[number]
    table = shard.records(field)
    if table is None or not table.is_located:
        return None
    tile = np.clip(table.offset // TILE_BYTES, 0, count - 1)
    is_here = (tile >= tiles.start) & (tile < tiles.stop)
    rows = np.flatnonzero(is_here if table.present is None else is_here & table.present)
    numbers = np.full(len(rows), number)
    return FileRecords(numbers, rows, table.offset[rows], table.length[rows], table.checksum[rows], shard.seeds(field, rows))


def check_tiles(store: Path, entry: ShardEntry, file: ShardFile, tiles: range, records: FileRecords, shard: Shard | None) -> Checked:
    """Compare tiles of a file of pixels with their digests, and the records in them with their checksums, in one reading."""
    path, digests = f"{FOLDER}/{file.name}", file.digests or ()
    found, unread, failures = core().check_tiles(
        str(store / path), TILE_BYTES, np.array(tiles, np.int64), offset=records.offset, length=records.length,
        checksums=records.checksum, seeds=records.seed, threads=1,
    )  # fmt: skip
    reasons = {index: detail for index, _, detail in unread}
    reasons |= {index: NOT_SEALED for index, tile in enumerate(tiles) if index not in reasons and int(found[index]) != digests[tile]}
    findings = [Finding("pixels", reasons[index], path, entry.id, tiles[index] * TILE_BYTES) for index in sorted(reasons)]
    rows = records.row[[index for index, _, _ in failures]]
    if shard is not None:
        each = [(int(records.row[index]), int(records.field[index]), "record", detail) for index, _, detail in failures]
        findings += _record_findings(shard, [(row, shard.schema.field_names[number], kind, said) for row, number, kind, said in each])
    read = sum(min(TILE_BYTES, (file.bytes or 0) - tile * TILE_BYTES) for tile in tiles)
    return Checked(findings, np.unique(rows), read)


def check_records(shard: Shard, field: str, rows: Indices) -> Checked:
    """Read these rows' records of a field, wherever they lie, and compare each with its checksum."""
    table = shard.records(field)
    rows = np.delete(rows, missing_places(table, rows))
    if table is None or not len(rows) or not table.is_located:
        return Checked([], np.zeros(0, np.int64), 0)
    place = extents_of(table, rows, f"{shard.store}/")
    if has_own_files(shard):
        place = Extents(place.paths, place.file, place.offset, np.full(len(rows), WHOLE_FILE))
    formats, index = table.formats(rows)
    records = Records(place, formats, index, lambda _: (0, "", ""), table.checksum[rows], shard.seeds(field, rows))
    failures = codec.check(records, threads=1)
    if has_own_files(shard):
        failures += header_failures(records)
    each = [(int(rows[index]), field, kind, detail) for index, kind, detail in failures]
    damaged = np.unique(rows[[index for index, _, _ in failures]])
    return Checked(list(_record_findings(shard, each)), damaged, int(table.length[rows].sum()))


def _record_findings(shard: Shard, failures: Sequence[tuple[int, str, str, str]]) -> Iterator[Finding]:
    """Yield a finding for each (row, field, kind, reason), one for all above MOST_LISTED."""
    for row, field, kind, reason in failures[:MOST_LISTED]:
        table = shard.records(field)
        path, offset = (table and table.place_of(row)) or (f"{FOLDER}/{shard.entry.table.name}", 0)
        said: Kind = "names" if kind == "header" else "record"
        yield row_finding(said, reason, path, shard, np.array([row]), offset)
    others = np.unique([row for row, *_ in failures[MOST_LISTED:]])
    if len(others):
        file = f"{FOLDER}/{(shard.entry.pixels or shard.entry.table).name}"
        yield row_finding("record", f"{len(others):,} more samples cannot be trusted", file, shard, others)
