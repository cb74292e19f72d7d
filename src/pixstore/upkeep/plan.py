"""What compacting a store would do, found from its tables alone: which shards are written anew, as which, and what that wins.

A shard is left as it is where it is sound: full of its own, living rows, and large, or alone among shards that are. Only neighbours are
joined, so the order of rows stays. A large shard whose records all have one format stays so; small ones are joined whatever they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pixstore import registry
from pixstore.builder import MOST_SHARD_ROWS
from pixstore.engine import PlannedShard
from pixstore.incoming import ABSENT
from pixstore.manifest import ShardEntry
from pixstore.record_table import FOLDER
from pixstore.rows import Indices
from pixstore.schema import KEY, Format
from pixstore.shard import Shard
from pixstore.store import StoreRows, shard_schema
from pixstore.upkeep.history import size_of


@dataclass(frozen=True)
class Piece:
    """One shard of the version: its living rows are `first` … `first + rows - 1` of the store.

    `lengths` are the bytes of each row's record per field, -1 where it is missing; `usual` has a format that records of a field have.
    """

    entry: ShardEntry
    engine: str
    first: int
    lengths: Mapping[str, Indices]
    usual: Mapping[str, Format]

    @cached_property
    def sizes(self) -> Indices:
        """The bytes of each row, all fields together."""
        sizes: Indices = np.sum([each.clip(0) for each in self.lengths.values()], axis=0, dtype=np.int64)
        return sizes

    @property
    def rows(self) -> int:
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        return int(self.sizes.sum())

    @property
    def is_clean(self) -> bool:
        """Whether every row lives, in a pixel file of its own."""
        return not self.entry.deleted and self.entry.pixels is not None and not self.entry.borrows


@dataclass(frozen=True)
class Part:
    """Neighbouring shards that are written anew: as one shard per range of the store's rows."""

    pieces: Sequence[Piece]
    ranges: Sequence[tuple[int, int]]
    formats: Mapping[str, Format]

    @property
    def engine(self) -> str:
        return self.pieces[0].engine


@dataclass(frozen=True)
class Plan:
    """All that compacting would do. Bytes are those of pixel files; those after it are foretold by the engines."""

    steps: Sequence[ShardEntry | Part] = field(default_factory=tuple)
    shards_before: int = 0
    deleted_rows: int = 0
    borrowed_rows: int = 0
    borrowed_bytes: int = 0
    joined_shards: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows_copied: int = 0

    @property
    def parts(self) -> list[Part]:
        return [each for each in self.steps if isinstance(each, Part)]

    @property
    def shards_after(self) -> int:
        return sum(len(each.ranges) if isinstance(each, Part) else 1 for each in self.steps)


def plan_of(rows: StoreRows, shard_bytes: int) -> Plan:
    """Return what is to be done for shards of up to `shard_bytes` of records."""
    pieces = pieces_of(rows)
    steps: list[ShardEntry | Part] = []
    for run in _runs(pieces, shard_bytes):
        ranges = _ranges(run, shard_bytes)
        if all(each.is_clean for each in run) and len(ranges) >= len(run):
            steps += [each.entry for each in run]
        else:
            steps.append(Part(run, ranges, _common_formats(run)))
    written = [piece for step in steps if isinstance(step, Part) for piece in step.pieces]
    left = {name for step in steps if isinstance(step, ShardEntry) for name in pixel_files(step)}
    released = {name for piece in written for name in pixel_files(piece.entry)} - left
    borrowed = [piece for piece in written if piece.entry.borrows]
    return Plan(
        steps,
        len(pieces),
        sum(piece.entry.deleted_rows for piece in written),
        sum(piece.rows for piece in borrowed),
        sum(piece.bytes for piece in borrowed),
        len(written),
        sum(size_of(rows.path / FOLDER / name) for name in released),
        sum(_predicted(rows, each) for each in steps if isinstance(each, Part)),
        sum(piece.rows for piece in written),
    )


def pixel_files(entry: ShardEntry) -> set[str]:
    """Return the names of the files that hold a shard's records, its own and those of others."""
    return {*entry.borrows, *([entry.pixels.name] if entry.pixels else [])}


def pieces_of(rows: StoreRows) -> list[Piece]:
    """Return the shards of a version with the bytes of each living row."""
    pieces, first = [], 0
    for shard in rows.shards:
        lengths = {name: _lengths(shard, name) for name in rows.schema.field_names}
        usual = {name: each for name in rows.schema.field_names if (each := _usual_format(shard, name)) is not None}
        # A shard that only borrows pixels has no engine of its own: its rows become part of the store's newest ones.
        pieces.append(Piece(shard.entry, shard.entry.engine or rows.manifest.engine, first, lengths, usual))
        first += len(shard)
    return pieces


def _lengths(shard: Shard, name: str) -> Indices:
    records = shard.records(name)
    if records is None:
        return np.full(len(shard), -1)
    lengths = records.length if records.present is None else np.where(records.present, records.length, -1)
    return lengths if shard.rows is None else lengths[shard.rows]


def _usual_format(shard: Shard, name: str) -> Format | None:
    """Return the format of the first record of a field; None where there is none."""
    records = shard.records(name)
    if records is None:
        return None
    present = np.arange(shard.entry.rows) if records.present is None else np.flatnonzero(records.present)
    return records.formats(present[:1])[0][0] if len(present) else None


def _predicted(rows: StoreRows, part: Part) -> int:
    """Return the bytes of a part's new pixel files."""
    engine, schema = registry.engine(part.engine), shard_schema(rows.schema, part.formats)
    lengths = {name: np.concatenate([each.lengths[name] for each in part.pieces]) for name in schema.field_names}
    usual = dict.fromkeys(schema.field_names, ABSENT)
    usual.update({name: each for piece in reversed(part.pieces) for name, each in piece.usual.items()})
    first, total = part.pieces[0].first, 0
    for start, stop in part.ranges:
        chosen = {name: each[start - first : stop - first] for name, each in lengths.items()}
        keys = rows.table[KEY].slice(start, stop - start).combine_chunks()
        total += engine.predicted_bytes(PlannedShard(schema, chosen, usual, keys, rows.path)).apparent
    return total


def _runs(pieces: Sequence[Piece], shard_bytes: int) -> list[list[Piece]]:
    """Cut the shards into runs of neighbours that may be written anew together; a sound one stands alone."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if runs and _belong_together(runs[-1][-1], piece, shard_bytes):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def _belong_together(before: Piece, after: Piece, shard_bytes: int) -> bool:
    is_large = [2 * each.bytes >= shard_bytes or 2 * each.rows >= MOST_SHARD_ROWS for each in (before, after)]
    is_sound = [large and each.is_clean for large, each in zip(is_large, (before, after), strict=True)]
    differ = dict(before.entry.formats) != dict(after.entry.formats)
    return before.engine == after.engine and not any(is_sound) and not (differ and any(is_large))


def _ranges(run: Sequence[Piece], shard_bytes: int) -> list[tuple[int, int]]:
    """Return the rows of each new shard: as many as fit, one where a single one does not."""
    first, ends = run[0].first, np.cumsum(np.concatenate([each.sizes for each in run]))
    ranges, start = [], 0
    while start < len(ends):
        spent = int(ends[start - 1]) if start else 0
        fit = int(np.searchsorted(ends, spent + shard_bytes, "right"))
        stop = min(max(fit, start + 1), start + MOST_SHARD_ROWS, len(ends))
        ranges.append((first + start, first + stop))
        start = stop
    return ranges


def _common_formats(run: Sequence[Piece]) -> dict[str, Format]:
    """Return the format of each field that has the same one in every record of these shards."""
    first = run[0].entry.formats
    return {name: each for name, each in first.items() if all(piece.entry.formats.get(name) == each for piece in run)}
